"""A real browser without a window, driven over a pipe: pages are looked at as a visitor sees them."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# A browser of its own: no window, no sandbox (tests may run as root), and nothing that asks its maker for anything.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--disable-default-apps", "--disable-dev-shm-usage", "--no-proxy-server"),
)


def axe_core() -> Path | None:
    """The script that looks for barriers to people, of npm's axe-core: in $AXE_CORE, or fetched by npm; else None."""
    places = [Path(os.environ["AXE_CORE"])] if "AXE_CORE" in os.environ else []
    npm, folder = shutil.which("npm"), Path(tempfile.gettempdir()) / f"pom-axe-core-{os.getuid()}"
    if not places and npm and CHROMIUM:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not (folder / "node_modules" / "axe-core").is_dir():
            install = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "axe-core"]
            subprocess.run(install, capture_output=True, timeout=120, check=False)
        places = [folder / "node_modules" / "axe-core"]
    return next((place / "axe.min.js" for place in places if (place / "axe.min.js").is_file()), None)


def command(profile: Path, *more: str) -> list[str]:
    assert CHROMIUM
    return [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *more]


class Browser:
    """One tab, spoken to in the Chrome DevTools Protocol: a JSON object and a zero byte, over descriptors 3 and 4."""

    def __init__(self, profile: Path) -> None:
        theirs_in, self._out = (_high(fd) for fd in os.pipe())
        self._in, theirs_out = (_high(fd) for fd in os.pipe())

        def place() -> None:
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        self._process = subprocess.Popen(
            command(profile, "--remote-debugging-pipe", "about:blank"),
            preexec_fn=place,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for fd in (theirs_in, theirs_out):
            os.close(fd)
        self._rest, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = next(one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        self._process.terminate()
        self._process.wait(120)
        os.close(self._in)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        more = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": parameters, **more}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def wait(self, event: str) -> None:
        """Until this event has come since `events` was last emptied."""
        while not any(one.get("method") == event for one in self.events):
            self.events.append(self._read())

    def open(self, url: str, width: int, height: int = 900, dark: bool = False, **media: str) -> None:
        """Load a page in a window of this width; `media` are features such as prefers_contrast="more"."""
        features = {"prefers-color-scheme": "dark" if dark else "light"}
        features |= {name.replace("_", "-"): value for name, value in media.items()}
        listed = [{"name": name, "value": value} for name, value in features.items()]
        self.ask("Emulation.setEmulatedMedia", features=listed)
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=False)
        self.events.clear()
        self.ask("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """What this JavaScript gives. The page's own policy does not bind the debugger."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        found = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def heard(self, method: str) -> list[dict[str, Any]]:
        return [one["params"] for one in self.events if one.get("method") == method]

    def _read(self) -> dict[str, Any]:
        end = time.monotonic() + 180
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(self._in, 1 << 20) if ready else b""
            assert chunk, "the browser says nothing"
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


def _high(fd: int) -> int:
    """The same descriptor above those that the browser wants to have."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return high
