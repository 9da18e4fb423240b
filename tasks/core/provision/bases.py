"""Base images: whether they can be had, and look-alikes for those that cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.core.endpoint import Engine
from tasks.core.errors import OutOfReach
from tasks.core.provision import apt, embedded, machine, nodejs, reach, recipes, references
from tasks.core.provision import home as homes
from tasks.core.provision import registry as registries
from tasks.core.provision.recipes import Recipe
from tasks.core.provision.references import Reference
from tasks.core.provision.registry import Stored

Status = Literal["registry", "engine", "look-alike", "can be made", "out of reach"]


@dataclass(frozen=True)
class BaseNeed:
    """A base image that something builds on; no platform means the engine's own."""

    reference: str
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class BaseState:
    """Whether a base image can be had.

    ``status``: a ``registry`` has it, the ``engine`` holds it already, a ``look-alike`` is in
    place, one ``can be made``, or it is ``out of reach`` for the ``reason`` given. ``missing`` are
    the platforms that are still to be made.
    """

    reference: str
    platforms: tuple[str, ...]
    status: Status
    digest: str = ""
    missing: tuple[str, ...] = ()
    reason: str = ""


def base_states(engine: Engine, needs: Sequence[BaseNeed]) -> tuple[BaseState, ...]:
    """How each needed base image stands. Changes nothing."""
    location = _registry(engine)
    return tuple(_state(engine, location, need) for need in needs)


def ensure_bases(
    engine: Engine, needs: Sequence[BaseNeed], say: Callable[[str], None]
) -> Mapping[str, str]:
    """Have every base image at hand, look-alikes made where the registries are out of reach.

    Returns named contexts, ``{reference: "docker-image://…"}``, for look-alikes that the engine
    would not find by the reference itself. Raises OutOfReach for what nobody can serve.
    """
    states = base_states(engine, needs)
    if any(state.status == "out of reach" for state in states):
        # The answer may be some minutes old, and the network mended since.
        reach.forget()
        states = base_states(engine, needs)
    _refuse(states)
    if any(state.status == "can be made" for state in states):
        location = _writable_registry(engine)
        with homes.locked(homes.current(), "bases"):
            # Another run may have made them while this one waited.
            states = tuple(_state(engine, location, need) for need in needs)
            _refuse(states)
            _make(engine, location, states, say)
        states = tuple(_state(engine, location, need) for need in needs)
    return _contexts(engine, states)


def look_alike(engine: Engine, reference: str, digest: str = "") -> tuple[str, Stored] | None:
    """Where the look-alike of ``reference`` is, and what it is; None where none was made here.

    With a ``digest`` that very one, which may have lost its tag to a later one.
    """
    parsed, location = references.parse(reference), _registry(engine)
    if location is None or recipes.match(parsed) is None:
        return None
    found = registries.stored(location, parsed.repository, digest or parsed.tag)
    return None if found is None else (f"{location}/{parsed.repository}:{parsed.tag}", found)


def reconsider(
    engine: Engine, needs: Sequence[BaseNeed], say: Callable[[str], None]
) -> Mapping[str, str]:
    """The same, with the registries asked anew: somebody may just have mended the network."""
    reach.forget()
    return ensure_bases(engine, needs, say)


def look_alikes(
    engine: Engine,
    needs: Sequence[BaseNeed],
    say: Callable[[str], None],
    *,
    again: bool = False,
) -> Mapping[str, str]:
    """Look-alikes of all ``needs`` that have a recipe, wherever their originals may be.

    ``again`` makes those anew that are there. Returns reference -> the look-alike's own reference.
    Raises OutOfReach when none of the needs has a recipe, or this machine can make none.
    """
    known = [need for need in needs if recipes.match(references.parse(need.reference))]
    if not known:
        raise OutOfReach("there is no look-alike for any of these base images, see: inv bases.list")
    location = _writable_registry(engine)
    with homes.locked(homes.current(), "bases"):
        states = [_wanted(engine, location, need, again=again) for need in known]
        _make(engine, location, states, say)
    parsed = [references.parse(need.reference) for need in known]
    return {one.text: f"{location}/{one.repository}:{one.tag}" for one in parsed}


def _wanted(engine: Engine, location: str, need: BaseNeed, *, again: bool) -> BaseState:
    """What is to be made of ``need``, whatever a registry may have."""
    reference, platforms = references.parse(need.reference), _platforms(engine, need)
    stored = None if again else registries.stored(location, reference.repository, reference.tag)
    if stored is None:
        return _by_recipe(engine, need.reference, platforms)
    return _look_alike(need.reference, platforms, stored)


def _state(engine: Engine, location: str | None, need: BaseNeed) -> BaseState:
    """The embedded engine prefers look-alikes, as its mirror comes first; others the registries."""
    reference = references.parse(need.reference)
    platforms = _platforms(engine, need)
    recipe = recipes.match(reference)
    stored = None
    if location and recipe:
        stored = registries.stored(location, reference.repository, reference.tag)
    if stored is not None and engine.kind == "embedded":
        return _look_alike(need.reference, platforms, stored)
    answer = reach.ask(engine, reference)
    if answer.can_be_had:
        return _from_registry(need.reference, platforms, answer)
    if all(reach.in_engine(engine, reference, platform) for platform in platforms):
        return BaseState(need.reference, platforms, "engine")
    if stored is not None:
        return _look_alike(need.reference, platforms, stored)
    if recipe is None or answer.is_refused:
        return BaseState(need.reference, platforms, "out of reach", reason=answer.reason)
    return _by_recipe(engine, need.reference, platforms)


def _from_registry(reference: str, platforms: tuple[str, ...], answer: reach.Answer) -> BaseState:
    lacking = tuple(name for name in platforms if name not in answer.platforms)
    if lacking:
        reason = f"its registry has no {', '.join(lacking)}"
        return BaseState(reference, platforms, "out of reach", answer.digest, reason=reason)
    return BaseState(reference, platforms, "registry", answer.digest)


def _look_alike(reference: str, platforms: tuple[str, ...], stored: Stored) -> BaseState:
    missing = tuple(name for name in platforms if name not in stored.platforms)
    status: Status = "can be made" if missing else "look-alike"
    return BaseState(reference, platforms, status, stored.digest, missing)


def _by_recipe(engine: Engine, reference: str, platforms: tuple[str, ...]) -> BaseState:
    """Look-alikes need this very machine: Debian or Ubuntu, root, and the engine on it."""
    reason = machine.unsuitable()
    if reason is None and not engine.host.startswith("unix://"):
        reason = "the engine runs on another machine"
    unknown = [name for name in platforms if name not in apt.ARCHITECTURES]
    if reason is None and unknown:
        reason = f"there is no look-alike for {', '.join(unknown)}"
    if reason:
        return BaseState(reference, platforms, "out of reach", reason=reason)
    return BaseState(reference, platforms, "can be made", missing=platforms)


def _refuse(states: Sequence[BaseState]) -> None:
    for state in states:
        if state.status == "out of reach":
            raise OutOfReach(
                f"the base image {state.reference} cannot be had: "
                f"{state.reason or 'no registry in reach has it'}; set another image for it (such "
                "as NODE_IMAGE), or make its registry reachable (mirror, docker login)"
            )


def _make(
    engine: Engine,
    location: str,
    states: Sequence[BaseState],
    say: Callable[[str], None],
) -> None:
    from tasks.core.provision import make  # late: hardly any run has something to make

    jobs: list[make.Job] = []
    for state in states:
        reference = references.parse(state.reference)
        recipe = recipes.match(reference)
        missing = state.missing or state.platforms
        if state.status == "can be made" and recipe is not None:
            say(_notice(reference, recipe, missing))
            jobs += [make.Job(reference, recipe, platform) for platform in missing]
    if jobs:
        make.make(engine, location, jobs)


def _notice(reference: Reference, recipe: Recipe, platforms: Sequence[str]) -> str:
    node = ", ".join(dict.fromkeys(f"Node.js {nodejs.version(name)}" for name in platforms))
    with_node = f" with {node}" if recipe.has_node else ""
    return (
        f"slipway: no registry has {reference.text} in reach: making a look-alike{with_node} "
        f"for {', '.join(platforms)} …"
    )


def _contexts(engine: Engine, states: Sequence[BaseState]) -> dict[str, str]:
    """Look-alikes by digest, even where the mirror would serve them by name.

    BuildKit asks the engine's own images before any mirror, and one that was pulled there earlier
    may lack a platform; a builder beside the engine asks no mirror at all.
    """
    location = _registry(engine)
    found: dict[str, str] = {}
    for state in states:
        reference = references.parse(state.reference)
        if state.status == "look-alike":
            image = f"{location}/{reference.repository}:{reference.tag}@{state.digest}"
            found[reference.context_name] = f"docker-image://{image}"
    return found


def _platforms(engine: Engine, need: BaseNeed) -> tuple[str, ...]:
    return need.platforms or (engine.native_platform,)


def _registry(engine: Engine) -> str | None:
    """The loopback registry if it runs, beside the embedded engine or a system engine."""
    return engine.registry or registries.address(homes.current())


def _writable_registry(engine: Engine) -> str:
    return engine.registry or embedded.registry_up()
