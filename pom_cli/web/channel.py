"""One client's connection: waitress's own, with an end to every wait, and with our answers in place of its own.

waitress's classes are extended here and in server.py alone, since it offers no other way to any of this. Its worker
threads call `service`; all else runs in the thread of its loop.
"""

import socket
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.task import Task
from waitress.utilities import Error, build_http_date

from pom_cli.web import answers
from pom_cli.web.answers import Answer
from pom_cli.web.application import Request, not_allowed
from pom_cli.web.routes import METHODS

REQUEST_S = 10.0  # from a request's first byte to its last
IDLE_S = 30.0  # between two requests, and before the first
ANSWER_S = 60.0  # for taking an answer
PIECE = 256 << 10  # bytes of an answer that are handed on at once: a long one is not copied whole
LINGER_S = 2.0  # for reading on after a refusal, so that it arrives
_REFUSALS = {
    400: "this cannot be read as a request",
    413: "a request has no body here",
    431: "the headers are too long",
    501: "this transfer encoding is not spoken here",
}


class NotAllowed(Error):  # type: ignore[misc]
    """Another method than GET and HEAD, refused before its body is read."""

    code = 405
    reason = answers.REASONS[405]


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """waitress's parser, which lets some errors of the standard library through, and would read a POST's body."""

    command, request_uri = "", ""  # of what could not be read
    first = b""  # its first five bytes: HEAD gets no body, however wrong the rest may be
    body_rcv: Any

    def received(self, data: bytes) -> int:
        if len(self.first) < 5:
            self.first = (self.first + data).lstrip()[:5]
        taken = int(super().received(data))
        if self.error or self.body_rcv is None:
            self.expect_continue = False  # else waitress would ask for a body, and wait for it
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except (ParsingError, TransferEncodingNotImplemented):
            raise
        except ValueError as error:  # `GET http://[` and a Content-Length of thousands of digits
            raise ParsingError(str(error)) from error
        if self.body_rcv is not None and self.command not in METHODS:
            self.body_rcv, self.content_length = None, 0
            self.error = NotAllowed("")


class Reply(Task):  # type: ignore[misc]
    """Writes the answer of the application. Not by way of WSGI: that ends the connection after each 304."""

    def execute(self) -> None:
        request, address = self.request, self.channel.addr[0]
        header = request.headers.get
        self.send(
            self.channel.server.application.answer(
                Request(
                    method=request.command,
                    uri=request.request_uri,
                    address=address,
                    authorization=header("AUTHORIZATION", ""),
                    if_none_match=header("IF_NONE_MATCH", ""),
                )
            )
        )

    def send(self, answer: Answer) -> None:
        request = self.request
        connection = request.headers.get("CONNECTION", "").lower()
        wanted = "close" not in connection if request.version == "1.1" else "keep-alive" in connection
        self.close_on_finish = answer.close or not wanted
        self.channel.lingers = answer.close
        date = build_http_date(self.start_time)
        head = answers.head(answer, self.version, not self.close_on_finish, date)
        self.wrote_header = True
        body = b"" if request.first == b"HEAD " else answer.body
        self.channel.write_soon(head + body[:PIECE])
        for begin in range(PIECE, len(body), PIECE):
            self.channel.write_soon(body[begin : begin + PIECE])


class Refusal(Reply):
    """What the parser refuses, in the words and with the headers of every other answer. It ends the connection."""

    def execute(self) -> None:
        code = self.request.error.code
        refusal = answers.error(500, "PoM itself failed; its log says how", close=True)
        if code in _REFUSALS:
            refusal = answers.error(code, _REFUSALS[code], close=True)
        elif code == NotAllowed.code:
            refusal = not_allowed(close=True)
        self.send(self.channel.server.application.refuse(self.channel.addr[0], refusal))


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when it waits, and for what."""

    task_class, error_task_class, parser_class = Reply, Refusal, Parser
    close_when_flushed: bool
    lingers = False  # a refusal was sent while the client may still be sending
    lingering = False  # our side is closed; what still comes is thrown away

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.idle_since = time.monotonic()
        self.request_since: float | None = None  # the first byte of a request that is not complete
        self.answer_since: float | None = None  # an answer that the client has not taken

    def received(self, data: bytes) -> bool:
        taken = bool(super().received(data))
        if self.request is None:
            self.request_since = None
        elif self.request_since is None:
            self.request_since = time.monotonic()
        return taken

    def service(self) -> None:
        self.answer_since = None
        super().service()
        self.idle_since = time.monotonic()
        if self.request_since is not None:
            self.request_since = self.idle_since  # it could not be read on meanwhile

    @property
    def busy(self) -> bool:
        """Is an answer being made or taken."""
        return bool(self.requests or self.total_outbufs_len)

    def overdue(self, now: float) -> bool:
        """Has the client had its time: for a request, for taking an answer, for saying anything at all."""
        if self.lingering:
            return now - self.idle_since > LINGER_S
        if self.total_outbufs_len:
            self.answer_since = self.answer_since or now
            return now - self.answer_since > ANSWER_S
        self.answer_since = None
        if self.requests:
            return False
        if self.request_since is None:
            return now - self.idle_since > IDLE_S
        # Empty lines before a request begin one again and again, so the connection's own time counts as well.
        return now - self.request_since > REQUEST_S or now - self.idle_since > IDLE_S + REQUEST_S

    def writable(self) -> bool:
        if not super().writable() or not self.outbuf_lock.acquire(False):
            # While a worker sends the loop must not ask again and again: it would keep the interpreter from it.
            return False
        self.outbuf_lock.release()
        return True

    def readable(self) -> bool:
        return self.lingering or bool(super().readable())

    def handle_read(self) -> None:
        if not self.lingering:
            super().handle_read()
            return
        try:
            self.recv(self.adj.recv_bytes)  # closes at the end of it
        except OSError:
            self.handle_close()

    def handle_write(self) -> None:
        if not (self.lingers and self.close_when_flushed):
            super().handle_write()
            return
        if self.total_outbufs_len:
            self._flush_exception(self._flush_some)
        if self.will_close:
            self.handle_close()
        elif self.socket and not self.total_outbufs_len:
            # Closed with something unread in it, TCP would take the answer back (RFC 9112, 9.6).
            self.lingers, self.close_when_flushed, self.lingering = False, False, True
            self.idle_since = time.monotonic()
            self.socket.shutdown(socket.SHUT_WR)

    def handle_expt(self) -> None:
        self.handle_close()  # urgent data: nobody who means well sends it
