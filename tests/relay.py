"""The network between two instances, on loopback: a relay that can be cut in either direction, slow, or dripping."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType


@dataclass
class Relay:
    """Use it as `with Relay(port) as relay:`. What it does may change at any time, for bytes that are yet to come."""

    to: int
    there: bool = True  # does what the client says get through
    back: bool = True  # does what the server says
    delay: float = 0.0  # seconds before each piece of an answer
    drip: bool = False  # a byte of an answer at a time, with the delay before each

    def __enter__(self) -> Relay:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._sockets: list[socket.socket] = []
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(10)
        self._listener.close()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(10)
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to), 5)
            except OSError:
                continue
            self._sockets += [client, server]
            for way in ((client, server, True), (server, client, False)):
                thread = threading.Thread(target=self._carry, args=way, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, there: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                # What is cut is lost without a word, as on a broken wire.
                if self.there if there else self.back:
                    self._send(sink, piece, there)
            sink.shutdown(socket.SHUT_WR)

    def _send(self, sink: socket.socket, piece: bytes, there: bool) -> None:
        if there:
            sink.sendall(piece)
            return
        for part in [piece[n : n + 1] for n in range(len(piece))] if self.drip else [piece]:
            if self._stop.wait(self.delay):
                return
            sink.sendall(part)
