"""A mail server over SMTP: one connection for all mails, a separate transaction for each."""

import io
from collections import deque
from collections.abc import Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pom_cli.channels.letter import letter
from pom_cli.channels.mail_socket import Replies, encrypted
from pom_cli.frozen import dataclass
from pom_cli.idn import to_ascii
from pom_cli.model import Mail, Outcome
from pom_cli.net.net import Deadline, NoAnswer, connect, fault_of
from pom_cli.text import clean, hide
from pom_cli.toml import address
from pom_cli.toml.files import ca_file
from pom_cli.toml.mailbox import mailbox
from pom_cli.toml.table import Table

if TYPE_CHECKING:
    import smtplib
    import socket

SECRET = "POM_SMTP_PASSWORD"  # noqa: S105 - the variable's name, not its value
IMPLICIT_TLS_PORT = 465  # RFC 8314, 3.3
_PIECE = 1 << 14  # bytes; each is sent within the time that is left


@dataclass(frozen=True)
class Settings:
    """The server. TLS is implicit on port 465; elsewhere `starttls` demands it. No user name: no login."""

    host: str = "localhost"
    port: int = 25
    starttls: bool = False
    username: str = ""
    ca_file: str | None = None  # trusted beside the system's roots

    @property
    def implicit_tls(self) -> bool:
        return self.port == IMPLICIT_TLS_PORT

    @property
    def exposes_password(self) -> bool:
        """Would the password cross a network unencrypted."""
        encrypted = self.starttls or self.implicit_tls
        return bool(self.username) and not encrypted and not address.is_loopback(self.host)


@dataclass(frozen=True)
class _Call:
    """What every connection of one `send` needs."""

    settings: Settings
    password: str = field(repr=False)
    deadline: Deadline


def parse(table: Table) -> Settings:
    """The `smtp` table of `[alerts]`."""
    usual = Settings()
    settings = Settings(
        host=table.read("host", usual.host, _host, "a host name or an IP address"),
        port=table.integer("port", usual.port, 1, 65535),
        starttls=table.boolean("starttls", usual.starttls),
        username=table.read("username", usual.username, _username, "a user name in ASCII, or empty for no login"),
        ca_file=ca_file(table),
    )
    table.finish()
    return settings


def _host(value: Any) -> str:
    return address.host(value if value.isascii() else to_ascii(value))


def _username(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or not value.isascii():
        raise ValueError
    return value


def recipients(settings: Settings, to: Sequence[str]) -> tuple[str, ...]:
    """One row an address."""
    return tuple(to)


def send(mails: Sequence[Mail], settings: Settings, sender: str, secret: str, timeout: float) -> list[Outcome]:
    """Hand them over, each in a separate transaction. `timeout` in seconds, for everything.

    A 5xx at any step is permanent (RFC 5321, 4.2.1), a 4xx and the network's faults are not. A mail that may have
    arrived is sent again: SMTP cannot be asked, and the repeated Message-ID lets readers drop it.
    """
    call = _Call(settings, secret, Deadline.after(timeout))
    waiting, outcomes = deque(mails), list[Outcome]()
    while waiting:
        try:
            server = _open(call)
        except (OSError, NoAnswer) as error:
            reason, permanent = _fault(error, call)
            return outcomes + [Outcome(mail.id, error=reason, permanent=permanent) for mail in waiting]
        # A connection that one mail has cost is opened again for those behind it.
        while waiting and server.sock:
            outcomes.append(_deliver(waiting.popleft(), sender, server, call))
        _quit(server)
    return outcomes


def probe(settings: Settings, secret: str, timeout: float) -> str:
    """Connect, encrypt and log in, and no more: what is wrong, "" for nothing."""
    call = _Call(settings, secret, Deadline.after(timeout))
    try:
        _quit(_open(call))
    except (OSError, NoAnswer) as error:
        return _fault(error, call)[0]
    return ""


def _open(call: _Call) -> "smtplib.SMTP":
    """A connection that is greeted, encrypted where that is asked for, and logged in. Raises NoAnswer and OSError."""
    import smtplib

    settings = call.settings
    if unusable := _unusable(settings, call.password):
        raise smtplib.SMTPNotSupportedError(unusable)
    sock = connect(settings.host, settings.port, call.deadline).sock
    server = smtplib.SMTP(local_hostname=_own_name(sock))
    _talk_over(_encrypted(sock, call) if settings.implicit_tls else sock, server, call)
    try:
        _expect(server.getreply(), 2)
        hello = server.ehlo()
        # An old server does not know the command (RFC 5321, 4.2.2); any other no is meant.
        _expect(server.helo() if 500 <= hello[0] <= 504 else hello, 2)
        if settings.starttls and not settings.implicit_tls:
            if not server.has_extn("starttls"):
                raise smtplib.SMTPNotSupportedError("STARTTLS is configured, and the server does not offer it")
            _expect(server.docmd("STARTTLS"), 2)
            _talk_over(_encrypted(sock, call), server, call)
            _expect(server.ehlo(), 2)
        if settings.username:
            _log_in(server, call)
        return server
    except (OSError, NoAnswer):
        server.close()
        raise


def _unusable(settings: Settings, password: str) -> str:
    if not settings.username:
        return ""
    if not password:
        return f"{SECRET} is not set, and there is a username"
    if not password.isascii():
        return f"{SECRET} has characters beyond ASCII"
    return "a password goes over TLS alone; set smtp.starttls = true" if settings.exposes_password else ""


def _talk_over(sock: "socket.socket", server: "smtplib.SMTP", call: _Call) -> None:
    """From here on over this socket; what was read ahead from another one counts for nothing (RFC 3207, 6)."""
    server.sock, server.file = sock, io.BufferedReader(Replies(sock, call.deadline))


def _encrypted(sock: "socket.socket", call: _Call) -> "socket.socket":
    return encrypted(sock, call.settings.host, call.settings.ca_file, call.deadline)


def _log_in(server: "smtplib.SMTP", call: _Call) -> None:
    """By each way that both sides know, until one is accepted: some servers offer more than they have.

    smtplib's own `login` forgets a refusal after which the server hangs up.
    """
    import smtplib

    server.user, server.password = call.settings.username, call.password
    offered = server.esmtp_features.get("auth", "").upper().split()
    fault: OSError = smtplib.SMTPNotSupportedError("a username is configured, and the server offers no known login")
    for name in (name for name in ("PLAIN", "LOGIN", "CRAM-MD5") if name in offered):
        try:
            server.auth(name, getattr(server, "auth_" + name.lower().replace("-", "_")))
            return
        except smtplib.SMTPAuthenticationError as error:
            fault = error
        except smtplib.SMTPServerDisconnected as error:
            raise (fault if _refusal(fault) else error) from None
        except ValueError as error:  # a challenge that is not base64
            fault = ConnectionError(f"the login broke off: {error}")
    raise fault


def _own_name(sock: "socket.socket") -> str:
    """What to say in EHLO: the host's full name where it has one, else its address (RFC 5321, 4.1.3). Never asked of
    a resolver: that it does not answer may be what the mail is about."""
    import socket

    name, ip = socket.gethostname(), sock.getsockname()[0]
    literal = f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"
    return name if "." in name and name.isascii() else literal


def _quit(server: "smtplib.SMTP") -> None:
    """Say goodbye without waiting for the answer: what matters has been answered."""
    import contextlib

    with contextlib.suppress(OSError):  # it is closed already
        server.putcmd("QUIT")
    server.close()


def _deliver(mail: Mail, sender: str, server: "smtplib.SMTP", call: _Call) -> Outcome:
    """One transaction (RFC 5321, 3.3). It closes a connection that must not be used again."""
    try:
        origin, recipient = mailbox(sender).address, mailbox(mail.recipient).address
        content = letter(mail, sender, datetime.now(UTC))
    except ValueError as error:
        return Outcome(mail.id, error=str(error), permanent=True)
    doubtful = False
    try:
        _offer(content, origin, recipient, server, call.deadline)
        doubtful = True  # only now: without its last line nothing is accepted
        server.send(b".\r\n")
        return Outcome(mail.id, provider_id=_shown(*_expect(server.getreply(), 2), call))
    except OSError as error:  # SMTPException is one
        reason, permanent = _fault(error, call)
        refused = _refusal(error)
        if refused in (0, 421):  # out of step, or closed by the server (RFC 5321, 3.8)
            server.close()
        return Outcome(mail.id, error=reason, permanent=permanent, unsure=doubtful and not refused)


def _offer(content: bytes, origin: str, recipient: str, server: "smtplib.SMTP", deadline: Deadline) -> None:
    """Everything but the line that ends the mail. Raises OSError."""
    import smtplib

    assert server.sock is not None  # noqa: S101 - for the type checker: nobody offers on a closed connection
    server.sock.settimeout(deadline.remaining())
    international = not (origin + recipient).isascii()
    if international and not server.has_extn("smtputf8"):
        raise smtplib.SMTPResponseException(553, b"the server takes no such address: it does not offer SMTPUTF8")
    server.rset()  # a refused mail before this one must leave nothing behind
    _expect(server.mail(origin, ["SMTPUTF8", "BODY=8BITMIME"] if international else []), 2)
    _expect(server.rcpt(recipient), 2)
    _expect(server.docmd("DATA"), 3)
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    for start in range(0, len(stuffed), _PIECE):
        server.sock.settimeout(deadline.remaining())
        server.send(stuffed[start : start + _PIECE])


def _expect(reply: tuple[int, bytes], digit: int) -> tuple[int, bytes]:
    """The reply, where its first digit (RFC 5321, 4.2.1) is this one. Raises SMTPResponseException."""
    import smtplib

    if reply[0] // 100 != digit:
        raise smtplib.SMTPResponseException(*reply)
    return reply


def _refusal(error: Exception) -> int:
    """The code of the server's no, 0 where the error is anything else."""
    code, said = getattr(error, "smtp_code", 0), getattr(error, "smtp_error", b"")
    return code if 400 <= code < 600 and isinstance(said, bytes) else 0  # a str is smtplib's own: a line too long


def _fault(error: OSError | NoAnswer, call: _Call) -> tuple[str, bool]:
    """What is wrong in a few words, and whether waiting will not mend it: the server's 5xx, and what the config
    demands and the server, or this installation, does not have."""
    import smtplib

    code, permanent = _refusal(error), False
    if isinstance(error, NoAnswer):
        reason = error.fault.reason
    elif isinstance(error, smtplib.SMTPServerDisconnected):
        late = isinstance(error.__context__, TimeoutError)
        reason = f"no answer within {call.deadline.seconds:g} s" if late else "the connection was lost"
    elif isinstance(error, smtplib.SMTPResponseException):
        kind = "login refused: " if isinstance(error, smtplib.SMTPAuthenticationError) else ""
        said = _shown(error.smtp_code, error.smtp_error, call)
        reason, permanent = kind + said if code else f"a reply that makes no sense here: {said}", code >= 500
    elif isinstance(error, smtplib.SMTPException):
        reason, permanent = str(error), True
    else:
        reason = fault_of("connect", error, call.deadline).reason
    return f"{call.settings.host}: {reason}", permanent


def _shown(code: int, text: bytes | str, call: _Call) -> str:
    """A reply without the password, should the server repeat it: as it is, or as AUTH LOGIN and AUTH PLAIN send it."""
    import base64

    said, password = text.decode("utf-8", "replace") if isinstance(text, bytes) else text, call.password
    for sent in (password, f"\0{call.settings.username}\0{password}") if password else ():
        said = hide(hide(said, base64.b64encode(sent.encode()).decode().rstrip("=")), sent)
    return clean(f"{code} {said}")
