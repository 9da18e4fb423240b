"""Every proof there is, in the order in which tables show them."""

from __future__ import annotations

from tasks.core import structure
from tasks.core.proofs import (
    budget,
    filesystem,
    identity,
    passing,
    platforms,
    runtime,
    secrets,
    supply_chain,
    users,
)
from tasks.core.proofs.catalogue import Proof
from tasks.core.scanning import findings
from tasks.core.shipping import reproducing
from tasks.core.verifying import accepting

#: Families in the order of what is asked first: does it run, is it safe, is it ours, is it small?
FAMILIES = (
    *("runtime", "identity", "platforms", "filesystem", "secrets", "supply-chain", "budget"),
    *("structure", "tests", "policy"),
)
_EVERY: tuple[Proof, ...] = (
    *runtime.PROOFS,
    *users.PROOFS,
    *identity.PROOFS,
    *platforms.PROOFS,
    *filesystem.PROOFS,
    *secrets.PROOFS.values(),
    *supply_chain.PROOFS,
    *budget.PROOFS,
    *structure.PROOFS,
    reproducing.PROOF,
    *passing.PROOFS,
    *accepting.PROOFS,
)
CATALOGUE = tuple(sorted(_EVERY, key=lambda proof: FAMILIES.index(proof.family)))
#: What a policy may name. Scans are no proofs, but their findings are accepted in the same way.
IDS: tuple[str, ...] = (*(proof.id for proof in CATALOGUE), *findings.IDS.values())
