"""A way to the engine that can be cut, as if the engine had died."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

from tasks.core.endpoint import Engine


def via(engine: Engine, host: str) -> dict[str, str]:
    """The environment in which docker reaches ``engine`` by ``host``."""
    return {**engine.environment, "DOCKER_HOST": host}


class Relay:
    """A socket that passes bytes on to the engine until it is closed, as if the engine died."""

    def __init__(self, host: str, path: Path) -> None:
        self.host, self._engine = f"unix://{path}", host.removeprefix("unix://")
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)

    def __enter__(self) -> Relay:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cut every connection and take no new one."""
        for link in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._engine)
                self._open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
