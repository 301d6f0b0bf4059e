"""`pom serve` from start to end: listen, serve, watch, stop."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

from pom_cli.config import Config
from pom_cli.mesh import report as mesh_view
from pom_cli.web import journal
from pom_cli.web.application import Application
from pom_cli.web.listen import listen, shown
from pom_cli.web.reader import Source
from pom_cli.web.server import Serving

Say = Callable[[str], None]


def serve(config: Config, say: Say, complain: Say) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises PomError where the address cannot be had."""
    say, complain = _unbroken(say), _unbroken(complain)
    stopping = threading.Event()
    stops: list[Callable[[], object]] = [stopping.set, partial(notify, "STOPPING=1", environ=os.environ)]
    with _signals(stops):
        beat = _Beat()
        sockets = listen(config.serve.host, config.serve.port, stopping, _waits(complain), beat.send)
        if not sockets:
            return 0
        source = Source(config.instance.data_dir / "pom.db", complain)
        application = Application(config, mesh_view.own_id(config) or "", source, complain)
        serving = Serving(application, sockets, stopping)
        stops.append(serving.wake)
        watcher = threading.Thread(target=journal.watch, args=(source, stopping, say), daemon=True)
        watcher.start()
        _greet(config, say, complain)
        notify("READY=1", f"STATUS=listens on {_url(config)}", environ=os.environ)
        serving.run(partial(_tick, serving, beat))
        watcher.join(1)
    return 0


def _unbroken(say: Say) -> Say:
    """Who reads the lines may be gone: that is no reason to stop serving."""

    def told(line: str) -> None:
        with suppress(OSError, ValueError):
            say(line)

    return told


def _tick(serving: Serving, beat: "_Beat") -> None:
    if beat.due():
        serving.work(beat.send)


def _waits(complain: Say) -> Say:
    def told(reason: str) -> None:
        complain(reason)
        # Ready as far as it can be: what is ordered after this unit must not wait for a network that is down.
        notify("READY=1", f"STATUS={reason}", environ=os.environ)

    return told


def _greet(config: Config, say: Say, complain: Say) -> None:
    if not config.secrets.api_tokens():
        why = f" ({config.secrets.unreadable})" if config.secrets.unreadable else ""
        public = "/api/health and /" if config.serve.page else "/api/health"
        complain(f"POM_API_TOKEN is not set{why}: everything but {public} answers 401")
    say(f"pom: {config.instance.name} listens on {_url(config)}")


def _url(config: Config) -> str:
    return f"http://{shown(config.serve.host, config.serve.port)}"


class _Beat:
    """systemd's watchdog. A worker thread sends it, so that it stops when none of them gets anything done."""

    def __init__(self) -> None:
        limit = watchdog_s(os.environ)
        self._every = None if limit is None else limit / 3
        self._sent = time.monotonic()

    def due(self) -> bool:
        if self._every is None or time.monotonic() - self._sent < self._every:
            return False
        self._sent = time.monotonic()
        return True

    def send(self) -> None:
        if self._every is not None:
            notify("WATCHDOG=1", environ=os.environ)


@contextmanager
def _signals(stops: Sequence[Callable[[], object]]) -> Iterator[None]:
    """While it lasts SIGTERM and SIGINT call these."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        for stop in stops:
            stop()

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def notify(*words: str, environ: Mapping[str, str]) -> bool:
    """Send systemd (sd_notify(3)) `READY=1` and the like. False where it cannot be reached: never a reason to
    fail."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    import socket

    # An @ stands for the NUL byte that an abstract address begins with.
    path = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto("\n".join(words).encode(), path)
    except OSError:
        return False
    return True


def watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Seconds within which systemd must hear from this process (sd_watchdog_enabled(3)), None for never."""
    pid = environ.get("WATCHDOG_PID", "")
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or not int(usec) or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6
