"""The listening sockets: an address that is not there yet (a VPN that comes up late) is waited for."""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from pom_cli.errors import PomError

BACKLOG = 1024
IN_USE_S = 3.0  # for the process before this one to go
LONGEST_PAUSE_S = 5.0
_STEP_S = 0.1  # of a pause, after which a signal is heeded
_LATE = (errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.ENETUNREACH)


def listen(
    host: str, port: int, stopping: threading.Event, waits: Callable[[str], None], beat: Callable[[], None]
) -> list[socket.socket]:
    """Sockets that listen at `host`, one for each of its addresses; none if it is stopped before.

    `waits` is called once with what there is to wait for, `beat` is called with every try. Raises PomError where
    waiting would not help.
    """
    begun, pause, told = time.monotonic(), 0.25, False
    while not stopping.is_set():
        beat()
        try:
            return _sockets(host, port)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            if not (_late(error) or (in_use and time.monotonic() - begun < IN_USE_S)):
                raise PomError(f"serve.listen: {shown(host, port)}: {_reason(error)}") from error
            if not told and not in_use:
                waits(f"serve.listen: {shown(host, port)}: {_reason(error)}; trying until it is there")
                told = True
        _sleep(pause, stopping)
        pause = min(pause * 2, LONGEST_PAUSE_S)
    return []


def _sleep(seconds: float, stopping: threading.Event) -> None:
    """Not `stopping.wait`: a signal's handler sets it on this thread, and could meet the lock that waiting takes."""
    end = time.monotonic() + seconds
    while not stopping.is_set() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _STEP_S))


def shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _late(error: OSError) -> bool:
    return isinstance(error, socket.gaierror) or error.errno in _LATE


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another process listens there already"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address"
    return str(error.strerror) if isinstance(error, socket.gaierror) or not error.errno else os.strerror(error.errno)


def _sockets(host: str, port: int) -> list[socket.socket]:
    """One for each address of the host; an address that is not there is no trouble as long as another is."""
    bound: list[socket.socket] = []
    late: OSError | None = None
    with ExitStack() as undo:
        for family, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
            try:
                bound.append(undo.enter_context(_socket(family, address)))
            except OSError as error:
                if not _late(error) and error.errno != errno.EAFNOSUPPORT:
                    raise
                late = error
        if late and not bound:
            raise late
        undo.pop_all()
    return bound


def _socket(family: int, address: tuple[object, ...]) -> socket.socket:
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()  # "[::]" takes IPv4 too
    return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
