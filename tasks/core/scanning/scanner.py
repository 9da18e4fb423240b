"""trivy, ready to scan: a program of this machine, or the scanner's image in a container."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tasks.core import process
from tasks.core.bake.overlay import PROJECT_LABEL
from tasks.core.containers import owners, sandbox
from tasks.core.errors import OutOfReach
from tasks.core.images import tarfiles
from tasks.core.scanning import database, images, trivy
from tasks.core.scanning.trivy import Sources
from tasks.core.session import Session

if TYPE_CHECKING:
    from docker.models.containers import Container

    from tasks.core.containers.sandbox import Run

PROGRAM = "trivy"
SCAN_SECONDS, UPDATE_SECONDS = 1000, 900
MOST_REPORT_BYTES = 256 * 2**20
#: What trivy reads from the environment and still may: how a registry is reached.
KEPT = ("TRIVY_USERNAME", "TRIVY_PASSWORD", "TRIVY_REGISTRY_TOKEN", "TRIVY_INSECURE")
#: Folders of the scanner's container.
CACHE, WORK = "/slipway-cache", "/slipway-scan"


class Scanner(Protocol):
    """A trivy with its database at hand."""

    @property
    def name(self) -> str:
        """What it is: a program on PATH, or an image."""

    def version(self) -> str:
        """What it says of itself and its database."""

    def scan(self, layout: Path) -> bytes:
        """Its report on the image in the folder or archive ``layout``; OutOfReach if it fails."""


@dataclass(frozen=True)
class Local:
    """A trivy of this machine, with its own cache or a database that was loaded before."""

    program: str
    cache: Path
    sources: Sources
    name: str = "trivy on PATH"

    def version(self) -> str:
        """See Scanner."""
        return self._run(trivy.version(self.program, str(self.cache)), 60).stdout

    def update(self) -> None:
        """Bring the database. Raises OutOfReach when it cannot be had."""
        process.note("bringing trivy's database …")
        argv = trivy.update(self.program, str(self.cache), self.sources.repository)
        self._run(argv, UPDATE_SECONDS, updates=True)

    def scan(self, layout: Path) -> bytes:
        """See Scanner."""
        with tempfile.TemporaryDirectory(prefix="slipway-scan-") as folder:
            report = Path(folder) / "report.json"
            self._run(
                trivy.image(self.program, str(self.cache), str(layout), str(report), self.sources),
                SCAN_SECONDS,
            )
            if not report.is_file() or report.stat().st_size > MOST_REPORT_BYTES:
                raise OutOfReach("trivy wrote no report that can be read: see its version")
            return report.read_bytes()

    def _run(
        self, argv: tuple[str, ...], seconds: float, *, updates: bool = False
    ) -> process.Completed:
        """In an empty folder and without its variables: none of its files is to hide anything."""
        mine = {name: "" for name in os.environ if name.startswith("TRIVY_") and name not in KEPT}
        with tempfile.TemporaryDirectory(prefix="slipway-scan-") as folder:
            done = process.read(argv, env=mine, cwd=Path(folder), timeout=seconds, check=False)
        if done.returncode != 0:
            raise failed(done.returncode, done.reason(), updates=updates)
        return done


@dataclass(frozen=True)
class Contained:
    """The scanner's image: each command in a container of its own, with one cache for all."""

    run: Run
    name: str
    sources: Sources
    #: The volume that is trivy's cache in all of them.
    cache: str

    def version(self) -> str:
        """See Scanner."""
        with self._container(trivy.version(PROGRAM, CACHE)) as made:
            return finished(made)

    def scan(self, layout: Path) -> bytes:
        """See Scanner."""
        report = f"{WORK}/report.json"
        argv = trivy.image(PROGRAM, CACHE, f"{WORK}/image", report, self.sources)
        with self._container(argv) as made:
            put(made, "/", layout, f"{WORK[1:]}/image")
            finished(made)
            return got(made, report)

    @contextlib.contextmanager
    def _container(self, argv: tuple[str, ...]) -> Iterator[Container]:
        chosen = options(argv, self.cache, offline=self.sources.offline)
        with self.run.container("scanner", self.name, chosen) as made:
            yield made


@contextlib.contextmanager
def ready(session: Session, *, offline: bool) -> Iterator[Scanner]:
    """A scanner with its database. Raises OutOfReach, with the mend, where either cannot be had.

    A trivy on PATH is used if there is one; else the image TRIVY_IMAGE, on the engine.
    """
    loaded = database.loaded(session)
    sources = Sources(
        offline or session.settings["TRIVY_OFFLINE"] == "true",
        session.settings["TRIVY_DB_REPOSITORY"],
        session.settings["TRIVY_JAVA_DB_REPOSITORY"],
        database.JAVA in loaded,
    )
    program = shutil.which(PROGRAM)
    with contextlib.ExitStack() as stack:
        if program:
            yield _local(stack, program, loaded, sources)
        else:
            yield _contained(stack, session, loaded, sources)


def _local(
    stack: contextlib.ExitStack, program: str, loaded: Mapping[str, Path], sources: Sources
) -> Local:
    if not loaded:
        made = Local(program, database.of_program(), sources)
        if not sources.offline:
            made.update()
        database.demand(made.cache)
        return made
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-scan-")))
    for name, path in loaded.items():
        if all(os.access(path / each, os.W_OK) for each in database.FILES[name]):
            (folder / name).symlink_to(path, target_is_directory=True)
        else:  # trivy opens them for writing
            (folder / name).mkdir()
            for each in database.FILES[name]:
                shutil.copyfile(path / each, folder / name / each)
    return Local(program, folder, sources)


def _contained(
    stack: contextlib.ExitStack, session: Session, loaded: Mapping[str, Path], sources: Sources
) -> Contained:
    if not loaded and sources.offline:
        raise OutOfReach(f"offline, and no vulnerability database is loaded: {database.MEND}")
    image = session.settings["TRIVY_IMAGE"]
    if not image:
        raise OutOfReach("there is no scanner: put trivy on PATH, or set TRIVY_IMAGE to its image")
    client = stack.enter_context(images.connected(session))
    images.ensure(session, client, image)
    run = stack.enter_context(sandbox.run(client, session.settings.project))
    cache = stack.enter_context(_cache(run))
    _bring(run, image, cache, loaded, sources)
    return Contained(run, image, sources, cache)


@contextlib.contextmanager
def _cache(run: Run) -> Iterator[str]:
    """A volume for one run, gone afterwards; and those of runs that were killed, gone first."""
    client, labels = run.client, run.labels("scanner")
    for left in client.volumes.list(filters={"label": [f"{PROJECT_LABEL}={run.project}"]}):
        owner = (left.attrs.get("Labels") or {}).get(owners.LABEL, "")
        if owner and owners.is_gone(owner):
            left.remove(force=True)
    made = client.volumes.create(labels=labels)
    try:
        yield str(made.id)
    finally:
        run.end()  # it is in use while there is a container
        made.remove(force=True)


def _bring(run: Run, image: str, cache: str, loaded: Mapping[str, Path], sources: Sources) -> None:
    """Put the databases that were loaded before into the volume, or have trivy download one."""
    argv = (PROGRAM, "version") if loaded else trivy.update(PROGRAM, CACHE, sources.repository)
    chosen = options(argv, cache, offline=bool(loaded))
    with run.container("scanner", image, chosen) as made:
        for name, path in loaded.items():
            put(made, CACHE, path, name, only=database.FILES[name])
        if not loaded:
            process.note("bringing trivy's database …")
        finished(made, updates=not loaded)


def options(argv: tuple[str, ...], cache: str, *, offline: bool) -> dict[str, Any]:
    """Options of the Docker SDK for a scanner: it reads what nobody knows, so it may do little."""
    return {
        "detach": True,
        "entrypoint": [argv[0]],
        "command": list(argv[1:]),
        "working_dir": "/",
        "volumes": {cache: {"bind": CACHE, "mode": "rw"}},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 1024,
        **({"network_mode": "none"} if offline else {}),
    }


def finished(container: Container, *, updates: bool = False) -> str:
    """Run a container of the scanner's to its end: what it printed. OutOfReach if it failed."""
    from docker.errors import APIError

    try:
        container.start()
    except APIError as error:
        said = " ".join(str(error.explanation or error).split())[:200]
        raise OutOfReach(f"the scanner's image cannot run trivy: {said}; see TRIVY_IMAGE") from None
    code = int(container.wait(timeout=SCAN_SECONDS)["StatusCode"])
    if code != 0:
        last = [line for line in sandbox.last_lines(container, 3) if line.strip()]
        raise failed(code, " / ".join(last) or "it said nothing", updates=updates)
    return bytes(container.logs(stdout=True, stderr=False)).decode(errors="replace")


def failed(code: int, reason: str, *, updates: bool) -> OutOfReach:
    """A trivy that ended with ``code``, in one line: never taken for a scan without findings."""
    said = " ".join(process.plain(reason).split())[-300:]
    if updates:
        return OutOfReach(f"trivy's database cannot be had: {said}; {database.MEND}")
    if "Java DB" in said:
        return OutOfReach(f"trivy could not scan (exit {code}): {database.JAVA_MEND}")
    return OutOfReach(f"trivy could not scan (exit {code}): {said}")


def put(container: Container, at: str, source: Path, name: str, only: tuple[str, ...] = ()) -> None:
    """Copy a folder, or a file, into a container as ``name`` below ``at``; or some files of it."""
    with tempfile.TemporaryFile(prefix="slipway-scan-") as spool:
        with tarfile.open(fileobj=spool, mode="w") as packed:
            if only:
                for each in only:
                    packed.add(source / each, f"{name}/{each}", filter=_owned_by_root)
            else:
                packed.add(source, name, filter=_owned_by_root)
        spool.seek(0)
        container.put_archive(at, spool)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without capabilities, root reads only what everybody may."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def got(container: Container, path: str) -> bytes:
    """A file out of a container. Raises OutOfReach where it is not there, or far too large."""
    from docker.errors import NotFound

    try:
        chunks, status = container.get_archive(path)
    except NotFound:
        raise OutOfReach("trivy wrote no report: see its version") from None
    if int((status or {}).get("size", 0)) > MOST_REPORT_BYTES:
        raise OutOfReach(f"trivy's report has more than {MOST_REPORT_BYTES // 2**20} MiB")
    with tarfiles.opened(chunks) as packed:
        for member in packed:
            source = packed.extractfile(member)
            if source is not None:
                return source.read()
    raise OutOfReach("trivy wrote no report: see its version")
