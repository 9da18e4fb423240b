"""Push what was proven and nothing else: by digest, again after a stumble, and read back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core import daemon, process
from tasks.core.bake import builds, exporting, targetchecks
from tasks.core.errors import OutOfReach, UsageError
from tasks.core.session import Session

if TYPE_CHECKING:
    from docker import DockerClient

#: Seconds to wait before each further try.
PAUSES = (1.0, 2.0, 4.0, 8.0)
NOTICE_SECONDS = 2.0
#: A registry that says no; asking again would change nothing.
_REFUSED = re.compile(
    r"\b(401|403)\b|unauthorized|denied|forbidden|no basic auth|authentication required", re.I
)
#: A registry, or a way to it, that may work in a moment.
_PASSING = re.compile(
    r"\b(5\d\d|408|429)\b|timeout|timed out|connection re(set|fused)|broken pipe|\beof\b|toomany"
    r"|no such host|server misbehaving|network is unreachable|deadline exceeded|failed to do reques"
    r"|tls handshake|unavailable|no route to host|closed network connection",
    re.I,
)
#: A way that will not get better by itself, though it fails like one that may.
_LASTING = re.compile(r"x509|certificate|does not look like a tls handshake|http response to", re.I)


class PushFailed(Exception):
    """What the engine said when a push did not succeed."""


def push(session: Session, target: str, digest: str, tag: str) -> None:
    """Push the image ``digest``, which is in the engine, under ``tag``, and read it back.

    Tried again with growing pauses when the network or the registry stumbles, not when it refuses.
    Raises OutOfReach when it cannot be done, or when the registry holds another digest afterwards.
    """
    with closing(daemon.connect(session.engine)) as client:
        use_logins(client, session.environment)
        process.note(f"pushing {target} as {tag} …")
        retried(partial(_push_one, client, digest, tag), tag)
        _read_back(client, digest, tag)


def check_group(session: Session, group: str, patterns: Sequence[str]) -> None:
    """Raise UsageError, before anything is built, for tags that no registry can be told from."""
    names = builds.members(session, group)
    whole = session.definition(names)
    chosen = whole.narrowed(patterns).targets
    asked = [chosen[name] for name in whole.asked(names) if name in chosen]
    problems = targetchecks.pushes(asked, session.settings["REGISTRY"])
    if problems:
        raise UsageError("\n".join(problems))


def retried(
    attempt: Callable[[], None], tag: str, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Run ``attempt`` until it succeeds, PAUSES allow no more, or trying again makes no sense."""
    for pause in (*PAUSES, None):
        try:
            return attempt()
        except PushFailed as error:
            reason = process.plain(" ".join(str(error).split()))[-300:]
        if _REFUSED.search(reason):
            raise OutOfReach(f"{tag}: the registry refuses: {reason}; run: docker login")
        if _LASTING.search(reason) or not _PASSING.search(reason):
            raise OutOfReach(f"{tag}: the push failed: {reason}")
        if pause is None:
            raise OutOfReach(f"{tag}: the push failed {len(PAUSES) + 1} times: {reason}")
        process.note(f"  {tag}: {reason}; trying again in {pause:g} s …")
        sleep(pause)
    raise AssertionError("unreachable: the last pause is None")


def progress(lines: Iterable[Mapping[str, Any]], now: Callable[[], float]) -> Iterator[str]:
    """What to tell about a push that takes time, from the engine's lines about it.

    Raises PushFailed with the engine's words.
    """
    sent: dict[str, tuple[int, int]] = {}
    last = now()
    for line in lines:
        if line.get("error"):
            raise PushFailed(str(line["error"]))
        detail = line.get("progressDetail") or {}
        if line.get("id") and detail.get("total"):
            sent[line["id"]] = (int(detail.get("current", 0)), int(detail["total"]))
        if now() - last >= NOTICE_SECONDS and sent:
            last = now()
            done, total = (sum(column) / 2**20 for column in zip(*sent.values(), strict=True))
            yield f"  {done:.0f} of {total:.0f} MiB sent"


def _push_one(client: DockerClient, digest: str, tag: str) -> None:
    from docker.errors import APIError
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    name, label = exporting.named(tag)
    try:
        # Named just before it goes out: a build that ran meanwhile may have taken the tag.
        client.api.tag(digest, name, label)
        lines = client.api.push(name, label, stream=True, decode=True)
        for notice in progress(lines, time.monotonic):
            process.note(notice)
    except APIError as error:
        raise PushFailed(str(error.explanation or error)) from None
    except (RequestException, HTTPError) as error:
        raise PushFailed(f"connection reset: {error}") from None


def _read_back(client: DockerClient, digest: str, tag: str) -> None:
    from docker.errors import APIError
    from requests.exceptions import RequestException

    found: list[str] = []

    def ask() -> None:
        try:
            found.append(client.api.inspect_distribution(tag)["Descriptor"]["digest"])
        except APIError as error:
            raise PushFailed(f"reading it back: {error.explanation or error}") from None
        except RequestException as error:
            raise PushFailed(f"reading it back: connection reset: {error}") from None

    retried(ask, tag)
    if found[-1] != digest:
        raise OutOfReach(f"{tag}: the registry has {found[-1]}, but {digest} was proven and pushed")


def use_logins(client: DockerClient, environment: Mapping[str, str]) -> None:
    """The SDK reads this process's own DOCKER_CONFIG; the engine's may be another one."""
    folder = environment.get("DOCKER_CONFIG")
    if folder and (Path(folder) / "config.json").is_file():
        client.api.reload_config(str(Path(folder) / "config.json"))
