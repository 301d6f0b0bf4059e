"""A small mail server on loopback that keeps what it accepts and answers as it is told, command by command."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

# Instead of a reply: close the connection, say nothing for ever, say it a byte at a time, never end the reply.
DROP, HANG, DRIP, ENDLESS = "<drop>", "<hang>", "<drip>", "<endless>"
USUAL = {
    "CONNECT": "220 stand-in ESMTP",
    "HELO": "250 stand-in",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 End data with <CR><LF>.<CR><LF>",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
    "STARTTLS": "220 2.0.0 Ready to start TLS",
}


@dataclass(frozen=True)
class Received:
    """One accepted message: the envelope, the MAIL command's options, and the text with its dots unstuffed."""

    sender: str
    recipients: tuple[str, ...]
    options: str
    content: bytes
    encrypted: bool


@dataclass
class SmtpServer:
    """Use it as `with SmtpServer() as server:`. `answers` holds, for each command (and CONNECT, DOT for the end of the
    data, AUTH), the replies to give in turn; once they are used up, the usual one. A key like `RCPT a@example.com`
    answers that argument alone, ever."""

    offers: Sequence[str] = ("8BITMIME", "SMTPUTF8")
    certificate: Path | None = None  # key and chain: STARTTLS is offered, or with `implicit` TLS comes first
    implicit: bool = False
    login: tuple[str, str] | None = None
    mechanisms: str = "PLAIN"
    answers: dict[str, list[str]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> SmtpServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.stop = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(10)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(10)

    def context(self) -> ssl.SSLContext:
        assert self.certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        return context

    def _accept(self) -> None:
        while not self.stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        session = _Session(self, sock)
        try:
            if self.implicit:
                session.encrypt()
            session.run()
        except OSError:
            pass  # the client went away, which is its right
        finally:
            session.sock.close()
            sock.close()
            self._open.discard(sock)


def path_of(argument: str) -> str:
    """What follows `FROM:<` or `TO:<`, in whatever case (RFC 5321, 2.4): Python 3.13 writes them in lower case."""
    return argument.partition(":")[2].removeprefix("<")


class _Session:
    """One connection."""

    def __init__(self, server: SmtpServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.file = sock.makefile("rb")
        self.sender, self.options, self.recipients = "", "", list[str]()

    def encrypt(self) -> None:
        self.file.close()
        self.sock = self.server.context().wrap_socket(self.sock, server_side=True)
        self.server._open.add(self.sock)
        self.file = self.sock.makefile("rb")

    def run(self) -> None:
        try:
            if not self.reply("CONNECT"):
                return
            while line := self.file.readline():  # of a new file, once it is encrypted
                text = line.decode("utf-8", "replace").strip()
                verb, _, argument = text.partition(" ")
                self.server.commands.append(f"{verb.upper()} {argument}".strip())
                if not self.handle(verb.upper(), argument):
                    return
        finally:
            self.file.close()
            self.server._open.discard(self.sock)

    def handle(self, verb: str, argument: str) -> bool:
        """Obey one command; False where the connection ends."""
        if verb == "EHLO":
            return self.reply(verb, usual=self.greeting())
        if verb == "AUTH":
            return self.auth(argument)
        if verb == "DATA":
            return self.data()
        if verb == "MAIL":
            self.sender, _, self.options = path_of(argument).partition(">")
            self.recipients = []
        recipient = path_of(argument).removesuffix(">")
        code = self.reply(verb, recipient if verb == "RCPT" else "", USUAL.get(verb, "502 5.5.2 What?"))
        if verb == "RCPT" and code in (250, 251):
            self.recipients.append(recipient)
        if verb == "STARTTLS" and code == 220:
            self.encrypt()
        return bool(code) and verb != "QUIT"

    def greeting(self) -> str:
        encrypted = isinstance(self.sock, ssl.SSLSocket)
        offers = [*self.server.offers]
        offers += ["STARTTLS"] if self.server.certificate and not encrypted else []
        offers += [f"AUTH {self.server.mechanisms}"] if self.server.login else []
        lines = ["stand-in", *offers]
        return "\n".join(f"250{' ' if line is lines[-1] else '-'}{line}" for line in lines)

    def auth(self, argument: str) -> bool:
        given = base64.b64decode(argument.partition(" ")[2]).decode().split("\0")[1:]
        right = self.server.login is not None and tuple(given) == self.server.login
        usual = "235 2.7.0 Welcome" if right else "535 5.7.8 Authentication credentials invalid"
        return bool(self.reply("AUTH", usual=usual))

    def data(self) -> bool:
        if not self.recipients:
            return bool(self.reply("DATA", usual="503 5.5.1 No valid recipients"))
        code = self.reply("DATA", usual=USUAL["DATA"])
        if code != 354:
            return bool(code)
        lines = []
        for line in iter(self.file.readline, b""):
            if line == b".\r\n":
                break
            assert line.endswith(b"\r\n"), line
            lines.append(line.removeprefix(b".") if line.startswith(b".") else line)
        else:
            return False
        encrypted = isinstance(self.sock, ssl.SSLSocket)
        message = Received(self.sender, tuple(self.recipients), self.options, b"".join(lines), encrypted)
        number = len(self.server.received) + 1
        answer = self.next_answer("DOT", "", f"250 2.0.0 Ok: queued as {number}")
        if not answer.startswith(("4", "5")):
            self.server.received.append(message)
        return bool(self.say(answer))

    def next_answer(self, verb: str, argument: str, usual: str) -> str:
        fixed = self.server.answers.get(f"{verb} {argument}")
        if fixed:
            return fixed[0]
        script = self.server.answers.get(verb, [])
        return script.pop(0) if script else usual

    def reply(self, verb: str, argument: str = "", usual: str = "") -> int:
        """Say the next answer to this command; its code, 0 where the connection ends."""
        return self.say(self.next_answer(verb, argument, usual or USUAL[verb]))

    def say(self, answer: str) -> int:
        if answer == DROP:
            return 0
        if answer == HANG:
            self.server.stop.wait(60)
            return 0
        if answer == ENDLESS:
            while not self.server.stop.wait(0.001):
                self.sock.sendall(b"250-and so on\r\n")
            return 0
        if answer == DRIP:
            for byte in b"250-" * 1000:
                self.sock.sendall(bytes([byte]))
                if self.server.stop.wait(0.02):
                    break
            return 0
        self.sock.sendall(answer.replace("\n", "\r\n").encode() + b"\r\n")
        return int(answer[:3]) if answer[:3].isdigit() else 1
