"""What a record says of the engine and the builder, asked once a day and kept in between.

Asking takes several programs, each of which takes a tenth of a second of a processor that the build
could use. What was found holds as long as the same docker program talks to the same host through
the same builder.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tasks.core import endpoint, engine, process, untrusted
from tasks.core.endpoint import Engine
from tasks.core.journal import decoding
from tasks.core.journal.records import BuilderRecord, EngineRecord, NodeRecord
from tasks.core.machines import builders, probing
from tasks.core.render import output
from tasks.core.untrusted import Malformed

FILE = Path(".slipway", "cache", "surroundings.json")
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Surroundings:
    """The engine and the builder; ``asked`` is when, in seconds since 1970, ``key`` of what."""

    key: str
    asked: float
    engine: EngineRecord
    builder: BuilderRecord


def find(root: Path, about: Engine, builder: str) -> Surroundings:
    """What ``about`` and ``builder`` ("": the one that buildx uses) are.

    Raises OutOfReach where they do not answer.
    """
    key = _key(about, builder)
    known = _kept(root)
    if known and known.key == key and 0 <= time.time() - known.asked < KEPT_SECONDS:
        return known
    found = _ask(about, builder, key)
    try:
        output.write(root / FILE, json.dumps(decoding.encode(found)) + "\n", mode=0o600)
    except OSError as error:
        process.note(f"the engine's versions are asked anew next time: {FILE}: {error.strerror}")
    return found


def _ask(about: Engine, builder: str, key: str) -> Surroundings:
    with ThreadPoolExecutor(2) as pool:
        versions = pool.submit(engine.versions, about)
        inspected = pool.submit(builders.inspect, about, builder)
    version, buildx = versions.result()
    found = inspected.result()
    nodes = tuple(NodeRecord(node.name, node.buildkit, node.platforms) for node in found.nodes)
    return Surroundings(
        key,
        time.time(),
        EngineRecord(about.kind, version, about.native_platform, buildx),
        BuilderRecord(found.name, found.driver, nodes),
    )


def _key(about: Engine, builder: str) -> str:
    """What the answer depends on: the programs, the host, and buildx's notes."""
    around = process.merged(about.environment)
    notes = probing.notes(about)
    files = Path(about.docker), notes / "instances" / (builder.lower() or "-")
    # buildx writes this one anew, often with the same content.
    marks = [_content(notes / "current"), *(_mark(path) for path in files)]
    names = ("DOCKER_HOST", "DOCKER_CONTEXT", endpoint.BUILDER)
    return json.dumps([about.host, builder, marks, [around.get(name, "") for name in names]])


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:4096]
    except OSError:
        return ""


def _mark(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{path} {status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _kept(root: Path) -> Surroundings | None:
    """What was found before; None where that is not there, or damaged."""
    try:
        document = untrusted.parse((root / FILE).read_bytes(), "it")
        return decoding.decode(Surroundings, document, "it")
    except (OSError, Malformed):
        return None
