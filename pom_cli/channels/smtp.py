"""A mail server over SMTP: one conversation for all the mails, an answer of its own for each."""

import re
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pom_cli.channels.conversation import Refused, Talk, close, expect, open_, reason_of, watched
from pom_cli.channels.letter import address, letter
from pom_cli.frozen import dataclass
from pom_cli.model import Mail, Outcome
from pom_cli.net.deadline import Deadline
from pom_cli.text import clean
from pom_cli.toml.table import Table, idna

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
    with watched(_talk(settings, secret, timeout)) as talk:
        return _converse(mails, sender, talk)


def probe(settings: Settings, secret: str, timeout: float) -> str:
    """Connect, encrypt and log in, and no more: what is wrong, "" for nothing."""
    error = _unusable(settings, secret)
    if error:
        return error
    with watched(_talk(settings, secret, timeout)) as talk:
        fault = open_(talk)
        close(talk)
    return fault[0] if fault else ""


def _talk(settings: Settings, secret: str, timeout: float) -> Talk:
    return Talk(
        host=settings.host,
        port=settings.port,
        implicit_tls=settings.port == IMPLICIT_TLS_PORT,
        starttls=settings.starttls,
        username=settings.username,
        password=secret,
        deadline=Deadline.after(timeout),
    )


def _unusable(settings: Settings, secret: str) -> str:
    if not settings.username or (secret and secret.isascii()):
        return ""
    return f"{SECRET} has characters beyond ASCII" if secret else f"{SECRET} is not set, and there is a username"


def _converse(mails: Sequence[Mail], sender: str, talk: Talk) -> list[Outcome]:
    """An Outcome for each mail. A connection that one mail has cost is opened again for those behind it."""
    waiting, outcomes = deque(mails), list[Outcome]()
    while waiting:
        fault = open_(talk)
        if fault:
            error, permanent = fault
            return outcomes + [Outcome(mail.id, error=error, permanent=permanent) for mail in waiting]
        alive = True
        while waiting and alive:
            outcome, alive = _deliver(waiting.popleft(), sender, talk)
            outcomes.append(outcome)
        close(talk)
    return outcomes


def _deliver(mail: Mail, sender: str, talk: Talk) -> tuple[Outcome, bool]:
    """The mail's Outcome, and whether the connection is of use after it."""
    talk.offered = False
    try:
        return Outcome(mail.id, provider_id=_hand_over(mail, sender, talk)), True
    except Refused as error:
        # A server that answers 421 closes the connection (RFC 5321, 3.8).
        outcome = Outcome(mail.id, error=reason_of(error, talk), permanent=error.code >= 500)
        return outcome, error.code != 421
    except ValueError as error:
        return Outcome(mail.id, error=str(error), permanent=True), True
    except OSError as error:  # SMTPException is one
        return Outcome(mail.id, error=reason_of(error, talk), unsure=talk.offered), False


def _hand_over(mail: Mail, sender: str, talk: Talk) -> str:
    """One transaction (RFC 5321, 3.3): the server's reply to the data. Raises Refused, OSError, and
    ValueError for an address that is none."""
    server, origin, recipient = talk.server, address(sender), address(mail.recipient)
    assert server is not None and server.sock is not None  # noqa: S101 - for the type checker: `open_` went well
    server.sock.settimeout(talk.deadline.remaining())
    international = not (origin + recipient).isascii()
    if international and not server.has_extn("smtputf8"):
        raise Refused(553, "the server takes no addresses beyond ASCII: it does not offer SMTPUTF8")
    server.docmd("RSET")  # a refused mail before this one must leave nothing behind
    expect(server.mail(origin, ["SMTPUTF8", "BODY=8BITMIME"] if international else []), 2)
    expect(server.rcpt(recipient), 2)
    expect(server.docmd("DATA"), 3)
    content = letter(mail, sender, datetime.now(UTC), international)
    server.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    talk.offered = True  # only now: without its last line nothing is accepted
    code, text = expect(server.getreply(), 2)
    return clean(f"{code} {text}")
