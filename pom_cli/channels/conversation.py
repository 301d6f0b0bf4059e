"""A conversation with a mail server: connect, encrypt, log in, expect an answer, hang up at the deadline.

What is said in between, a mail or none, stands in smtp.py.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from pom_cli.frozen import dataclass
from pom_cli.net.net import Deadline, NoAnswer, connect, fault_of, start_tls
from pom_cli.text import clean, hide

if TYPE_CHECKING:
    import smtplib
    import socket


@dataclass
class Talk:
    """What one conversation goes by, and how far it has come. No user name: no login."""

    host: str
    port: int
    implicit_tls: bool
    starttls: bool
    username: str
    password: str = field(repr=False)
    deadline: Deadline
    server: "smtplib.SMTP | None" = None
    offered: bool = False  # the last line of a mail may be out, and is not answered yet


class Refused(Exception):
    """The server answered, and the answer is no."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}".strip())
        self.code = code


@contextmanager
def watched(talk: Talk) -> Iterator[Talk]:
    """The talk, hung up at its deadline."""
    import threading

    watchdog = threading.Timer(talk.deadline.seconds, _hang_up, [talk])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield talk
    finally:
        watchdog.cancel()


def _hang_up(talk: Talk) -> None:
    import contextlib
    import socket

    sock = talk.server.sock if talk.server else None
    with contextlib.suppress(OSError):  # it ended in this very moment
        if sock:
            sock.shutdown(socket.SHUT_RDWR)


def open_(talk: Talk) -> tuple[str, bool] | None:
    """A connection that is greeted, encrypted where that is asked for, and logged in; else why not, and is it so
    for good. A server that lacks what the config demands, or does not know the login, will not learn it by waiting."""
    import smtplib

    try:
        _greet(talk)
        return None
    except smtplib.SMTPAuthenticationError as error:
        fault = "login refused: " + reason_of(error, talk), error.smtp_code >= 500
    except (Refused, NoAnswer, OSError) as error:  # SMTPException is an OSError
        fault = reason_of(error, talk), isinstance(error, smtplib.SMTPNotSupportedError)
    close(talk)
    return fault


def _greet(talk: Talk) -> None:
    import smtplib

    sock = connect(talk.host, talk.port, talk.deadline).sock
    if talk.implicit_tls:
        sock = _encrypted(sock, talk)
    talk.server = server = smtplib.SMTP(local_hostname=_own_name(sock))
    server.sock = sock
    sock.settimeout(talk.deadline.remaining())
    expect(server.getreply(), 2)
    server.ehlo_or_helo_if_needed()
    if talk.starttls and not talk.implicit_tls:
        _start_tls(server, talk)
    if talk.username:
        server.login(talk.username, talk.password)


def _start_tls(server: "smtplib.SMTP", talk: Talk) -> None:
    """smtplib's own takes the name to verify from its constructor, which would connect without our deadline."""
    import smtplib

    if not server.has_extn("starttls"):
        raise smtplib.SMTPNotSupportedError("STARTTLS is configured, and the server does not offer it")
    expect(server.docmd("STARTTLS"), 2)
    assert server.sock is not None  # noqa: S101 - for the type checker: it has just answered
    server.sock = _encrypted(server.sock, talk)
    server.sock.settimeout(talk.deadline.remaining())
    server.file = None  # RFC 3207, 6: what came before the handshake counts for nothing
    server.ehlo()


def _encrypted(sock: "socket.socket", talk: Talk) -> "socket.socket":
    # Not `net.tls_context`: that one says "http/1.1" (ALPN), which some mail servers take for an attack.
    import ssl

    return start_tls(sock, talk.host, ssl.create_default_context(), talk.deadline)


def _own_name(sock: "socket.socket") -> str:
    """What to say in EHLO: the host's full name where it has one, else its address (RFC 5321, 4.1.3). Never asked of
    a resolver: that it does not answer may be what the mail is about."""
    import socket

    name, address = socket.gethostname(), sock.getsockname()[0]
    if "." in name and name.isascii():
        return name
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def close(talk: Talk) -> None:
    """Say good-bye without waiting for the answer: what matters has been answered."""
    import contextlib

    if talk.server:
        with contextlib.suppress(OSError):
            talk.server.putcmd("QUIT")
        talk.server.close()
    talk.server = None


def expect(reply: tuple[int, bytes], digit: int) -> tuple[int, str]:
    """The server's reply, where its first digit (RFC 5321, 4.2.1) is this one. Raises Refused for a no, OSError for
    what is no reply."""
    code, text = reply[0], clean(_text(reply[1]))
    if code // 100 == digit:
        return code, text
    if 400 <= code < 600:
        raise Refused(code, text)
    raise ConnectionError(f"a reply that makes no sense here: {code} {text}" if code > 0 else "a reply that is none")


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def reason_of(error: Exception, talk: Talk) -> str:
    """The fault in a few words, the password hidden should the server repeat it."""
    import smtplib

    if isinstance(error, NoAnswer):
        reason = error.fault.reason
    elif isinstance(error, smtplib.SMTPServerDisconnected):
        late = time.monotonic() >= talk.deadline.ends  # then it was we who closed it
        reason = f"no answer within {talk.deadline.seconds:g} s" if late else "the connection was lost"
    elif isinstance(error, smtplib.SMTPResponseException):
        reason = clean(f"{error.smtp_code} {_text(error.smtp_error)}")
    elif isinstance(error, Refused | smtplib.SMTPException):
        reason = clean(str(error))
    elif isinstance(error, OSError):
        reason = fault_of("connect", error, talk.deadline).reason
    else:
        raise error
    return hide(f"{talk.host}: {reason}", talk.password)
