"""Proofs on an image's size: what is pulled, what is unpacked, and what of it is for nothing."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.core.images.contents import Contents
from tasks.core.images.entries import FileEntry, Kind
from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.policy import Policy
from tasks.core.proofs.verdicts import Severity, Verdict
from tasks.core.render import tables

_LAYERS = "Measured while the archive goes by, not taken from what it claims."
COMPRESSED = Proof(
    "budget.compressed",
    "What is pulled keeps to its limit",
    Severity.MEDIUM,
    "Every new machine waits for it.",
    f"The layers as they are stored, and the config. {_LAYERS}",
)
UNPACKED = Proof(
    "budget.unpacked",
    "What the layers hold keeps to its limit",
    Severity.MEDIUM,
    "It is what lies on the disk of every machine, and what an attacker may find.",
    f"The layers as tar archives. {_LAYERS}",
)
LAYERS = Proof(
    "budget.layers",
    "The number of layers keeps to its limit",
    Severity.LOW,
    "Many layers take longer to pull and to mount; the kernel mounts some 120 at most.",
    "The layers of the manifest; instructions that change no file make none.",
)
WASTED = Proof(
    "budget.wasted",
    "What later layers replaced or removed keeps to its limit",
    Severity.MEDIUM,
    "It is pulled by everybody and seen by nobody.",
    "The bytes of all files in all layers without those of the files that a container sees; "
    "files with several names count once.",
)
PROOFS = (COMPRESSED, UNPACKED, LAYERS, WASTED)
NO_LIMIT = "the policy sets no limit"


def prove(target: str, contents: Contents, policy: Policy) -> tuple[Verdict, ...]:
    """The verdicts on one platform."""
    layers = len(contents.layers)
    return (
        _compressed(target, contents, policy),
        _size(UNPACKED, target, contents, contents.unpacked_bytes, policy.max_unpacked_mib),
        _limited(LAYERS, target, contents, layers, policy.max_layers, str(layers)),
        _size(WASTED, target, contents, wasted_bytes(contents), policy.max_wasted_mib),
    )


def wasted_bytes(contents: Contents) -> int:
    """The bytes of files that are in the layers, and not in the file system they make."""
    stored = {
        (number, entry.path): entry.size_bytes
        for number, layer in enumerate(contents.layers)
        for entry in layer.entries
        if entry.kind is Kind.FILE
    }
    written = sum(
        entry.size_bytes
        for layer in contents.layers
        for entry in layer.entries
        if entry.kind is Kind.FILE
    )
    kept = {
        _origin(entry, stored): entry.size_bytes
        for entry in contents.files.values()
        if entry.kind is Kind.FILE
    }
    return max(0, written - sum(kept.values()))


def _origin(entry: FileEntry, stored: Mapping[tuple[int, str], int]) -> tuple[int, str]:
    """Where a file was written: for one of several names, the layer and name of the first."""
    if not entry.link:
        return entry.layer, entry.path
    layers = range(entry.layer, -1, -1)
    layer = next((each for each in layers if (each, entry.link) in stored), entry.layer)
    return layer, entry.link


def _compressed(target: str, contents: Contents, policy: Policy) -> Verdict:
    """Engines that keep layers unpacked write them so: what was pulled is not known then."""
    plain = all(layer.digest == layer.diff_id for layer in contents.layers)
    size_bytes = contents.compressed_bytes
    if size_bytes is None or (plain and contents.layers):
        reason = "no layer is compressed here: what is pulled is not known"
        return COMPRESSED.skip(target, contents.platform, reason)
    return _size(COMPRESSED, target, contents, size_bytes, policy.max_compressed_mib)


def _size(
    proof: Proof, target: str, contents: Contents, size_bytes: int, limit_mib: float | None
) -> Verdict:
    measured = str(tables.mib(size_bytes))
    return _limited(proof, target, contents, size_bytes / tables.MIB, limit_mib, measured, " MiB")


def _limited(
    proof: Proof,
    target: str,
    contents: Contents,
    value: float,
    limit: float | None,
    measured: str,
    unit: str = "",
) -> Verdict:
    """``value``, shown as ``measured``, against ``limit`` in the same ``unit``."""
    if limit is None:
        return proof.skip(target, contents.platform, NO_LIMIT, measured)
    allowed = f"{limit:g}{unit}"
    passed = value <= limit
    message = f"{measured} of {allowed}" if passed else f"{measured} is more than {allowed}"
    return proof.decide(target, contents.platform, passed, measured, allowed, message)
