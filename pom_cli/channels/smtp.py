"""A mail server over SMTP: one conversation for all the mails, an answer of its own for each."""

import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pom_cli.channels.letter import address, letter
from pom_cli.frozen import dataclass
from pom_cli.model import Mail, Outcome
from pom_cli.probe.net import Deadline, NoAnswer, connect, fault_of, start_tls
from pom_cli.settings.table import Table, idna
from pom_cli.text import clean, hide

if TYPE_CHECKING:
    import smtplib
    import socket

SECRET = "POM_SMTP_PASSWORD"  # noqa: S105 - the variable's name, not its value
IMPLICIT_TLS_PORT = 465  # RFC 8314, 3.3


@dataclass(frozen=True)
class Settings:
    """The server. TLS is implicit on port 465; elsewhere `starttls` demands it. No user name: no login."""

    host: str = "localhost"
    port: int = 25
    starttls: bool = False
    username: str = ""

    @property
    def encrypted(self) -> bool:
        """Is TLS spoken, or demanded."""
        return self.starttls or self.port == IMPLICIT_TLS_PORT


@dataclass
class _Talk:
    """What one `send` goes by, and how far it has come."""

    settings: Settings
    sender: str
    password: str = field(repr=False)
    deadline: Deadline
    server: "smtplib.SMTP | None" = None
    offered: bool = False  # the last line of a mail may be out, and is not answered yet


class _Refused(Exception):
    """The server answered, and the answer is no."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}".strip())
        self.code = code


def parse(table: Table) -> Settings:
    """The `smtp` table of `[alerts]`."""
    usual = Settings()
    settings = Settings(
        host=table.read("host", usual.host, _host, "a host name or an IP address"),
        port=table.integer("port", usual.port, 1, 65535),
        starttls=table.boolean("starttls", usual.starttls),
        username=table.read("username", usual.username, _username, "a user name in ASCII, or empty for no login"),
    )
    table.finish()
    return settings


def _host(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\w.-]+|\[?[0-9A-Fa-f:.]+\]?", value):
        raise ValueError
    return idna(value.strip("[]"))


def _username(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or not value.isascii():
        raise ValueError
    return value


def recipients(settings: Settings, to: Sequence[str]) -> tuple[str, ...]:
    """One row an address."""
    return tuple(to)


def send(mails: Sequence[Mail], settings: Settings, sender: str, secret: str, timeout: float) -> list[Outcome]:
    """Hand them over, each in a transaction of its own. `timeout` in seconds, for everything.

    A mail that may have arrived is sent again: SMTP can't be asked, and the repeated Message-ID lets readers drop it.
    A server that drips would outlast every socket's timeout: at the deadline the connection is cut from outside.
    """
    error = _unusable(settings, secret)
    if error:
        return [Outcome(mail.id, error=error, permanent=True) for mail in mails]
    with _watched(_Talk(settings, sender, secret, Deadline.after(timeout))) as talk:
        return _converse(mails, talk)


def probe(settings: Settings, secret: str, timeout: float) -> str:
    """Connect, encrypt and log in, and no more: what is wrong, "" for nothing."""
    error = _unusable(settings, secret)
    if error:
        return error
    with _watched(_Talk(settings, "", secret, Deadline.after(timeout))) as talk:
        fault = _open(talk)
        _close(talk)
    return fault[0] if fault else ""


def _unusable(settings: Settings, secret: str) -> str:
    if not settings.username or (secret and secret.isascii()):
        return ""
    return f"{SECRET} has characters beyond ASCII" if secret else f"{SECRET} is not set, and there is a username"


@contextmanager
def _watched(talk: _Talk) -> Iterator[_Talk]:
    """The talk, hung up at its deadline."""
    import threading

    watchdog = threading.Timer(talk.deadline.seconds, _hang_up, [talk])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield talk
    finally:
        watchdog.cancel()


def _hang_up(talk: _Talk) -> None:
    import contextlib
    import socket

    sock = talk.server.sock if talk.server else None
    with contextlib.suppress(OSError):  # it ended in this very moment
        if sock:
            sock.shutdown(socket.SHUT_RDWR)


def _converse(mails: Sequence[Mail], talk: _Talk) -> list[Outcome]:
    """An Outcome for each mail. A connection that one mail has cost is opened again for those behind it."""
    waiting, outcomes = deque(mails), list[Outcome]()
    while waiting:
        fault = _open(talk)
        if fault:
            error, permanent = fault
            return outcomes + [Outcome(mail.id, error=error, permanent=permanent) for mail in waiting]
        alive = True
        while waiting and alive:
            outcome, alive = _deliver(waiting.popleft(), talk)
            outcomes.append(outcome)
        _close(talk)
    return outcomes


def _open(talk: _Talk) -> tuple[str, bool] | None:
    """A connection that is greeted, encrypted where that is asked for, and logged in; else why not, and is it so
    for good. A server that lacks what the config demands, or does not know the login, will not learn it by waiting."""
    import smtplib

    try:
        _greet(talk)
        return None
    except smtplib.SMTPAuthenticationError as error:
        fault = "login refused: " + _reason(error, talk), error.smtp_code >= 500
    except (_Refused, NoAnswer, OSError) as error:  # SMTPException is an OSError
        fault = _reason(error, talk), isinstance(error, smtplib.SMTPNotSupportedError)
    _close(talk)
    return fault


def _greet(talk: _Talk) -> None:
    import smtplib

    settings, deadline = talk.settings, talk.deadline
    sock = connect(settings.host, settings.port, deadline).sock
    if settings.port == IMPLICIT_TLS_PORT:
        sock = _encrypted(sock, talk)
    talk.server = server = smtplib.SMTP(local_hostname=_own_name(sock))
    server.sock = sock
    sock.settimeout(deadline.remaining())
    _expect(server.getreply(), 2)
    server.ehlo_or_helo_if_needed()
    if settings.starttls and settings.port != IMPLICIT_TLS_PORT:
        _start_tls(server, talk)
    if settings.username:
        server.login(settings.username, talk.password)


def _start_tls(server: "smtplib.SMTP", talk: _Talk) -> None:
    """smtplib's own takes the name to verify from its constructor, which would connect without our deadline."""
    import smtplib

    if not server.has_extn("starttls"):
        raise smtplib.SMTPNotSupportedError("STARTTLS is configured, and the server does not offer it")
    _expect(server.docmd("STARTTLS"), 2)
    assert server.sock is not None  # noqa: S101 - for the type checker: it has just answered
    server.sock = _encrypted(server.sock, talk)
    server.sock.settimeout(talk.deadline.remaining())
    server.file = None  # RFC 3207, 6: what came before the handshake counts for nothing
    server.ehlo()


def _encrypted(sock: "socket.socket", talk: _Talk) -> "socket.socket":
    # Not `net.tls_context`: that one says "http/1.1" (ALPN), which some mail servers take for an attack.
    import ssl

    return start_tls(sock, talk.settings.host, ssl.create_default_context(), talk.deadline)


def _own_name(sock: "socket.socket") -> str:
    """What to say in EHLO: the host's full name where it has one, else its address (RFC 5321, 4.1.3). Never asked of
    a resolver: that it does not answer may be what the mail is about."""
    import socket

    name, address = socket.gethostname(), sock.getsockname()[0]
    if "." in name and name.isascii():
        return name
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _close(talk: _Talk) -> None:
    """Say good-bye without waiting for the answer: what matters has been answered."""
    import contextlib

    if talk.server:
        with contextlib.suppress(OSError):
            talk.server.putcmd("QUIT")
        talk.server.close()
    talk.server = None


def _deliver(mail: Mail, talk: _Talk) -> tuple[Outcome, bool]:
    """The mail's Outcome, and whether the connection is of use after it."""
    talk.offered = False
    try:
        return Outcome(mail.id, provider_id=_hand_over(mail, talk)), True
    except _Refused as error:
        # A server that answers 421 closes the connection (RFC 5321, 3.8).
        outcome = Outcome(mail.id, error=_reason(error, talk), permanent=error.code >= 500)
        return outcome, error.code != 421
    except ValueError as error:
        return Outcome(mail.id, error=str(error), permanent=True), True
    except OSError as error:  # SMTPException is one
        return Outcome(mail.id, error=_reason(error, talk), unsure=talk.offered), False


def _hand_over(mail: Mail, talk: _Talk) -> str:
    """One transaction (RFC 5321, 3.3): the server's reply to the data. Raises _Refused, OSError, and
    ValueError for an address that is none."""
    server, sender, recipient = talk.server, address(talk.sender), address(mail.recipient)
    assert server is not None and server.sock is not None  # noqa: S101 - for the type checker: `_open` went well
    server.sock.settimeout(talk.deadline.remaining())
    international = not (sender + recipient).isascii()
    if international and not server.has_extn("smtputf8"):
        raise _Refused(553, "the server takes no addresses beyond ASCII: it does not offer SMTPUTF8")
    server.docmd("RSET")  # a refused mail before this one must leave nothing behind
    _expect(server.mail(sender, ["SMTPUTF8", "BODY=8BITMIME"] if international else []), 2)
    _expect(server.rcpt(recipient), 2)
    _expect(server.docmd("DATA"), 3)
    content = letter(mail, talk.sender, datetime.now(UTC), international)
    server.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    talk.offered = True  # only now: without its last line nothing is accepted
    code, text = _expect(server.getreply(), 2)
    return clean(f"{code} {text}")


def _expect(reply: tuple[int, bytes], digit: int) -> tuple[int, str]:
    """The server's reply, where its first digit (RFC 5321, 4.2.1) is this one. Raises _Refused for a no, OSError for
    what is no reply."""
    code, text = reply[0], clean(_text(reply[1]))
    if code // 100 == digit:
        return code, text
    if 400 <= code < 600:
        raise _Refused(code, text)
    raise ConnectionError(f"a reply that makes no sense here: {code} {text}" if code > 0 else "a reply that is none")


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def _reason(error: Exception, talk: _Talk) -> str:
    """The fault in a few words, the password hidden should the server repeat it."""
    import smtplib

    if isinstance(error, NoAnswer):
        reason = error.fault.reason
    elif isinstance(error, smtplib.SMTPServerDisconnected):
        late = time.monotonic() >= talk.deadline.ends  # then it was we who closed it
        reason = f"no answer within {talk.deadline.seconds:g} s" if late else "the connection was lost"
    elif isinstance(error, smtplib.SMTPResponseException):
        reason = clean(f"{error.smtp_code} {_text(error.smtp_error)}")
    elif isinstance(error, _Refused | smtplib.SMTPException):
        reason = clean(str(error))
    elif isinstance(error, OSError):
        reason = fault_of("connect", error, talk.deadline).reason
    else:
        raise error
    return hide(f"{talk.settings.host}: {reason}", talk.password)
