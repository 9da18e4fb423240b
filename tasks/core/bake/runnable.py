"""Whether programs of a platform run here: for what is built, and for what is proven."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks.core.bake import needs, stages
from tasks.core.bake.definitions import Target
from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.machines import builders
from tasks.core.provision import emulation
from tasks.core.secrecy import masking
from tasks.core.session import Session


def ensure(engine: Engine, wanted: Sequence[str]) -> None:
    """Have the engine run programs of every platform ``wanted``.

    An engine of the machine's own may have its emulation elsewhere, as Docker Desktop: it is
    asked. Raises OutOfReach naming the platform that cannot be run, and the mend.
    """
    foreign = [name for name in wanted if name != engine.native_platform]
    if foreign and engine.kind == "system":
        offered = offers(engine, builders.own(engine))
        foreign = [name for name in foreign if name not in offered]
        if foreign and not engine.host.startswith("unix://"):
            # What this machine can emulate says nothing about the engine's.
            raise OutOfReach(
                f"{', '.join(foreign)} cannot be run by the engine at {masking.hide(engine.host)}: "
                "install qemu-user-static and binfmt-support there, or leave the platform out"
            )
    if foreign:
        emulation.ensure_emulation(foreign)


def offers(engine: Engine, builder: str) -> tuple[str, ...]:
    """The platforms that the nodes of a builder say they run."""
    nodes = builders.inspect(engine, builder).nodes
    return tuple(dict.fromkeys(name for node in nodes for name in node.platforms))


def needed(targets: Iterable[Target], otherwise: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """By target, the platforms whose programs run while it is built.

    ``otherwise`` are for targets that name none. A Dockerfile that only copies into the target's
    platform, and runs its programs on the builder's own, needs none.
    """
    found = {}
    for target in targets:
        text = needs.text_of(target)
        if text is not None and stages.runs_on_target(text, target.args, target.stage):
            found[target.name] = target.platforms or otherwise
    return found


def available(engine: Engine, builder: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """The platforms that can be run by the builder, emulation brought up for those of ``wanted``.

    With a builder of somebody's own, what its nodes say; with the engine's, what it does and what
    this machine can emulate for it. A node that is down, or starts with the build, has not told
    its platforms: nothing is ruled out then, and `builders.require` names the one that is down.
    """
    if builder:
        nodes = builders.inspect(engine, builder).nodes
        untold = wanted if any(node.reason for node in nodes) else ()
        offered = (name for node in nodes for name in node.platforms)
        return tuple(dict.fromkeys((*offered, *untold)))
    can = [engine.native_platform]
    for platform in wanted:
        try:
            ensure(engine, [platform])
        except OutOfReach:
            continue  # preflight names it, with all the other problems
        can.append(platform)
    return tuple(dict.fromkeys(can))


def for_build(
    session: Session, targets: Iterable[Target], otherwise: tuple[str, ...]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...] | None]:
    """``needed``, and what is ``available`` of it; None where nothing foreign is to be run."""
    demanded = needed(targets, otherwise)
    wanted = [name for each in demanded.values() for name in each]
    if session.dry or set(wanted) <= {session.engine.native_platform}:
        return demanded, None
    builder = session.settings["BUILDER"]
    return demanded, available(session.engine, builder, tuple(dict.fromkeys(wanted)))
