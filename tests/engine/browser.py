"""A headless Chromium that is talked to through a pipe: what a page draws, asks for, complains of.

The DevTools protocol over ``--remote-debugging-pipe``: JSON messages that end with a zero byte, in
on descriptor 3 and out on 4. So no port is opened and no library is needed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.engine.conftest import cannot_run

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--no-default-browser-check", "--hide-scrollbars", "--mute-audio"),
    *("--disable-extensions", "--disable-default-apps", "--metrics-recording-only"),
    "--remote-debugging-pipe",
)
PATIENCE_SECONDS = 60
#: What the browser itself reads; anything else that a page asks for is a request.
LOCAL = ("file://", "data:", "about:", "chrome://")


def program() -> str:
    """The browser; installed from the distribution where it is missing and we are root."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        cannot_run("there is no Chromium, and it cannot be installed here: apt install chromium")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update",), ("install", "--yes", "--no-install-recommends", "chromium")):
        done = subprocess.run((apt, *words), env=env, capture_output=True, text=True, check=False)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        cannot_run(f"Chromium cannot be installed: {done.stderr[-300:]}")
    return found


class Page:
    """One tab: a page, and all that happened while it was loaded and looked at."""

    def __init__(self, to: int, source: int) -> None:
        self._to, self._source = to, source
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its answer; what happens meanwhile goes to ``events``."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def show(self, path: Path, width: int, height: int, *, dark: bool = False) -> None:
        """Load a file in a window of that size; returns once it is drawn."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._until("Page.loadEventFired")
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")

    def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression is in the page, as JSON; promises are waited for."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise AssertionError(done["exceptionDetails"])
        return done["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key that has a name: Tab, Enter."""
        codes = {"Tab": 9, "Enter": 13}
        text = {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, to a PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """Errors and warnings of the console so far, and what the policy forbade."""
        told = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Log.entryAdded":
                if params["entry"]["level"] in ("error", "warning"):
                    told.append(params["entry"]["text"])
            elif event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                told.append(json.dumps(params))
        return told

    def requests(self) -> list[str]:
        """What the page asked for beyond its own file."""
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        urls = [str(event["params"]["request"]["url"]) for event in sent]
        return [url for url in urls if not url.startswith(LOCAL)]

    def files(self) -> list[str]:
        """The local files that were read."""
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [str(event["params"]["request"]["url"]) for event in sent]

    def _until(self, method: str) -> None:
        if not any(event.get("method") == method for event in self.events):
            while True:
                event = self._next()
                self.events.append(event)
                if event.get("method") == method:
                    break
        self.events = [event for event in self.events if event.get("method") != method]

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._source], [], [], deadline - time.monotonic())
            piece = os.read(self._source, 1 << 16) if ready else b""
            if not piece:
                raise AssertionError("the browser does not answer")
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A browser with a new ``profile`` folder; gone afterwards."""
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()

    def connect() -> None:
        """In the child: high numbers first, so that neither is overwritten."""
        high = os.dup(their_in), os.dup(their_out)
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    with (profile.parent / "browser.log").open("wb") as log:
        child = subprocess.Popen(
            (program(), *FLAGS, f"--user-data-dir={profile}", "about:blank"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=connect,
            pass_fds=(3, 4, their_in, their_out),
            start_new_session=True,
        )
    os.close(their_in)
    os.close(their_out)
    try:
        yield Page(our_out, our_in)
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=10)
        child.kill()
        child.wait()
        os.close(our_out)
        os.close(our_in)
