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

from pom_cli.api import limits
from pom_cli.api.application import Application
from pom_cli.api.channel import Channel

CONNECTIONS = 1000
MAKE_ROOM = 32  # connections that go at once when there are that many
SPARE = 64  # descriptors for everything else
ACCEPT_AT_ONCE = 64
DRAIN_S = 1.5  # for answers that are on their way when the server is stopped
_SETTINGS = {
    "threads": 2,  # answers are made one at a time, so that more would only take memory
    "asyncore_use_poll": True,  # select() ends at descriptor 1023
    "asyncore_loop_timeout": 1,
    "cleanup_interval": 1,
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
        """Close the connections whose client has had its time. `now` is waitress's and may jump; ours does not."""
        moment = time.monotonic()
        for channel in list(self.active_channels.values()):
            if channel.overdue(moment):
                channel.handle_close()

    def handle_accept(self) -> None:
        """Several at once: with many connections open every turn of the loop is dear."""
        for _ in range(ACCEPT_AT_ONCE):
            self._make_room()
            try:
                found = self.accept()
                if found is None:
                    return
                self.set_socket_options(found[0])
            except OSError:
                return  # it is gone already
            self.channel_class(self, *found, self.adj, map=self._map)

    def _make_room(self) -> None:
        """Near the limit: those go that have the most connections, and of theirs the ones that wait the longest."""
        if len(self._map) < self.adj.connection_limit - MAKE_ROOM:
            return
        waiting = [one for one in self._map.values() if isinstance(one, Channel) and not one.requests]
        clients = [limits.client(one.addr[0]) for one in waiting]
        counts = Counter(clients)
        ranked = sorted(
            zip(waiting, clients, strict=True),
            key=lambda pair: (pair[0].busy, -counts[pair[1]], pair[0].idle_since),
        )
        for channel, _ in ranked[:MAKE_ROOM]:
            channel.handle_close()


class Serving:
    """The servers of all listening sockets, their one loop, and their worker threads."""

    def __init__(self, application: Application, sockets: Sequence[socket.socket], stopping: threading.Event) -> None:
        for name in ("waitress", "waitress.queue"):
            logging.getLogger(name).setLevel(logging.ERROR)
        adjustments = Adjustments(**_SETTINGS, sockets=list(sockets), connection_limit=_connections())
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
        """Serve until `stopping` is set. `tick` is called in every turn of the loop, at least once a second."""
        while not self._stopping.is_set():
            wasyncore.poll2(1.0, self._map)
            tick()
        self._drain()

    def wake(self) -> None:
        """Have the loop turn now, from any thread or signal handler."""
        for server in self._servers[:1]:
            server.pull_trigger()

    def work(self, task: Callable[[], None]) -> None:
        """Have a worker thread do this."""
        self._workers.add_task(_Errand(task))

    def _drain(self) -> None:
        """Take no more requests; let the answers that are on their way arrive."""
        for server in self._servers:
            wasyncore.dispatcher.close(server)  # the listening socket alone: the workers still need the trigger
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end:
            channels = [one for one in self._map.values() if isinstance(one, Channel)]
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
