"""A scanner's image, run on the files of a folder: without a network, without rights, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core import daemon, process
from tasks.core.containers import sandbox
from tasks.core.errors import OutOfReach
from tasks.core.scanning import images, scanner, tools
from tasks.core.scanning.tools import Found
from tasks.core.session import Session

if TYPE_CHECKING:
    from docker import DockerClient

#: Where the folder lies in the container; the program starts in it.
PLACE = "/slipway"
PIDS = 512
#: Everything it prints is its result: a log that is rotated would lose the beginning.
_LOG = {"type": "json-file", "config": {"max-size": "1g"}}


@dataclass(frozen=True)
class Said:
    """What a program said in the end: exit code and both of its streams."""

    code: int
    stdout: str
    stderr: str

    @property
    def reason(self) -> str:
        """The last lines of it, joined to one."""
        done = process.Completed((), self.code, self.stdout, self.stderr, 0.0)
        return done.reason()


def run(
    session: Session,
    tool: Found,
    folder: Path,
    words: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Said:
    """Run ``tool`` with the arguments ``words`` where the files of ``folder`` are.

    An image without an entrypoint runs the program by its name. Raises OutOfReach for an image
    that cannot be had, and for a program that is not done within ``seconds``.
    """
    from requests.exceptions import RequestException

    with images.connected(session) as client:
        images.ensure(session, client, tool.image, tools.mend(tool.tool))
        options = _options(client, tool, words, environment or {})
        with (
            sandbox.run(client, session.settings.project) as current,
            current.container(tool.tool.name, tool.image, options) as container,
        ):
            scanner.put(container, "/", folder, PLACE[1:])
            container.start()
            try:
                code = int(container.wait(timeout=seconds)["StatusCode"])
            except RequestException:
                raise OutOfReach(f"{tool.image}: not done within {seconds:g} s") from None
            streams = [
                container.logs(stdout=out, stderr=not out).decode(errors="replace")
                for out in (True, False)
            ]
    return Said(code, *streams)


def _options(
    client: DockerClient, tool: Found, words: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Any]:
    told = daemon.inspected(client, tool.image) or {}
    entrypoint = (told.get("Config") or {}).get("Entrypoint") or [tool.tool.name]
    return {
        "entrypoint": entrypoint,
        "command": list(words),
        "working_dir": PLACE,
        "environment": {"TMPDIR": PLACE, **environment},
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": PIDS,
        "log_config": _LOG,
    }
