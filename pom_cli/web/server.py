"""waitress's server with our connections in it: who has had its time goes, and the loop ends when it is told to."""

import logging
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from pom_cli.web import limits
from pom_cli.web.application import Application
from pom_cli.web.channel import Channel

CONNECTIONS = 1000
MAKE_ROOM = 32  # connections that go beyond those that are too many
SPARE = 200  # descriptors for everything else: what is accepted in one turn of the loop, the database, the log
ACCEPT_AT_ONCE = 64
DRAIN_S = 1.5  # for answers that are on their way when the server is stopped
_SETTINGS = {
    "threads": 2,  # answers are made one at a time, so that more would only take memory
    "asyncore_use_poll": True,  # select() ends at descriptor 1023
    "asyncore_loop_timeout": 1,
    "max_request_header_size": 8192,
    "max_request_body_size": 1024,
    "outbuf_overflow": 64 << 20,  # answers stay in memory: the disk may be full
    "log_socket_errors": False,
    "clear_untrusted_proxy_headers": False,  # none is looked at, so there is none to clear
}


class Server(TcpWSGIServer):  # type: ignore[misc]
    """One listening socket."""

    channel_class = Channel

    def maintenance(self, now: float) -> None:
        """Nothing: this runs in the middle of a turn of the loop, see `Serving.run`."""

    def handle_accept(self) -> None:
        """Several at once: with many connections open every turn of the loop is dear."""
        for _ in range(ACCEPT_AT_ONCE):
            try:
                found = self.accept()
                if found is None:
                    return
                self.set_socket_options(found[0])
            except OSError:
                return  # it is gone already
            self.channel_class(self, *found, self.adj, map=self._map)


def surplus(channels: Sequence[Channel], most: int) -> list[Channel]:
    """Those to close where there are more than `most`: some at once, of the clients that have the most connections.

    Of theirs those that wait the longest, and none whose request is being answered.
    """
    if len(channels) <= most:
        return []
    waiting = [(channel, limits.client(channel.addr[0])) for channel in channels if not channel.requests]
    counts = Counter(client for _, client in waiting)
    waiting.sort(key=lambda pair: (pair[0].busy, -counts[pair[1]], pair[0].idle_since))
    return [channel for channel, _ in waiting[: len(channels) - most + MAKE_ROOM]]


class Serving:
    """The servers of all listening sockets, their one loop, and their worker threads."""

    def __init__(self, application: Application, sockets: Sequence[socket.socket], stopping: threading.Event) -> None:
        for name in ("waitress", "waitress.queue"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._most, self._next_look = _connections(), 0.0
        # waitress itself stops listening only where none of them can be closed.
        limit = self._most + ACCEPT_AT_ONCE * len(sockets)
        adjustments = Adjustments(**_SETTINGS, sockets=list(sockets), connection_limit=limit)
        self._map: dict[int, Any] = {}
        self._stopping = stopping
        self._workers = ThreadedTaskDispatcher()
        self._workers.set_thread_count(adjustments.threads)
        self._servers = [
            Server(
                application,
                self._map,
                _sock=sock,
                dispatcher=self._workers,
                adj=adjustments,
                bind_socket=False,
                sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            )
            for sock in sockets
        ]

    def run(self, tick: Callable[[], None]) -> None:
        """Serve until `stopping` is set. `tick` is called in every turn of the loop, at least once a second.

        Connections are closed between the turns: within one, a new connection could get the number of a closed one, and
        with it the events that were meant for that.
        """
        while not self._stopping.is_set():
            self._tidy()
            wasyncore.poll2(1.0, self._map)
            tick()
        self._drain()

    def wake(self) -> None:
        """Have the loop turn now, from any thread or signal handler."""
        for server in self._servers[:1]:
            with suppress(OSError):  # the loop has ended meanwhile, and its trigger with it
                server.pull_trigger()

    def work(self, task: Callable[[], None]) -> None:
        """Have a worker thread do this."""
        self._workers.add_task(_Errand(task))

    def _channels(self) -> list[Channel]:
        return [one for one in self._map.values() if isinstance(one, Channel)]

    def _tidy(self) -> None:
        """Close the connections whose client has had its time, and some where there are too many."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + 1
            for channel in self._channels():
                if channel.overdue(now):
                    channel.handle_close()
        if len(self._map) > self._most:
            for channel in surplus(self._channels(), self._most):
                channel.handle_close()

    def _drain(self) -> None:
        """Take no more requests; let the answers that are on their way arrive."""
        for server in self._servers:
            wasyncore.dispatcher.close(server)  # the listening socket alone: the workers still need the trigger
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end:
            channels = self._channels()
            for channel in channels:
                if not channel.busy:
                    channel.handle_close()
            if not any(channel.busy for channel in channels):
                break
            wasyncore.poll2(0.05, self._map)
        self._workers.shutdown(timeout=0.2)
        self._servers = []
        wasyncore.close_all(self._map, ignore_all=True)


class _Errand:
    """Anything that is not a connection, as the workers' queue takes it."""

    def __init__(self, task: Callable[[], None]) -> None:
        self.service = task

    def cancel(self) -> None:
        """Nothing was begun."""


def _connections() -> int:
    """So many connections, or as many as this process may have descriptors for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS if soft == resource.RLIM_INFINITY else min(CONNECTIONS, max(MAKE_ROOM + 2, soft - SPARE))
