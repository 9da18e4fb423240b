"""A helper container that looks at the processes of another one, on whatever machine it runs.

It shares the other's PID namespace and is made of the same image, because no other is sure to be
there. So it needs an interpreter that the image has: a shell (nothing but what is built into it,
and ``sleep``) or Node.js.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from tasks.core.containers import processes
from tasks.core.containers.processes import Sample

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.types import CancellableStream

    from tasks.core.containers.sandbox import Run

#: Each look: the record of every process, the listening ports, and the helper's own number.
SHELL = """
copy() { while read -r line; do echo "$line"; done < "$1"; }
while :; do
  for folder in /proc/[0-9]*; do echo "@ status"; copy "$folder/status"; done
  echo "@ tcp"; copy /proc/1/net/tcp; copy /proc/1/net/tcp6
  echo "@ end $$"
  sleep 0.2 || exit
done
"""
NODE = """
const fs = require("node:fs");
const copy = (path) => { try { return fs.readFileSync(path, "utf8"); } catch { return ""; } };
setInterval(() => {
  let text = "";
  for (const name of fs.readdirSync("/proc"))
    if (/^[0-9]+$/.test(name)) text += "@ status\\n" + copy(`/proc/${name}/status`);
  text += "@ tcp\\n" + copy("/proc/1/net/tcp") + copy("/proc/1/net/tcp6");
  fs.writeSync(1, text + `@ end ${process.pid}\\n`);
}, 200);
"""
#: More than one look at a full container ever has: what says more is no helper.
_MAX_LINES = 100_000
_MAX_LINE_BYTES = 2**16


def ways(config: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The commands to try, for an image with that config."""
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    nodes = [word for word in command if str(word).rpartition("/")[2] == "node"]
    return (("/bin/sh", "-c", SHELL), *((node, "-e", NODE) for node in nodes[:1]))


def options(container_id: str, command: tuple[str, ...]) -> dict[str, Any]:
    """Options of the Docker SDK for the helper: it may look, and nothing else."""
    return {
        "detach": True,
        "entrypoint": list(command),
        "command": [],
        "pid_mode": f"container:{container_id}",
        "network_mode": "none",
        "healthcheck": {"test": ["NONE"]},
        "user": "65534:65534",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": "256m",
        "pids_limit": 64,
        "log_config": {"Type": "none"},
    }


def start(
    stack: ExitStack,
    run: Run,
    container: Container,
    image: str,
    platform: str | None,
) -> Iterator[Sample] | None:
    """What a helper sees, until the container ends; None where the image has no interpreter.

    The helper is removed when ``stack`` is left.
    """
    from docker.errors import APIError

    target = container.labels.get("dev.slipway.target", "")
    for command in ways(container.attrs["Config"]):
        chosen = options(str(container.id), command)
        if platform:
            chosen["platform"] = platform
        with ExitStack() as attempt:
            helper = attempt.enter_context(run.container(target, image, chosen))
            said = helper.attach(stdout=True, stderr=False, stream=True, logs=False)
            attempt.callback(_hang_up, run.client, said)
            try:
                helper.start()
            except APIError:  # the image has no such program
                continue
            stack.enter_context(attempt.pop_all())
            return samples(_lines(said))
    return None


def _hang_up(client: DockerClient, stream: CancellableStream[bytes]) -> None:
    """Close what was attached to; over SSH the SDK cannot, and its client does it at its end."""
    if not client.api.base_url.startswith("http+docker://ssh"):
        with suppress(OSError):  # the other side was quicker
            stream.close()
        vars(stream)["_response"].close()  # the SDK leaves that to the collector


def samples(lines: Iterable[str]) -> Iterator[Sample]:
    """The looks in what a helper says; its own processes are left out."""
    parts: list[tuple[str, list[str]]] = []
    count = 0
    for line in lines:
        count += 1
        if count > _MAX_LINES:
            return
        if not line.startswith("@ "):
            if parts:
                parts[-1][1].append(line)
            continue
        kind, _, own = line[2:].partition(" ")
        if kind != "end":
            parts.append((kind, []))
        elif own.isdigit():
            yield _sample([(name, "\n".join(held)) for name, held in parts], int(own))
            parts, count = [], 0


def _sample(texts: list[tuple[str, str]], own: int) -> Sample:
    found = [processes.parse(text) for kind, text in texts if kind == "status"]
    others = [one for one in found if one and own not in (one.pid, one.parent)]
    tables = [text for kind, text in texts if kind == "tcp"]
    return Sample(tuple(others), processes.listening(*tables))


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
        if len(left) > _MAX_LINE_BYTES:
            return
