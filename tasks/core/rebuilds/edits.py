"""Changes as a day's work brings them, made in a copy: of a source file, of a dependency.

They fit repositories that nobody prepared: a remark fits every language, and what is a lock file is
known by its name. Every change is a new one (``mark`` differs from run to run), so that no cache
has the answer.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.core import untrusted
from tasks.core.errors import UsageError
from tasks.core.render import output
from tasks.core.untrusted import Malformed

#: How a remark is written, by the ending of a file's name.
_SLASHES = (
    "ts",
    "tsx",
    "js",
    "jsx",
    "mjs",
    "cjs",
    "go",
    "java",
    "kt",
    "rs",
    "c",
    "cc",
    "cpp",
    "cs",
)
_MORE = ("h", "hpp", "php", "scala", "swift", "dart", "groovy", "proto")
_HASHES = ("py", "rb", "sh", "pl", "ex", "exs", "r", "nim")
REMARKS = {
    **dict.fromkeys((*_SLASHES, *_MORE), "// {}"),
    **dict.fromkeys(_HASHES, "# {}"),
    **dict.fromkeys(("html", "vue", "svelte", "md"), "<!-- {} -->"),
    **dict.fromkeys(("css", "scss"), "/* {} */"),
    **dict.fromkeys(("hs", "lua", "sql", "elm"), "-- {}"),
    **dict.fromkeys(("clj", "lisp", "asm"), "; {}"),
}
#: What names dependencies, the most telling first, and how a remark is written there.
LOCKS = {
    "package.json": "",
    "requirements.txt": "# {}",
    "poetry.lock": "# {}",
    "uv.lock": "# {}",
    "Pipfile": "# {}",
    "pyproject.toml": "# {}",
    "go.mod": "// {}",
    "Cargo.lock": "# {}",
    "Cargo.toml": "# {}",
    "Gemfile": "# {}",
    "build.gradle": "// {}",
    "build.gradle.kts": "// {}",
    "pom.xml": "<!-- {} -->",
    "mix.exs": "# {}",
}
NPM, NPM_LOCK = "package.json", "package-lock.json"
#: Small packages that need no other: name, version, integrity.
PACKAGES = (
    (
        "escape-html",
        "1.0.3",
        "sha512-NiSupZ4OeuGwr68lGIeym/ksIZMJodUGOSCZ/FSnTxcrekbvqrgdUxlJOMpijaKZVjAJrWrGs/6Jy8OMuyj9ow==",
    ),
    (
        "ee-first",
        "1.1.1",
        "sha512-WMwm9LhRUo+WUaRN+vRuETqG89IgZphVSNkdFgeb6sS/E4OrDIN7t48CAewSHXc6C8lefD8KKfr5vY61brQlow==",
    ),
    (
        "inherits",
        "2.0.4",
        "sha512-k/vGaX4/Yla3WzyMCvTQOXYeIHvqOKtnqBduzTHpzpQZzAskKMhZ2K+EnBiSM9zGSoIFeMpXKxa4dYeZIQqewQ==",
    ),
    (
        "xtend",
        "4.0.2",
        "sha512-LKYU1iAXJXUgAXn9URjiu+MWhyUXHsvfp7mcuYm9dSUKK0/CjtrUwFAxD82/mCWbtLsGjFIad0wIsod4zrTAEQ==",
    ),
    (
        "vary",
        "1.1.2",
        "sha512-BNGbWLfd0eUPabhkXUVm0j8uuvREyTh5ovRa/dyow/BqAbZJyC+5fU+IzQOzmAKzYqYRAISoRhdQr3eIZ/PXqg==",
    ),
    (
        "unpipe",
        "1.0.0",
        "sha512-pjy2bYhSsufwWlKwPc+l3cN7+wuJlK6uz0YdJEOlQDbl6jo/YlPi4mb8agUkVC8BF7V8NuzeyPNqRksA3hztKQ==",
    ),
)
_SKIPPED = {"node_modules", "dist", "build", "target", "vendor", "coverage", "__pycache__"}
_TESTING = re.compile(r"(^|[._-])(tests?|spec|mocks?|fixtures?|stories)([._-]|$)|^__tests__$")
_CONFIGURING = re.compile(r"\.config\.|\.d\.ts$|^setup\.py$|^conftest\.py$")
_SOURCES = ("src", "app", "lib", "cmd", "internal", "server")
_MAINS = ("app", "main", "index", "server", "cli")
#: More files than that are not looked at: a default is found early or not at all.
_MOST_FILES = 20_000


def find_source(context: Path) -> Path | None:
    """A file of the sources below ``context``, relative to it: close to the top, no test of them.

    None where nothing is known as a source.
    """
    found = [path for path in _below(context) if path.suffix.lstrip(".") in REMARKS]
    plain = [path for path in found if not _is_aside(path) and path.suffix != ".md"]
    return min(plain, key=_promise, default=None)


def find_dependencies(context: Path) -> Path | None:
    """The file below ``context`` that names the dependencies, relative to it; None without any."""
    here = [Path(name) for name in LOCKS if (context / name).is_file()]
    if here:
        return here[0]
    deeper = [path for path in _below(context) if path.name in LOCKS and len(path.parts) == 2]
    return min(deeper, key=lambda path: (list(LOCKS).index(path.name), path), default=None)


def change_source(path: Path, text: str, mark: str) -> None:
    """Change one line of a source file: its ``text`` (which is there once), or a remark at the end.

    Raises UsageError for a file that cannot be changed so.
    """
    content = _content(path)
    if not text:
        remark = REMARKS.get(path.suffix.lstrip("."))
        if remark is None:
            known = "say what to change by source_text in the policy"
            raise UsageError(f"{path.name}: how a remark is written there is not known; {known}")
        output.write(path, _remarked(content, remark, mark))
        return
    changed = re.compile(re.escape(text) + r"( \(slipway [^)]*\))?")
    if len(changed.findall(content)) != 1:
        times = len(changed.findall(content))
        raise UsageError(f"{path.name} has {text!r} {times} times, not once: mend source_text")
    output.write(path, changed.sub(lambda _: f"{text} (slipway {mark})", content))


def change_dependencies(path: Path, run: int, mark: str) -> None:
    """Change what a file says of dependencies, so that installing them has to run again.

    In ``package.json`` a small package comes or goes, with its lock entry; elsewhere it is a
    remark: what is downloaded stays the same.
    """
    if path.name == NPM:
        change_npm(path.parent, run, mark)
        return
    remark = LOCKS.get(path.name) or REMARKS.get(path.suffix.lstrip("."), "# {}")
    output.write(path, _remarked(_content(path), remark, mark))


def change_npm(folder: Path, run: int, mark: str) -> None:
    """Add a development dependency with its lock entry, or take it away if we had added it.

    The description changes too: no build before this one had the same package.json.
    """
    manifest = _document(folder / NPM)
    lock = _document(folder / NPM_LOCK) if (folder / NPM_LOCK).is_file() else {}
    described = str(manifest.get("description", "")).partition(" (")[0]
    manifest["description"] = f"{described} ({mark} {run})"
    entries = lock.get("packages")
    if isinstance(entries, dict) and isinstance(entries.get(""), dict):
        _toggle(manifest, entries, PACKAGES[run % len(PACKAGES)])
        _put(folder / NPM_LOCK, lock)
    _put(folder / NPM, manifest)


def replace_once(path: Path, old: str, new: str, mend: str) -> None:
    """Replace a text that is there exactly once; ``mend`` says where to look if it is not."""
    text = _content(path)
    if text.count(old) != 1:
        times = text.count(old)
        raise UsageError(f"{path.name} has {old!r} {times} times, not once: mend {mend}")
    output.write(path, text.replace(old, new))


def _toggle(
    manifest: dict[str, Any], entries: dict[str, Any], package: tuple[str, str, str]
) -> None:
    name, version, integrity = package
    key = f"node_modules/{name}"
    ours = manifest.get("devDependencies", {}).get(name) == version
    if key in entries and not ours:
        return  # the repository has it itself: the description alone changes
    for each in (manifest, entries[""]):
        wanted = each.setdefault("devDependencies", {})
        wanted.pop(name, None) if ours else wanted.update({name: version})
    if ours:
        entries.pop(key, None)
    else:
        entries[key] = {"version": version, "integrity": integrity, "dev": True}


def _document(path: Path) -> dict[str, Any]:
    try:
        return dict(untrusted.mapping(untrusted.parse(path.read_bytes(), path.name), path.name))
    except Malformed as problem:
        raise UsageError(str(problem)) from None


def _put(path: Path, document: dict[str, Any]) -> None:
    output.write(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path.name}: no such file in the copy; is it committed?") from None
    except ValueError:
        raise UsageError(f"{path.name} is no text") from None


def _remarked(content: str, remark: str, mark: str) -> str:
    """One line more, that takes the place of our last one."""
    lines = [line for line in content.splitlines() if "slipway: changed " not in line]
    return "\n".join([*lines, remark.format(f"slipway: changed {mark}")]) + "\n"


def _below(folder: Path) -> Iterator[Path]:
    """Files below ``folder``, relative to it, without what is generated or hidden."""
    count = 0
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if n not in _SKIPPED and not n.startswith("."))
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES:
                return
            if not name.startswith("."):
                yield Path(at, name).relative_to(folder)


def _is_aside(path: Path) -> bool:
    """Whether a file is of tests, or configures a tool."""
    return any(map(_TESTING.search, path.parts)) or bool(_CONFIGURING.search(path.name))


def _promise(path: Path) -> tuple[bool, bool, bool, int, str]:
    """The smaller, the likelier it is at the heart of a service."""
    markup = path.suffix in (".html", ".css", ".scss", ".sh", ".sql")
    inner = path.parts[0] not in _SOURCES
    return markup, path.stem.lower() not in _MAINS, inner, len(path.parts), path.as_posix()
