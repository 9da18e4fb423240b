"""Write the sizes of today into the lock; what nothing happened to stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tasks.core import process, untrusted
from tasks.core.bake.definitions import Definition, Target
from tasks.core.comparing import baseline, growth, lock, measuring, weighing
from tasks.core.comparing.baseline import Checked
from tasks.core.comparing.growth import Growth
from tasks.core.comparing.lock import Entry, Lock
from tasks.core.comparing.measuring import Key
from tasks.core.render import output
from tasks.core.session import Session


def update(session: Session, patterns: Sequence[str] = ()) -> Checked:
    """Write the sizes of what ships, or of the targets ``patterns``, into the lock.

    What was not measured stays as it is; targets that are not in the bake file any more go. Only
    limits that are not about growth count: that it may grow is what is being said.
    """
    definition = measuring.checked(session)
    path = session.root / lock.NAME
    known = lock.load(path) or {}
    chosen = measuring.chosen(definition, patterns, known)
    found = measuring.measured(session, chosen)
    entries = _weighed(session, chosen, known, found)
    after = _merged(known, entries, definition)
    rows = [
        Growth(name, platform, _of(known, (name, platform)), entry, measuring.limits(session, name))
        for (name, platform), entry in sorted(entries.items())
    ]
    judged = tuple(replace(row, broken=growth.broken(row, absolute_only=True)) for row in rows)
    _write(path, lock.written(after))
    remarks = (*_remarks(known, after, entries), *baseline.lookalikes(judged))
    return Checked(lock.NAME, judged, remarks, renewed=True)


def _weighed(
    session: Session, chosen: Mapping[str, Target], known: Lock, found: Mapping[Key, Entry]
) -> dict[Key, Entry]:
    """The entry of each image; the lock's own where nothing that it tells of has changed.

    A commit gives an image another digest by its labels alone: that is no news of sizes.
    """
    entries = {
        key: before
        for key, now in found.items()
        if (before := _of(known, key)) is not None and _without_lists(before) == now
    }
    names = sorted({target for target, _ in found.keys() - entries.keys()})
    for key, read in measuring.looked_into(session, [chosen[name] for name in names]).items():
        if key in found and key not in entries:
            entry, before = weighing.weigh(read), _of(known, key)
            unchanged = before is not None and replace(before, digest=entry.digest) == entry
            entries[key] = before if before is not None and unchanged else entry
    return entries


def _without_lists(entry: Entry) -> Entry:
    empty = lock.Listed()
    return replace(entry, folders=empty, files=empty, packages=empty)


def _of(known: Lock, key: Key) -> Entry | None:
    return known.get(key[0], {}).get(key[1])


def _merged(known: Lock, entries: Mapping[Key, Entry], definition: Definition) -> Lock:
    """The lock with new entries, without targets and platforms that nobody builds any more."""
    merged: dict[str, dict[str, Entry]] = {}
    for name, platforms in known.items():
        if name in definition.targets:
            promised = definition.targets[name].platforms
            merged[name] = {n: e for n, e in platforms.items() if not promised or n in promised}
    for (name, platform), entry in entries.items():
        merged.setdefault(name, {})[platform] = entry
    return merged


def _remarks(known: Lock, after: Lock, entries: Mapping[Key, Entry]) -> Iterator[str]:
    for name, platforms in sorted(known.items()):
        for platform in sorted(platforms):
            title = f"{untrusted.shown(name, 80)} {platform}"
            if platform not in after.get(name, {}):
                yield f"{title}: not in the bake file any more, taken out of the lock."
            elif (name, platform) not in entries:
                yield f"{title}: not measured, stays as it was."


def _write(path: Path, text: str) -> None:
    content = text + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        process.note(f"{path.name} is up to date")
        return
    output.write(path, content)
    process.note(f"written: {path.name}")
