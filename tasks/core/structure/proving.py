"""Run the tests of a file on every platform of images."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tasks.core import daemon, process, untrusted, waiting
from tasks.core.bake import runnable
from tasks.core.containers import sandbox
from tasks.core.containers.sandbox import Run
from tasks.core.errors import OutOfReach
from tasks.core.images import contents, imagefiles
from tasks.core.images.contents import Contents
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Verdict
from tasks.core.session import Session
from tasks.core.structure import commands, files, keeping, metadata
from tasks.core.structure.commands import Place, Start
from tasks.core.structure.config import CommandTest, Config
from tasks.core.structure.proofs import COMMAND, FILE_CONTENT, FILE_EXISTENCE, LICENSE, METADATA

#: Commands that run side by side.
AT_ONCE = 4


@dataclass(frozen=True)
class Image:
    """An image to test: in the engine under ``reference``, or an ``archive``.

    ``target`` is what it is called in verdicts.
    """

    target: str
    reference: str
    archive: Path | None = None


def prove(
    session: Session, config: Config, images: Sequence[Image], jobs: int | None = None
) -> tuple[Verdict, ...]:
    """The verdicts of all tests on each platform of the images, in the order of the real tool.

    Whatever ends this, no container and no image of it is left. Commands cannot be run in an
    archive: they are skipped. Raises OutOfReach for an image that is not there.
    """
    started = commands.start(config) if config.commands else Start({})
    if session.dry:
        for image in images:
            process.note(f"dry run: {config.source} would be run on {image.reference}")
        return ()
    _warn(config)
    found: list[Verdict] = []
    with contextlib.ExitStack() as stack:
        run = None
        if any(image.archive is None for image in images):
            client = stack.enter_context(contextlib.closing(daemon.connect(session.engine)))
            pool = stack.enter_context(ThreadPoolExecutor(jobs or AT_ONCE))
            run = stack.enter_context(sandbox.run(client, session.settings.project))
        for image in images:
            process.note(f"  {image.target}: {config.source} on {image.reference} …")
            chunks = _chunks(run, image)
            for held in read(chunks, image.target, config):
                if run is not None and image.archive is None:
                    if config.commands:
                        runnable.ensure(session.engine, [held.platform])
                    prover = _Prover(run, config, started, image, held)
                    futures = [pool.submit(prover.prove, test) for test in config.commands]
                    found += [waiting.result(future) for future in futures]
                else:
                    found += _skipped(config, image, held)
                found += observe(config, image.target, held)
    return tuple(found)


def read(
    chunks: Callable[[], Iterable[bytes]], reference: str, config: Config
) -> tuple[Contents, ...]:
    """What is in an image, with the content of the files that the tests ask for.

    Where links lead to them it is read twice: only then is it known which files they are.
    """
    held = contents.read(chunks(), reference, (keeping.keeper(config),))
    marks = {mark for each in held for mark in _missed(config, each)}
    if not marks:
        return held
    return contents.read(chunks(), reference, (keeping.keeper(config, marks),))


def observe(config: Config, target: str, held: Contents) -> Iterator[Verdict]:
    """The verdicts of the tests that start nothing, on one platform."""
    there = files.of_container(held)
    said = metadata.stated(held)
    known = {**said.environment, **commands.expanded(config.environment, said.environment)}
    found: list[tuple[Proof, str, Iterable[str]]] = [
        *((FILE_CONTENT, test.name, files.content(there, test)) for test in config.contents),
        *(
            (FILE_EXISTENCE, test.name, files.existence(there, test, known))
            for test in config.existence
        ),
        *(
            (LICENSE, f"licenses {number}", files.licenses(there, test))
            for number, test in enumerate(config.licenses, 1)
        ),
    ]
    if config.metadata:
        found.append((METADATA, "metadata", metadata.problems(said, config.metadata)))
    for proof, name, lines in found:
        yield _verdict(proof, target, held.platform, config, name, lines)


class _Prover:
    """Runs commands in one platform of an image."""

    def __init__(
        self, run: Run, config: Config, started: Start, image: Image, held: Contents
    ) -> None:
        environment = metadata.stated(held).environment
        self._place = Place(image.target, image.reference, held.platform, environment)
        self._run, self._config, self._started = run, config, started

    def prove(self, test: CommandTest) -> Verdict:
        """The verdict of one test."""
        found = commands.problems(self._run, self._place, self._config, self._started, test)
        place = self._place
        return _verdict(COMMAND, place.target, place.platform, self._config, test.name, found)


def _chunks(run: Run | None, image: Image) -> Callable[[], Iterable[bytes]]:
    archive = image.archive
    if archive is not None:
        return lambda: imagefiles.open_archive(archive)
    assert run is not None  # noqa: S101 - the caller knows
    client = run.client
    if not daemon.has_image(client, image.reference):
        raise OutOfReach(
            f"no image {image.reference} in the engine; build it (inv build.targets "
            f"{image.target}), or run: docker pull {image.reference}"
        )
    return lambda: client.api.get_image(image.reference)


def _missed(config: Config, held: Contents) -> Iterator[keeping.Mark]:
    """What tells the files that tests ask for and that were not seen under these names."""
    there = files.of_container(held)
    paths = [*keeping.asked(config)]
    if any(test.debian for test in config.licenses):
        paths += [path for path in there if keeping.is_license(path)]
    return files.out_of_sight(there, paths)


def _skipped(config: Config, image: Image, held: Contents) -> Iterator[Verdict]:
    for test in config.commands:
        reason = f"{untrusted.shown(test.name, 120)}: no command can be run in an archive"
        yield COMMAND.skip(image.target, held.platform, reason)


def _verdict(
    proof: Proof, target: str, platform: str, config: Config, name: str, lines: Iterable[str]
) -> Verdict:
    """Every line says the test's name: exceptions and people find it by that."""
    name = untrusted.shown(name, 120)
    found = [f"{name}: {line}" for line in lines]
    return proof.judge(target, platform, found, name, f"as {config.source} says")


def _warn(config: Config) -> None:
    if config.options is None:
        return
    if config.options.privileged:
        process.note(f"{config.source}: its commands run privileged: they may change this machine")
    if any(test.environment for test in config.commands):
        process.note(
            f"{config.source}: with containerRunOptions the envVars of a test hold for its setup "
            "commands only, as in container-structure-test"
        )
