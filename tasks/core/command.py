"""What every task keeps to: help for its options, and one line for each expected failure."""

from __future__ import annotations

import errno
import inspect
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from types import FrameType
from typing import Any

from invoke.exceptions import Exit
from invoke.tasks import Task, task

from tasks.core import running
from tasks.core.errors import Interrupted, OutOfReach

HELP = {
    "all": "Also what is left out otherwise.",
    "debug": "The images to look inside: this machine's platform, not pushed.",
    "env-file": "Settings file to read instead of .env.",
    "file": "Bake file to read (repeatable); default: docker-bake.hcl.",
    "format": "How the result is written; default: by the file's ending, else as text.",
    "jobs": "Images proven side by side; default: as many as there are processors.",
    "long": "Only the engine tests of faults, scale and slow commands.",
    "names": "Targets or groups of the bake file, separated by commas.",
    "no-cache": "Build every step anew.",
    "output": "File to write to, - for standard output (repeatable in verify.*, compare.*).",
    "platform": "Platforms, separated by commas.",
    "profile": "Also read .env.PROFILE.",
    "push": "Push the images to REGISTRY.",
    "severity": "Least grave failure that counts: low (default), medium, high, critical.",
    "record": "Record to report on, by the start of its id; default: the newest.",
    "since": "Only what changed since this branch, tag or commit.",
    "set": "Override a setting: NAME=VALUE (repeatable).",
    "target": "Only targets that match this name or glob (repeatable).",
    "unit": "Only lint, types and unit tests: no engine.",
    "yes": "Do it without asking.",
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REPEATABLE = ("file", "node", "set_", "target")
#: The parameter by which a task takes a frozen record of options that others have, too.
SHARED = "asked"
DISK_PROBLEMS = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EPERM, errno.ENOTDIR)


class Command(Task[Any]):
    """A task that ends expected failures with one line and their exit code.

    A subclass and not a wrapper around the function: invoke tells tasks of one name apart by their
    code, and would run only the first of `verify.sizes report.sizes` if both had a wrapper's.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task inside the boundary."""
        for shared in _shared(self.body).values():
            names = [field.name for field in fields(shared)]
            given = {name: kwargs.pop(name) for name in names if name in kwargs}
            kwargs[SHARED] = replace(shared, **given)
        running.TASK.set(running.named(self.body.__module__, self.name))
        with boundary():
            return super().__call__(*args, **kwargs)

    def argspec(self, body: Callable[..., Any]) -> inspect.Signature:
        """Each field of a parameter SHARED is an option of its own."""
        return inspect.Signature(_options(body))

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """invoke takes an option's kind from its default; a repeatable one must not have any."""
        kept: Any = None if name in self.iterable else default
        return super().arg_opts(name, kept, taken_names)


def _shared(body: Callable[..., Any]) -> dict[str, Any]:
    """The record of options that a task has in common with others, by its parameter."""
    parameters = inspect.signature(body).parameters
    return {SHARED: parameters[SHARED].default} if SHARED in parameters else {}


def _options(body: Callable[..., Any]) -> list[inspect.Parameter]:
    """The options of a task, without its context: its own, then those of the shared record."""
    own = list(inspect.signature(body).parameters.values())[1:]
    shared = [field for record in _shared(body).values() for field in fields(record)]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [parameter for parameter in own if parameter.name != SHARED] + [
        inspect.Parameter(field.name, kind, default=field.default) for field in shared
    ]


def command(**options: Any) -> Callable[[Callable[..., None]], Command]:
    """Make a function a task whose options' help is looked up in HELP.

    ``options`` go to invoke's ``task``; ``help`` there adds to HELP, by flag, and ``repeatable``
    to REPEATABLE, by parameter.
    """
    texts = {**HELP, **options.pop("help", {})}
    repeatable = (*REPEATABLE, *options.pop("repeatable", ()))

    def decorate(body: Callable[..., None]) -> Command:
        names = [parameter.name for parameter in _options(body)]
        flags = [name.strip("_").replace("_", "-") for name in names]
        made: Command = task(
            klass=Command,
            help={flag: texts[flag] for flag in flags},
            iterable=[name for name in repeatable if name in names],
            auto_shortflags=False,
            **options,
        )(body)
        return made

    return decorate


@contextmanager
def boundary() -> Iterator[None]:
    """What a task runs in: signals interrupt it once, expected failures become one line."""
    with _interruptible(), translated():
        yield


@contextmanager
def translated() -> Iterator[None]:
    """Turn what can be expected to fail into the error family; a bug stays a traceback."""
    try:
        yield
    except Exit:
        raise
    except KeyboardInterrupt:
        raise Interrupted("interrupted") from None
    except OSError as error:
        raise _from_system(error) from None
    except Exception as error:
        known = _from_engine(error)
        if known is None:
            raise
        raise known from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and a closed terminal act as Ctrl-C does, so that what was started is taken down.

    Only the first of them does: the others would interrupt the taking down.
    """
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, _interrupt) for number in handled}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _from_system(error: OSError) -> OutOfReach | OSError:
    """A disk that is full or not writable is the user's to mend; anything else is ours."""
    known = _from_engine(error)
    if known is not None:
        return known
    if error.errno in DISK_PROBLEMS and error.filename:
        return OutOfReach(f"cannot use {error.filename}: {error.strerror}")
    if error.errno in DISK_PROBLEMS:
        return OutOfReach(f"{error.strerror}: make room or change the permissions")
    return error


def _from_engine(error: Exception) -> OutOfReach | None:
    """The engine went away, or refused: the SDK and its HTTP client raise many kinds for that."""
    kind = type(error)
    module = kind.__module__.partition(".")[0]
    if module not in ("docker", "requests", "urllib3"):
        return None
    reason = getattr(error, "explanation", None) or str(error)
    first = str(reason).strip().splitlines()[0] if str(reason).strip() else kind.__name__
    if module == "docker" and getattr(error, "explanation", None):
        return OutOfReach(f"the engine refused: {first}")
    return OutOfReach(f"the engine does not answer (see: inv engine.status): {first[:200]}")
