"""The proof that a service's own tests pass; `tasks.core.testing` runs them."""

from __future__ import annotations

from tasks.core.proofs.catalogue import Proof
from tasks.core.proofs.verdicts import Severity

PASS = Proof(
    "tests.pass",
    "The service's own tests pass in their image",
    Severity.HIGH,
    "What passes on a laptop may lack a file or a library in the image.",
    "The testing image is started without a network; its command runs the tests: exit 0 in time.",
)
PROOFS = (PASS,)
