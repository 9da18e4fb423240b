"""invoke's own program, started by ``inv``: bad usage ends with one line and exit code 2.

``invoke`` by itself works too; it gives 1 for a mistyped option, and a traceback for an
``invoke.yaml`` that cannot be read. Run as a file, before ``tasks`` can be imported: nothing of
Slipway is imported here.
"""

from __future__ import annotations

import os
import signal
import sys

# Before anything slow is imported: an interrupt while we start is no traceback. Tasks have handlers
# of their own, which clean up first.
for _number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_number, lambda *_: os._exit(130))

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from invoke import __version__
from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.program import Program
from invoke.vendor.yaml import SafeLoader, YAMLError
from invoke.vendor.yaml.constructor import ConstructorError
from invoke.vendor.yaml.nodes import Node

VERSION = "0.1.0"
BAD_USAGE = 2
INTERRUPTED = 130
REPEATABLE = ("--config", "--file", "--node", "--output", "--set", "--target")


class Slipway(Program):
    """invoke's program with Slipway's exit codes."""

    def parse_core(self, argv: list[str] | None) -> None:
        """Read the options before the first task."""
        with _usage():
            super().parse_core(argv)

    def parse_collection(self) -> None:
        """Load ``tasks.py`` and ``invoke.yaml``."""
        with _usage():
            super().parse_collection()

    def parse_tasks(self) -> None:
        """Read the tasks and their options."""
        with _usage():
            super().parse_tasks()
        _need_values(sys.argv[1:])

    def parse_cleanup(self) -> None:
        """Print lists and help, as far as somebody reads them: ``inv --list | head``."""
        try:
            super().parse_cleanup()
        except BrokenPipeError:
            raise Exit(code=0) from None


class Configuration(Config):
    """invoke's configuration, which tells the place of what it cannot read."""

    def _load_yaml(self, path: Any) -> Any:
        with Path(path).open(encoding="utf-8") as file:
            loader = _Loader(file)
            try:
                return loader.get_single_data()
            finally:
                loader.dispose()


class _Loader(SafeLoader):
    """YAML's, but a key that is there twice is refused: its first entry would be lost unseen."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key.value, str):
                raise _refused(f"the key {key.value!r} is there twice", key)
            seen.add(key.value if isinstance(key.value, str) else id(key))
        return super().construct_mapping(node, deep)

    def construct_yaml_timestamp(self, node: Any) -> Any:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError:
            raise _refused(f"{node.value!r} is no day that there is", node) from None


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)


def _refused(problem: str, node: Node) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)


def _need_values(words: list[str]) -> None:
    """invoke takes a repeatable option without a value for one that was not given."""
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word in REPEATABLE and following.startswith("--"):
            raise Exit(f"{word} needs a value", code=BAD_USAGE)


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        said = " ".join(str(error).split()).rstrip("!.")
        said = re.sub(r"Flag <Argument: (\w+).*", _flag, said)
        said = re.sub(r"(?<=\w)_(?=')", "", said)  # 'from_' is what Python has to call `--from`
        raise Exit(f"{said}; see: inv --list", code=BAD_USAGE) from None
    except (UnicodeDecodeError, AttributeError, TypeError) as error:
        # What invoke makes of an invoke.yaml that is no text, or no mapping of texts.
        if not _from_configuration(error):
            raise
        raise Exit(
            "invoke.yaml: expected UTF-8 text with a mapping of texts; mend the file",
            code=BAD_USAGE,
        ) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"invoke.yaml:{mark.line + 1}" if mark else "invoke.yaml"
        problem = getattr(error, "problem", None) or "is not YAML"
        raise Exit(f"{place}: {problem}; mend the file", code=BAD_USAGE) from None


def _from_configuration(error: BaseException) -> bool:
    """Whether ``error`` came out of invoke's reading of its configuration files."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(("invoke/config.py", "invoke/env.py")):
            return True
        trace = trace.tb_next
    return False


def _flag(found: re.Match[str]) -> str:
    return f"--{found[1].strip('_').replace('_', '-')} needs a value"


def main() -> None:
    """Run the tasks named on the command line."""
    version = f"{VERSION} (invoke {__version__})"
    program = Slipway(
        name="Slipway",
        binary="inv",
        binary_names=["inv", "invoke"],
        version=version,
        config_class=Configuration,
    )
    try:
        program.run()
    except SystemExit as ending:
        # invoke has only one exit code for Ctrl-C outside of a task, and it is 1.
        if isinstance(ending.__context__, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        raise
    finally:
        _flush()


def _flush() -> None:
    """Print what is left, if somebody still reads: Python's own attempt would end with code 120."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
