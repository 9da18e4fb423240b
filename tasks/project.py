"""What spans all verbs: the pipeline, and the project's own tests."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invoke.context import Context

from tasks.core import process, session
from tasks.core.command import command


@command()
def pipeline(
    c: Context,
    set_: Sequence[str] = (),
    env_file: str | None = None,
    profile: str | None = None,
) -> None:
    """Build, test, prove and measure everything."""
    from tasks.core.shipping import pipeline as stages

    stages.run(session.begin(c, env_file, profile, set_))


@command(help={"all": "The long engine tests as well."})
def test(c: Context, unit: bool = False, long: bool = False, all_: bool = False) -> None:
    """Run lint, types, unit tests, then engine tests."""
    from tasks.core import checks
    from tasks.core import engine as engines
    from tasks.core.provision import embedded

    wanted = checks.extent(unit=unit, long=long, every=all_)
    now = session.begin(c)
    if now.dry:
        for _name, argv in checks.commands(sys.executable, wanted):
            process.would_run(argv)
        return
    checks.install(now.root)
    if wanted is checks.Extent.UNIT:
        checks.run(now.root, wanted)
        return
    was_up = engines.find(now.settings["ENGINE"]) is not None
    try:
        checks.run(now.root, wanted)
    finally:
        if not was_up:
            embedded.down()
