"""Commands in containers of an image, and what they say compared with what tests demand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core import daemon, envfile, untrusted
from tasks.core.containers.sandbox import Run
from tasks.core.errors import UsageError
from tasks.core.secrecy import masking
from tasks.core.structure import patterns
from tasks.core.structure.config import CommandTest, Config, Pair, RunOptions

if TYPE_CHECKING:
    from docker.models.containers import Container

#: The real tool has no limits; these only end what would never end by itself.
SECONDS = 300.0
MEMORY_MIB = 2048
PIDS = 1024
MAX_OUTPUT_BYTES = 8 * 2**20
#: How long the last of the output may take to arrive after the command has ended.
_LAST_WORDS_SECONDS = 30.0


@dataclass(frozen=True)
class Place:
    """Where commands are run: an image in the engine, and which of its platforms."""

    target: str
    reference: str
    platform: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Start:
    """How containers are started: options of the Docker SDK, and the variables of the options.

    ``variables`` is None where the file has no options: a test's own variables hold then.
    """

    options: Mapping[str, Any]
    variables: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, what it said, and what cut it short, if anything."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    trouble: str = ""


class _Unfit(Exception):
    """A command could not be run at all; the message says why."""


def start(config: Config, environ: Mapping[str, str] = os.environ) -> Start:
    """How the commands of a file are started; ``environ`` has the variables that it names.

    Raises UsageError for a variable that is not set and for a file that is no list of variables.
    """
    given = config.options
    if given is None:
        return Start({})
    options: dict[str, Any] = {
        "user": given.user,
        "privileged": given.privileged,
        "cap_add": list(given.capabilities),
        "volumes": list(given.mounts),
    }
    return Start(
        {name: value for name, value in options.items() if value},
        _variables(config.source, given, environ),
    )


def _variables(source: str, given: RunOptions, environ: Mapping[str, str]) -> Mapping[str, str]:
    entries = envfile.parse(Path(given.env_file), environ) if given.env_file else ()
    found = {entry.name: entry.value for entry in entries if entry.value}
    for name in given.variables:
        if not environ.get(name):
            raise UsageError(f"{source}: containerRunOptions.envVars: {name} is not set: export it")
        found[name] = environ[name]
    return found


def problems(
    run: Run, place: Place, config: Config, started: Start, test: CommandTest
) -> Iterator[str]:
    """Run a test's command; a line for each thing that is not as it demands.

    As the real tool does: the file's variables may use the image's; a test's own may use both, but
    only its setup commands see them so, the command itself as they are written. Where the file has
    run options, the command has their variables instead. Nobody asks how setup commands end.
    """
    shared = expanded(config.environment, place.environment)
    known = {**place.environment, **shared}
    own = expanded(test.environment, known)
    try:
        with ExitStack() as stack:
            image = place.reference
            for command in test.setup:
                options = _options(started, command, {**shared, **own})
                image = stack.enter_context(_changed(run, place, image, options))
            seen = {**known, **own} if test.setup else known
            words = [patterns.expand(word, seen) for word in test.command]
            written = {pair.key: pair.value for pair in test.environment}
            final = {**shared, **(own if test.setup else {})}
            final |= written if started.variables is None else started.variables
            ended = _run(run, place, image, _options(started, words, final))
    except _Unfit as reason:
        yield str(reason)
        return
    yield from judged(ended, test, tuple((started.variables or {}).values()))


def expanded(pairs: Sequence[Pair], environment: Mapping[str, str]) -> dict[str, str]:
    """Variables with those of ``environment`` in their values replaced."""
    return {pair.key: patterns.expand(pair.value, environment) for pair in pairs}


def _options(
    started: Start, command: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Options of the Docker SDK; an entrypoint with an empty word takes the image's away."""
    from docker.types import LogConfig

    return {
        "detach": True,
        "entrypoint": [""],
        "command": list(command),
        "environment": [f"{name}={value}" for name, value in environment.items()],
        "mem_limit": f"{MEMORY_MIB}m",
        "pids_limit": PIDS,
        # The engine drops nothing of it: what says too much is ended while it speaks.
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "1g"}),
        **started.options,
    }


@contextmanager
def _changed(run: Run, place: Place, image: str, options: Mapping[str, Any]) -> Iterator[str]:
    """The image with what a setup command left behind; removed at the end."""
    from docker.errors import ImageNotFound

    made = ""
    try:
        with _container(run, place, image, options) as container:
            _wait(container)
            made = str(run.client.api.commit(str(container.id))["Id"])
        yield made
    finally:
        if made:
            with suppress(ImageNotFound):
                run.client.api.remove_image(made, force=True)


def _run(run: Run, place: Place, image: str, options: Mapping[str, Any]) -> Ended:
    with ThreadPoolExecutor(2) as readers, _container(run, place, image, options) as container:
        listening = [readers.submit(_said, container, one) for one in ("stdout", "stderr")]
        code = _wait(container)
        stdout, stderr = (each.result(_LAST_WORDS_SECONDS) for each in listening)
        trouble = ""
        container.reload()
        if container.attrs["State"].get("OOMKilled"):
            trouble = f"it needs more than {MEMORY_MIB} MiB of memory"
        if max(len(stdout), len(stderr)) > MAX_OUTPUT_BYTES:
            trouble = f"it says more than {MAX_OUTPUT_BYTES // 2**20} MiB"
        return Ended(code, stdout, stderr, trouble)


@contextmanager
def _container(
    run: Run, place: Place, image: str, options: Mapping[str, Any]
) -> Iterator[Container]:
    """A container that was started. Raises _Unfit when the engine refuses to."""
    from docker.errors import APIError

    asked = {**options, "platform": place.platform}
    with ExitStack() as stack:
        try:
            container = stack.enter_context(run.container(place.target, image, asked))
            container.start()
        except APIError as error:
            words = str(error.explanation or error).splitlines() or ["refused"]
            command = untrusted.shown(" ".join(options["command"]), 80)
            raise _Unfit(f"{command!r} does not start: {untrusted.shown(words[0])}") from None
        yield container


def _wait(container: Container) -> int:
    from requests.exceptions import ConnectionError as Gone
    from requests.exceptions import ReadTimeout

    try:
        return int(container.wait(timeout=SECONDS)["StatusCode"])
    except (ReadTimeout, Gone):
        raise _Unfit(f"still running after {SECONDS:g} s") from None


def _said(container: Container, which: str) -> bytes:
    """What a container says on one of its outputs until it ends; saying too much ends it.

    No more than one piece above the limit is kept.
    """
    from docker.errors import APIError

    stream = container.logs(
        stdout=which == "stdout", stderr=which == "stderr", stream=True, follow=True
    )
    said = bytearray()
    with closing(stream):
        for piece in stream:
            said += piece
            if len(said) > MAX_OUTPUT_BYTES:
                with suppress(APIError):  # it may have ended by itself
                    container.kill()
                daemon.hang_up(stream)
                break
    return bytes(said)


def judged(ended: Ended, test: CommandTest, secrets: Sequence[str] = ()) -> Iterator[str]:
    """A line for each thing about the end of a command that is not as ``test`` demands.

    What it said is shown without the values ``secrets``.
    """
    if ended.trouble:
        yield ended.trouble
        return
    for name, said, expected, excluded in (
        ("stderr", ended.stderr, test.expected_error, test.excluded_error),
        ("stdout", ended.stdout, test.expected_output, test.excluded_output),
    ):
        text = patterns.readable(said)
        for pattern in expected:
            if not patterns.found(pattern, text):
                yield f"{name} has no match for {patterns.shown(pattern)}: {_begin(text, secrets)}"
        for pattern in excluded:
            if patterns.found(pattern, text):
                yield f"{name} has a match for {patterns.shown(pattern)}: {_begin(text, secrets)}"
    if ended.exit_code != test.exit_code:
        end = f": {_begin(ended.stderr, secrets)}" if ended.stderr.strip() else ""
        yield f"exit {ended.exit_code}, not {test.exit_code}{end}"


def _begin(said: bytes, secrets: Sequence[str]) -> str:
    """The begin of what was said, on one line."""
    text = masking.hide(said.decode("utf-8", "replace"), secrets)
    words = " ".join(text[:1000].split())
    return f"it said {untrusted.shown(words, 120)!r}" if words else "it said nothing"
