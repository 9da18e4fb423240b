"""Where trivy's database is: a folder that was loaded before, or trivy's own cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tasks.core.errors import OutOfReach
from tasks.core.session import Session

#: The folders of trivy's cache, and the files that have to be in them to be of use.
VULNERABILITIES, JAVA = "db", "java-db"
FILES = {
    VULNERABILITIES: ("trivy.db", "metadata.json"),
    JAVA: ("trivy-java.db", "metadata.json"),
}
MEND = (
    "set TRIVY_DB to a folder with trivy.db and metadata.json, TRIVY_DB_REPOSITORY to a mirror "
    "that can be reached, or TRIVY_OFFLINE=false"
)
JAVA_MEND = (
    "there are Java archives in it, which trivy knows by a database of their own: put it beside "
    f"the other one, in a folder {JAVA} of TRIVY_DB, or set TRIVY_JAVA_DB_REPOSITORY"
)


def loaded(session: Session) -> Mapping[str, Path]:
    """The folders with databases that TRIVY_DB names, by their names in trivy's cache.

    It may be a cache of trivy's, or the folder of the one database that is always needed. Nothing
    where TRIVY_DB names nothing. Raises OutOfReach where the files are not there: a scan without
    them would find nothing.
    """
    named = session.settings["TRIVY_DB"]
    if not named:
        return {}
    folder = Path(named)
    places = [{name: folder / name for name in FILES}, {VULNERABILITIES: folder}]
    for place in places:
        if _complete(place[VULNERABILITIES], VULNERABILITIES):
            return {name: path for name, path in place.items() if _complete(path, name)}
    files = " and ".join(FILES[VULNERABILITIES])
    raise OutOfReach(f"TRIVY_DB: {named} does not hold {files}, nor does its folder db")


def of_program() -> Path:
    """The cache folder of a trivy that is run on this machine, as it would choose it itself."""
    told = os.environ.get("TRIVY_CACHE_DIR")
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(told) if told else (Path(cache) if cache else Path.home() / ".cache") / "trivy"


def demand(folder: Path) -> None:
    """Raise OutOfReach unless the cache ``folder`` has a database."""
    if not _complete(folder / VULNERABILITIES, VULNERABILITIES):
        raise OutOfReach(f"there is no vulnerability database in {folder}: {MEND}")


def _complete(folder: Path, name: str) -> bool:
    return all((folder / each).is_file() for each in FILES[name])
