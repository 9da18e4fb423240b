"""Measure reports on layers against dive: ``python -m bench.layers``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import arguments, layerimages, measuring, outcome
from bench.layerimages import Shape
from tasks.core import process
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.render import tables
from tasks.core.session import ROOT

PAGE = ROOT / "docs" / "performance.md"
STARTER = Path(__file__).with_name("starter.py")
#: 72,000 files in 3 GiB; 10,000 in 300 MiB.
LARGE = tuple(Shape(n, 6000, 44_000, tuple(range(max(0, n - 3), n))) for n in range(12))
SMALL = (Shape(21, 4000, 30_000), Shape(22, 5000, 30_000), Shape(23, 1000, 20_000, (21, 22)))
ONE_MORE = Shape(31, 40, 10_000)
IMAGES = {
    "large": LARGE,
    "large-other": (*LARGE, ONE_MORE),
    "small": SMALL,
    "small-other": (*SMALL, ONE_MORE),
}
#: Not compressed, as engines without the containerd store save them.
ARCHIVES = {"archive": LARGE, "archive-other": (*LARGE, ONE_MORE)}
NAME = "slipway.bench/layers"


@dataclass(frozen=True)
class Run:
    """What one run of a program took: seconds, and its largest memory."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Question:
    """What is measured of both programs, and the ratio that is promised.

    ``memory_of`` is the question in whose runs the memory is measured, and nothing else.
    """

    title: str
    limit: float
    memory_of: str = ""


QUESTIONS = {
    "large": Question("an image of 3 GiB that was never looked at, seconds", 0.5),
    "large-other": Question("another image of 3 GiB, one layer of it is new, seconds", 0.1),
    "large-memory": Question("an image of 3 GiB that was never looked at, memory", 0.3, "large"),
    "small": Question("an image of 300 MiB that was never looked at, seconds", 0.5),
    "small-other": Question("another image of 300 MiB, one layer of it is new, seconds", 0.1),
    "archive": Question("an archive of 3 GiB that was never looked at, seconds", 0.5),
    "archive-other": Question("another archive of 3 GiB, one layer of it is new, seconds", 0.1),
    "archive-memory": Question("an archive of 3 GiB, memory", 0.3, "archive"),
}
#: By question that has runs of its own: how each program is run once.
Runners = Mapping[str, tuple[Callable[[], Run], Callable[[], Run]]]


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return the exit code: 0 also where a limit is not met."""
    options = arguments.parser("layers", __doc__, PAGE).parse_args(words)
    return outcome.code(
        lambda: outcome.publish(table(_measured(options.runs)), "layers", PAGE, options)
    )


def table(runs: Mapping[str, tuple[Sequence[Run], Sequence[Run]]]) -> str:
    """A line a question: the medians of both, their ratio, and whether it keeps the promise."""
    rows = []
    for name, question in QUESTIONS.items():
        if (question.memory_of or name) not in runs:
            continue
        ours, theirs = runs[question.memory_of or name]
        mine, others = (_median(each, question) for each in (ours, theirs))
        ratio = mine / others
        met = "met" if ratio <= question.limit else "not met"
        shown = [_shown(value, question) for value in (mine, others)]
        rows.append(
            [question.title, len(ours), *shown, f"{ratio:.2f}", f"{question.limit:g}: {met}"]
        )
    head = ("question", "runs", "report.layers", "dive", "ratio", "limit")
    return tables.table(head, rows, markdown=True)


def _median(runs: Sequence[Run], question: Question) -> float:
    return median(run.memory_bytes if question.memory_of else run.seconds for run in runs)


def _shown(value: float, question: Question) -> str:
    return str(tables.mib(round(value))) if question.memory_of else f"{value:.2f} s"


def _measured(runs: int) -> dict[str, tuple[list[Run], list[Run]]]:
    """Runs of both in turn, so that whatever else happens on the machine hits both alike."""
    found: dict[str, tuple[list[Run], list[Run]]] = {}
    with _prepared() as runners:
        for number in range(runs):
            for name, both in runners.items():
                process.note(f"[{number + 1}/{runs}] {QUESTIONS[name].title} …")
                for run, done in zip(both, found.setdefault(name, ([], [])), strict=True):
                    done.append(run())
    return found


@contextmanager
def _prepared() -> Iterator[Runners]:
    """The images, and a copy of the tasks whose cache is its own; all of it goes at the end."""
    engine = measuring.session(ROOT).engine
    with tempfile.TemporaryDirectory(prefix="slipway-bench-", dir="/var/tmp") as name:
        root = Path(name)
        for part in ("tasks.py", "tasks"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
            copy(ROOT / part, root / part)
        try:
            for tag, shapes in IMAGES.items():
                process.note(f"making the image {tag} …")
                path = _archive(root, tag)
                layerimages.write(path, f"{NAME}:{tag}", shapes, compressed=True)
                _docker(engine, "load", "--quiet", "--input", str(path))
                path.unlink()
            for tag, shapes in ARCHIVES.items():
                process.note(f"making the archive {tag} …")
                path = _archive(root, tag)
                layerimages.write(path, f"{NAME}:{tag}", shapes, compressed=False)
            yield _runners(root, engine)
        finally:
            for tag in IMAGES:
                _docker(engine, "image", "rm", "--force", f"{NAME}:{tag}")


def _archive(root: Path, tag: str) -> Path:
    return root / f"{tag}.tar"


def _runners(root: Path, engine: Engine) -> Runners:
    """By question: report.layers, where something is to be known after a look at that; dive."""

    def ours(tag: str) -> Callable[[], Run]:
        known = tag.removesuffix("-other")

        def run() -> Run:
            shutil.rmtree(root / ".slipway", ignore_errors=True)
            if known != tag:
                _run(engine, (*_report(root), *_asked(root, known)))
            return _run(engine, (*_report(root), *_asked(root, tag)))

        return run

    def dive(tag: str) -> Callable[[], Run]:
        option, what = _asked(root, tag)
        source = "docker" if option == "--image" else "docker-archive"
        words = (_dive(), what, "--source", source, "--json", str(root / "dive.json"))
        return lambda: _run(engine, words)

    return {tag: (ours(tag), dive(tag)) for tag in (*IMAGES, *ARCHIVES)}


def _asked(root: Path, tag: str) -> tuple[str, str]:
    if tag in ARCHIVES:
        return "--archive", str(_archive(root, tag))
    return "--image", f"{NAME}:{tag}"


def _report(root: Path) -> tuple[str, ...]:
    program = root / "tasks" / "core" / "program.py"
    return (sys.executable, "-P", str(program), "--search-root", str(root), "report.layers")


def _dive() -> str:
    found = shutil.which("dive", path=str(Path(sys.executable).parent))
    if found is None:
        raise OutOfReach("dive is not installed: pip install -r requirements-dev.txt")
    return found


def _run(engine: Engine, argv: Sequence[str]) -> Run:
    """Run a program as a person waits for it, with the memory that it had at most.

    A small program starts it: until it runs, the kernel counts what starts it as its memory.
    """
    ran = subprocess.run(
        (sys.executable, "-I", "-S", str(STARTER), *argv),
        env={**process.merged(engine.environment), "PYTHONDONTWRITEBYTECODE": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise OutOfReach(f"{Path(argv[0]).name} ended with {ran.returncode}: {ran.stderr[-300:]!r}")
    seconds, memory_bytes = ran.stdout.split()
    return Run(float(seconds), int(memory_bytes))


def _docker(engine: Engine, *words: str) -> None:
    process.read((engine.docker, *words), env=engine.environment)


if __name__ == "__main__":
    sys.exit(main())
