"""How the commands of the documentation are run by a test: what is filled in, what cannot run."""

from __future__ import annotations

from tests import markdown
from tests.markdown import Command

#: Names of its own: the commands clean all of their project, and other files build meanwhile.
PROJECT, PREFIX = "slipway-docs", "slipway.docs"

#: By their exact text: commands that a machine cannot run for a test, and why.
CANNOT = {
    "./inv test": "it is what runs this test",
    "./inv test --unit": "it runs before this test, in every lane that has it",
    "./inv test --long": "it is what runs this test",
    "./inv test --all": "it is what runs this test",
    "./inv builder.create --node ssh://build@arm-machine=linux/arm64,linux/arm/v7 "
    "--node my-context=linux/amd64": "there is no other machine; test_two_nodes.py joins engines",
    "./inv builder.use devops": "the builder would have to be made by the line above it",
    "gh attestation verify oci://registry.example/team/devops-backend:1.2.3-multiarch "
    "--repo team/repository": "what GitHub signed can be asked of GitHub only",
    "./inv build.targets backend-production --set SCAN_GATE=on": "no registry here has the "
    "scanner's image; test_scanning.py runs the gate with one of its own",
    "trivy image --download-db-only --cache-dir trivy-cache": "no registry here has a database",
    "trivy image --download-java-db-only --cache-dir trivy-cache": "the same",
    "./inv build.multiarch --push --set PROVENANCE=max --set SBOM=on": "no registry here has the "
    "generator's image; test_scans.py has one of its own",
    "./inv build.multistage --set SCAN_GATE=on": "no registry here has the scanner; "
    "test_scanning.py builds with the gate on",
    "./inv bases.pin": "look-alikes are not pinned; test_pins.py pins what a registry has",
    "./inv bases.outdated --exit-code": "it needs a lock; test_pins.py has one",
    "pip-compile --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links "
    "requirements-dev.in": "it may find newer versions any day; the locked ones are what is tested",
}

#: By their exact text: commands that take minutes, or need emulation or fixed ports; and those of
#: the target branch, which test_workflows.py runs too.
LONG = {
    "git worktree add --detach target-branch HEAD",
    "(cd target-branch && ./inv build.multistage --target '*-production')",
    "(cd target-branch && ./inv compare.baseline --update --target '*-production')",
    "./inv compare.baseline --target '*-production' --against target-branch/sizes.lock.json "
    "--output sizes.md",
    "./inv scan.all",
    "./inv scan.all --allow-missing vulnerabilities --output scans.sarif --output scans.json",
    "./inv build.multiarch",
    "./inv build.multiarch --platform linux/arm64 --target backend-multiarch",
    "./inv build.multiarch --push --set REGISTRY=registry.example/team",
    "./inv build.multiarch --push --set REGISTRY=registry.example/team --format json "
    "--output release.json",
    "./inv verify.multiarch registry.example/team/devops-backend:multiarch",
    "./inv verify.multiarch REF",
    "./inv report.attestations registry.example/team/devops-backend:multiarch",
    "./inv verify.reproducible",
    "./inv verify.secrets",
    "./inv build.optimized --npmrc ./ci.npmrc --set CACHE=registry "
    "--set REGISTRY=registry.example/team",
    "./inv compare.builds --runs 5",
    "./inv compare.builds --runs 5 && ./inv compare.variants",
    "./inv build.multistage && ./inv build.multiarch && ./inv build.optimized",
    "./inv compare.builds --runs 5 && ./inv verify.production && ./inv compare.variants --update",
    "docker compose up",
    "docker compose -f compose.yaml --profile production up",
    "./inv build.multistage && .venv/bin/python -m bench.verifying --update-docs",
    ".venv/bin/python -m bench.builds --update-docs",
    ".venv/bin/pip install --require-hashes -r requirements-dev.txt && "
    ".venv/bin/python -m bench.layers --update-docs",
    ".venv/bin/pip install --require-hashes -r requirements-bench.txt",
    ".venv/bin/python -m bench.peers --update-docs",
}

#: What ends otherwise than with 0 here, rightly.
EXITS = {"./inv compare.images A B --exit-code": 1}

#: Placeholders, and what is measured less often than a page should be made with. `{registry}` and
#: `{prefix}` are filled in.
FILLED = (
    ("registry.example/team", "{registry}/{prefix}"),
    ("verify.multiarch REF", "verify.multiarch {registry}/{prefix}/devops-backend:multiarch"),
    ("compare.images A B", "compare.images backend-production backend-optimized"),
    ("--image REF", "--image {prefix}/devops-frontend:latest"),
    ("--since origin/main", "--since HEAD"),
    ("postgres:17", "{prefix}/devops-frontend:latest"),
    ("compare.images devops-backend:latest", "compare.images {prefix}/devops-backend:latest"),
    (" devops-backend:optimized", " {prefix}/devops-backend:optimized"),
    ("-i devops-backend:latest", "-i {prefix}/devops-backend:latest"),
    (".venv/bin/pip ", ".venv/bin/python -m pip "),
    ("--runs 5", "--runs 1 --scenario warm"),
    ("bench.verifying", "bench.verifying --runs 1"),
    ("bench.layers", "bench.layers --runs 1"),
    ("bench.builds", "bench.builds --runs 1 --only source --services backend"),
    (" up", " up --detach --wait --wait-timeout 120 && docker compose --profile '*' down -v"),
)

#: Run after all others: they take away what the others need.
LAST = ("./inv clean.containers --yes", "./inv clean.images --yes")


def every() -> list[Command]:
    """Each command of the documentation once, in the order in which it is run."""
    once: dict[str, Command] = {}
    for page in markdown.every():
        for command in page.commands:
            once.setdefault(command.words, command)
    found = [command for words, command in once.items() if words not in CANNOT]
    return sorted(found, key=lambda command: command.words in LAST)


def filled(words: str, registry: str) -> str:
    """``words`` with something for each placeholder."""
    for text, instead in FILLED:
        if text == " up" and "compose" not in words:
            continue
        words = words.replace(text, instead.format(registry=registry, prefix=PREFIX))
    return words
