"""The proofs of this family: one for each kind of test in a structure test's file."""

from __future__ import annotations

from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity

_REASON = "Somebody wrote the test for this image."
_LAYERS = "Read from the layers as a container sees them, for every platform; nothing is started."
COMMAND = Proof(
    "structure.command",
    "A command ends and says as the test demands",
    Severity.HIGH,
    _REASON,
    "Run on every platform in a container of its own, without the image's entrypoint, as the "
    "image's user, with limits on time, memory and output; setup commands are committed before.",
)
FILE_EXISTENCE = Proof(
    "structure.file-existence",
    "A path is there, or not, as the test demands",
    Severity.HIGH,
    _REASON,
    f"{_LAYERS} With what the engine itself puts into a container, as /etc/hosts.",
)
FILE_CONTENT = Proof(
    "structure.file-content",
    "A file's content is as the test demands",
    Severity.HIGH,
    _REASON,
    f"{_LAYERS} Links are followed; expressions are Go's (RE2).",
)
METADATA = Proof(
    "structure.metadata",
    "The image's config says what the test demands",
    Severity.HIGH,
    _REASON,
    "Read from the config of every platform.",
)
LICENSE = Proof(
    "structure.license",
    "No licence file names AGPL or WTFPL",
    Severity.HIGH,
    "Both put demands on what is shipped with them.",
    f"{_LAYERS} The copyright files of Debian's packages, and those that the test names.",
)
PROOFS = (COMMAND, FILE_EXISTENCE, FILE_CONTENT, METADATA, LICENSE)
