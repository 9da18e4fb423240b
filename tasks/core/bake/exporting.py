"""Images on their way from BuildKit into the engine: as OCI archives, whose bits stay as they are.

Only this exporter leaves no file a date after the commit's (`rewrite-timestamp`), so that building
one commit twice from nothing gives one digest; and it works with every builder: an image of several
platforms may come from several machines, as one archive each, and is put together here.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tasks.core import process, untrusted
from tasks.core.errors import BuildFailed, OutOfReach
from tasks.core.provision.registry import platform_name
from tasks.core.untrusted import Malformed

if TYPE_CHECKING:
    from docker import DockerClient

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BLOBS = "blobs/sha256/"
LOAD_SECONDS = 1800
#: What an exporter calls the date of what it writes, in seconds since 1970; and those that know it.
DATE = "source-date-epoch"
DATED = ("docker", "image", "local", "oci", "registry", "tar")
MAX_JSON_BYTES = 4 * 2**20
#: What is said before something is tried once more, see `is_race`.
RACE = "the engine lost a layer while it unpacked the image"
_RACE = re.compile(r"failed to prepare extraction snapshot .*: parent snapshot \S+ does not exist")


@dataclass(frozen=True)
class PlatformImage:
    """The image of one platform: its manifest's digest, and the bytes that are pulled."""

    platform: str
    digest: str
    compressed_bytes: int


@dataclass(frozen=True)
class Exported:
    """The image of a target as it left BuildKit: its digest, and where the archive lies."""

    target: str
    digest: str
    archive: Path
    images: tuple[PlatformImage, ...]


def output(archive: Path, epoch: int) -> dict[str, str]:
    """The bake output that writes an image to ``archive``; no date in it is after ``epoch``."""
    return {"type": "oci", "dest": str(archive), "rewrite-timestamp": "true", DATE: str(epoch)}


def dated(given: Sequence[Any], kind: str, epoch: int) -> list[Any]:
    """The outputs that a bake file names, with a date; and the one of ``kind`` that bake would add.

    ``kind`` is "docker" to load and "image" to push. What bake adds by itself has no date. Texts,
    as buildx before 0.19 has them, are left alone.

    The date goes to the exporter. As the build argument SOURCE_DATE_EPOCH it would change every
    WORKDIR, and with each commit all that comes after one would be built again.
    """
    if not all(isinstance(one, Mapping) for one in given):
        return list(given)
    every = [*given, {"type": kind}] if _adds(given, kind) else given
    return [{DATE: str(epoch), **one} if one.get("type") in DATED else one for one in every]


def _adds(given: Sequence[Mapping[str, Any]], kind: str) -> bool:
    """Whether bake adds an output of ``kind``: where none of these says what is wanted instead."""
    if kind == "image":
        return all(one.get("type") == "docker" for one in given)
    to_elsewhere = ("docker", "image", "oci", "registry")
    loads = any(one.get("type") == "docker" and not one.get("dest") for one in given)
    return not loads and all(one.get("type") in to_elsewhere for one in given)


def collect(target: str, archives: Sequence[Path]) -> Exported:
    """The image of ``target`` from its archives: one, or one for each platform.

    Raises BuildFailed for an archive that BuildKit did not finish.
    """
    try:
        if len(archives) == 1:
            whole = archives[0]
            digest = _digest_of(whole)
        else:
            whole = archives[0].with_name(f"{target}.tar")
            digest = _join(archives, whole)
        with tarfile.open(whole, "r:") as opened:
            images = tuple(_images(opened))
    except (tarfile.TarError, OSError, Malformed, KeyError) as error:
        raise BuildFailed(f"{target}: the archive of the build is damaged: {error}") from None
    return Exported(target, digest, whole, images)


def load(client: DockerClient, exported: Exported, tags: Sequence[str]) -> bool:
    """Take an archive into the engine under ``tags``. Needs the containerd image store.

    Returns whether it had to be tried again. Raises OutOfReach with the engine's words when it
    refuses.
    """
    client.api.timeout = LOAD_SECONDS  # it says nothing while it unpacks
    problem = _refusal(client, exported.archive)
    again = is_race(problem)
    if again:
        process.note(f"{RACE}: loading {exported.target} once more …")
        problem = _refusal(client, exported.archive)
    if problem:
        raise OutOfReach(f"{exported.target}: the engine does not take the image: {problem}")
    for tag in tags:
        client.api.tag(exported.digest, *named(tag))
    return again


def is_race(said: str) -> bool:
    """Whether an engine says that it lost a layer while it unpacked an image.

    The containerd image store does that now and then, and not twice (moby/buildkit#6521).
    """
    return _RACE.search(said) is not None


def _refusal(client: DockerClient, archive: Path) -> str:
    """Why the engine does not take an archive; "" if it did."""
    with archive.open("rb") as file:
        said = list(client.api.load_image(file, quiet=True))
    lines = (line for line in said if isinstance(line, dict))
    return next((str(line["error"]) for line in lines if line.get("error")), "")


def named(tag: str) -> tuple[str, str]:
    """The repository and the tag of an image's name, which need not say `latest`."""
    name, colon, label = tag.rpartition(":")
    return (name, label) if colon and "/" not in label else (tag, "latest")


def _join(archives: Sequence[Path], destination: Path) -> str:
    """Put images of single platforms together to one; returns the digest of its index.

    The manifests keep their bytes and the order of ``archives``; attestations come along.
    """
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(tarfile.open(path, "r:")) for path in archives]
        manifests = [entry for archive in opened for entry in _manifests(archive)]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        content = json.dumps(index, separators=(",", ":")).encode()
        with tarfile.open(destination, "w") as joined:
            _copy_blobs(opened, joined)
            return _add_index(joined, content)


def _digest_of(archive: Path) -> str:
    """The digest of the one image in an archive: of its index, or of its only manifest."""
    with tarfile.open(archive, "r:") as opened:
        top = _json(opened, "index.json")
    digests = {
        untrusted.digest(entry.get("digest"), "index.json")
        for entry in _mappings(top.get("manifests"), "index.json")
    }
    if len(digests) != 1:
        raise Malformed(f"it holds {len(digests)} images where one was asked for")
    return digests.pop()


def _images(archive: tarfile.TarFile) -> Iterator[PlatformImage]:
    for entry in _manifests(archive):
        platform = platform_name(untrusted.mapping(entry.get("platform"), "platform"))
        if platform.startswith("unknown"):
            continue  # an attestation
        digest = untrusted.digest(entry.get("digest"), "a manifest")
        manifest = _json(archive, _path(digest))
        config = untrusted.mapping(manifest.get("config"), digest)
        layers = _mappings(manifest.get("layers"), digest)
        sizes = [untrusted.count(one.get("size"), digest) for one in (config, *layers)]
        yield PlatformImage(platform, digest, sum(sizes))


def _manifests(archive: tarfile.TarFile) -> Iterator[Mapping[str, Any]]:
    """The descriptors of an archive's images and attestations, each with its platform."""
    seen: set[str] = set()
    for entry in _mappings(_json(archive, "index.json").get("manifests"), "index.json"):
        digest = untrusted.digest(entry.get("digest"), "index.json")
        if digest in seen:
            continue  # listed once a tag
        seen.add(digest)
        document = _json(archive, _path(digest))
        if entry.get("mediaType") == INDEX:
            yield from _mappings(document.get("manifests"), digest)
        else:
            yield {
                "mediaType": entry.get("mediaType", MANIFEST),
                "digest": digest,
                "size": untrusted.count(entry.get("size"), "index.json"),
                "platform": _platform(archive, document),
            }


def _platform(archive: tarfile.TarFile, manifest: Mapping[str, Any]) -> dict[str, str]:
    described = untrusted.mapping(manifest.get("config"), "config of a manifest")
    config = _json(archive, _path(untrusted.digest(described.get("digest"), "config")))
    return {key: str(config[key]) for key in ("architecture", "os", "variant") if config.get(key)}


def _copy_blobs(archives: Sequence[tarfile.TarFile], joined: tarfile.TarFile) -> None:
    seen: set[str] = set()
    for archive in archives:
        for member in archive:
            if member.isfile() and member.name.startswith(BLOBS) and member.name not in seen:
                seen.add(member.name)
                joined.addfile(member, archive.extractfile(member))


def _add_index(joined: tarfile.TarFile, content: bytes) -> str:
    """Without a name: the tags are put on once it is in the engine."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    top = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{"mediaType": INDEX, "digest": digest, "size": len(content)}],
    }
    files = {
        _path(digest): content,
        "index.json": json.dumps(top).encode(),
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    }
    for path, text in files.items():
        member = tarfile.TarInfo(path)
        member.size = len(text)
        joined.addfile(member, io.BytesIO(text))
    return digest


def _json(archive: tarfile.TarFile, path: str) -> Mapping[str, Any]:
    source: IO[bytes] | None = archive.extractfile(path)
    if source is None or archive.getmember(path).size > MAX_JSON_BYTES:
        raise Malformed(f"{path} is no JSON document")
    return untrusted.mapping(untrusted.parse(source.read(), path), path)


def _mappings(value: Any, where: str) -> list[Mapping[str, Any]]:
    return [
        untrusted.mapping(one, f"an entry of {where}") for one in untrusted.sequence(value, where)
    ]


def _path(digest: str) -> str:
    return f"{BLOBS}{digest.removeprefix('sha256:')}"
