"""The application on waitress, in a loop that closes the connections whose client has had its time."""

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.utilities import BadRequest

from pom_cli.web import access
from pom_cli.web.application import REFUSED, Application
from pom_cli.web.routes import METHODS

CONNECTIONS = 500  # together with everything else within the 1024 descriptors that a process usually gets
ACCEPT_AT_ONCE = 100
LIFE_S = 30.0  # of a connection: for its requests, and for waiting between them
ANSWER_S = 60.0  # of a connection with an answer that is not taken yet
LINGER_S = 2.0  # for reading on after the last answer: closed with something unread, TCP would take it back
DRAIN_S = 1.5  # for answers on their way when the server is stopped
_SETTINGS = {
    "ident": "PoM",
    "asyncore_use_poll": True,  # select() ends at descriptor 1023
    "connection_limit": CONNECTIONS + ACCEPT_AT_ONCE + 50,  # only reached if none of them can be closed
    "recv_bytes": 1024,  # and with it the requests that a client can send ahead of their answers
    "max_request_header_size": 8192,
    "max_request_body_size": 1024,
    "outbuf_overflow": 64 << 20,  # answers stay in memory: the disk may be full
    "log_socket_errors": False,
    "clear_untrusted_proxy_headers": False,  # they are ignored anyway
}


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Passes on what it cannot read as well, so that the application refuses it like everything else."""

    command, path, query, request_uri, url_scheme = "GET", "", "", "", "http"
    start = b""

    def received(self, data: bytes) -> int:
        self.start = (self.start + data[:100]).lstrip()[:5]
        try:
            taken = int(super().received(data))
        except ValueError as error:  # of the standard library: `GET http://[`, a Content-Length of thousands of digits
            self.error, self.completed, taken = BadRequest(str(error)), True, len(data)
        if self.headers_finished and not self.completed and self.command not in METHODS:
            self.error, self.completed = BadRequest("refused before its body is read"), True
        if self.error:
            self.command = "HEAD" if self.start == b"HEAD " else self.command  # it gets no body
            self.headers = {"CONNECTION": "close", REFUSED: str(self.error.code)}
            self.error = None
        if self.completed:
            self.expect_continue = False  # otherwise waitress would ask for a body, and wait for it
        return taken


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows how old it is, by a clock that nobody sets, and that ends as RFC 9112, 9.6 says."""

    parser_class = Parser
    handle_expt = HTTPChannel.handle_close  # urgent data would wake the loop again and again
    will_close: bool
    lingering = False  # our side is closed, and what still comes is thrown away

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.opened = time.monotonic()

    @property
    def busy(self) -> bool:
        """Is an answer being made or sent."""
        return bool(self.requests or self.total_outbufs_len)

    def readable(self) -> bool:
        return self.lingering or bool(super().readable())

    def received(self, data: bytes) -> bool:
        return self.lingering or bool(super().received(data))

    def handle_close(self) -> None:
        if self.will_close and self.socket and not self.lingering:  # the last answer is sent
            self.will_close, self.lingering = False, True
            self.opened = time.monotonic() - LIFE_S + LINGER_S
            with suppress(OSError):  # unless the client is gone
                self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_close()

    def overdue(self, now: float) -> bool:
        return now - self.opened > (ANSWER_S if self.busy else LIFE_S)


def surplus(channels: Sequence[Channel]) -> list[Channel]:
    """The connections to close if there are too many: of the clients with the most of them, the oldest.

    None for whose request an answer is being made.
    """
    excess = len(channels) - CONNECTIONS
    if excess <= 0:
        return []
    waiting = [(channel, access.client(channel.addr[0])) for channel in channels if not channel.requests]
    counts = Counter(client for _, client in waiting)
    waiting.sort(key=lambda pair: (pair[0].busy, -counts[pair[1]], pair[0].opened))
    return [channel for channel, _ in waiting[:excess]]


class Serving:
    """One loop and a fixed number of worker threads for all listening sockets."""

    def __init__(self, application: Application, sockets: Sequence[socket.socket], stopping: threading.Event) -> None:
        logging.getLogger("waitress").setLevel(logging.ERROR)
        self._stopping = stopping
        self._map: dict[int, Any] = {}
        create_server(application, map=self._map, sockets=list(sockets), **_SETTINGS)
        self._servers = [entry for entry in self._map.values() if isinstance(entry, TcpWSGIServer)]
        for server in self._servers:
            server.channel_class = Channel

    def run(self, tick: Callable[[], None]) -> None:
        """Serve until `stopping` is set. `tick` is called in every turn of the loop, at least once a second."""
        while not self._stopping.is_set():
            self._accept()
            now, channels = time.monotonic(), self._channels()
            # Between two turns: within one, a new connection could get the descriptor of a closed one, and its events.
            for channel in [channel for channel in channels if channel.overdue(now)] or surplus(channels):
                channel.handle_close()
            self._turn(1.0)
            tick()
        self._drain()

    def wake(self) -> None:
        """Have the loop turn now, from any thread or signal handler."""
        for server in self._servers[:1]:
            with suppress(OSError):  # the loop has ended meanwhile
                server.pull_trigger()

    def work(self, task: Callable[[], None]) -> None:
        """Have a worker thread do this."""
        self._servers[0].add_task(SimpleNamespace(service=task, cancel=lambda: None))

    def _channels(self) -> list[Channel]:
        return [entry for entry in self._map.values() if isinstance(entry, Channel)]

    def _accept(self) -> None:
        """All who wait for it: waitress takes one in a turn, and with many connections open a turn is slow."""
        for server in self._servers:
            for before in range(len(self._map), CONNECTIONS + ACCEPT_AT_ONCE):
                server.handle_accept()
                if len(self._map) == before:
                    break

    def _turn(self, timeout: float) -> None:
        wasyncore.loop(timeout, use_poll=True, map=self._map, count=1)

    def _drain(self) -> None:
        """Listen no more, and let the answers on their way arrive."""
        for server in self._servers:
            wasyncore.dispatcher.close(server)  # the listening socket alone: the workers still wake the loop
        end = time.monotonic() + DRAIN_S
        while any(channel.busy for channel in self._channels()) and time.monotonic() < end:
            self._turn(0.05)
        self._servers[0].task_dispatcher.shutdown(timeout=0.2)
        self._servers = []
        wasyncore.close_all(self._map, ignore_all=True)
