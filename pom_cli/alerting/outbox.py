"""Delivery: claim what is due, send it, write down how each row ended. Every run that alerts drains what is left."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from pom_cli import channels
from pom_cli.alerting import audience
from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.model import ERROR, OPERATIONAL, Condition, Mail, Outcome
from pom_cli.store import ledger, retry
from pom_cli.store import outbox as rows
from pom_cli.text import clean, listed

if TYPE_CHECKING:
    from pom_cli.store.spare import Database

SEND_TIMEOUT = 20.0  # seconds for one channel's whole batch; the lease is longer

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Report:
    """How a drain went. `faults` are bugs in PoM; delivery faults are in the rows."""

    delivered: int = 0
    faults: tuple[str, ...] = ()


def drain(database: "Database", config: Config, clock: Clock, console: str = "stdout") -> Report:
    """Deliver what is due, each row through its channel, and on to the next channel after a permanent fault."""
    delivered, faults = 0, []
    database.write(partial(_wake, config=config, now=clock()))
    # A row can move once to each further channel, and one that waited is tried again once its channel works.
    for _ in range(len(config.alerts.settings) + 2):
        lease = uuid4().hex
        claimed = database.write(partial(rows.claim, lease=lease, now=clock()))
        if not claimed:
            break
        for name, mails in claimed.items():
            outcomes, fault = _send(name, mails, config, console, clock())
            faults += [fault] if fault else []
            database.write(partial(_settle, channel=name, mails=mails, outcomes=outcomes, lease=lease, config=config,
                                   now=clock()))  # fmt: skip
            delivered += sum(1 for outcome in outcomes if outcome.provider_id is not None)
    return Report(delivered, tuple(faults))


def _wake(db: sqlite3.Connection, config: Config, now: datetime) -> None:
    """Take back what is for nobody of today's config, and queue again what was given up and is worth another try."""
    ledger.withdraw_strangers(db, sorted(audience.everyone(config)))
    for name in config.alerts.settings:
        retry.changed(db, now, name, fingerprint(name, config))
    retry.due(db, now, list(config.alerts.settings))


def fingerprint(name: str, config: Config) -> str:
    """Tells one way of reaching people from another, by all that the config says of it, without holding a secret."""
    from hashlib import sha256

    secret = config.secrets.get(channels.load(name).SECRET)
    alerts = config.alerts
    parts = (name, repr(alerts.settings.get(name)), alerts.sender, secret, *alerts.channels, "to", *alerts.to)
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def _send(name: str, mails: Sequence[Mail], config: Config, console: str, now: datetime) -> tuple[list[Outcome], str]:
    """One Outcome for each mail, and what is wrong with our own code, if anything."""
    alerts = config.alerts
    if name not in alerts.settings:
        return [Outcome(m.id, error=f"{name} is no longer among the channels", permanent=True) for m in mails], ""
    channel = channels.load(name)
    secret = config.secrets.get(channel.SECRET)
    if name == "postmark" and not secret:
        return [Outcome(m.id, error=f"{channel.SECRET} is not set", permanent=True) for m in mails], ""
    settings = alerts.settings[name]
    if name == "console":
        settings = replace(settings, stream_name=console)
    from pom_cli.messages.compose import delayed

    mails = [delayed(mail, now) for mail in mails]
    try:
        outcomes = channel.send(mails, settings, alerts.sender, secret, SEND_TIMEOUT)
    # A bug in one way out must not keep the others from speaking; it is shown, and the run ends with 3.
    except Exception as error:  # noqa: BLE001
        text = clean(f"{type(error).__name__}: {error}")
        return [Outcome(m.id, error=text, unsure=True) for m in mails], f"channel {name} failed: {text}"
    answered = {outcome.mail_id: outcome for outcome in outcomes}
    return [answered.get(m.id, Outcome(m.id, error="the channel said nothing of it", unsure=True)) for m in mails], ""


def _settle(
    db: sqlite3.Connection,
    channel: str,
    mails: Sequence[Mail],
    outcomes: Sequence[Outcome],
    lease: str,
    config: Config,
    now: datetime,
) -> None:
    if any(outcome.provider_id is not None for outcome in outcomes):
        rows.hasten(db, channel, now)
    for mail, outcome in zip(mails, outcomes, strict=True):
        row, error = rows.row_id(mail.id), outcome.error or ""
        following = _next(channel, _chain(mail, config))
        if outcome.provider_id is not None:
            rows.delivered(db, row, lease, outcome.provider_id, now)
            retry.reached(db, now, channel, mail.recipient)
        elif not outcome.permanent:
            late = rows.postponed(db, mail, lease, error, outcome.unsure, now, outcome.retry_after_s or 0)
            if late and following:
                _pass_on(db, mail, following, config, now)
        else:
            state = rows.MOVED if following else rows.GIVEN_UP
            if rows.failed(db, row, lease, state, error, fingerprint(channel, config), now) and following:
                _pass_on(db, mail, following, config, now)


def _target(mail: Mail) -> str:
    """The target of a message; if it has several, all of them use the same channels."""
    return next((str(one["target"]) for one in mail.payload.get("notices") or ()), "")


def _chain(mail: Mail, config: Config) -> Sequence[str]:
    return audience.chain(config, _target(mail))


def _next(channel: str, names: Sequence[str]) -> str:
    """The channel after this one, "" after the last; the first where this one is not among them any more."""
    following = names.index(channel) + 1 if channel in names else 0
    return names[following] if following < len(names) else ""


def _pass_on(db: sqlite3.Connection, mail: Mail, channel: str, config: Config, now: datetime) -> None:
    addresses = (mail.recipient,) if "@" in mail.recipient else audience.to(config, _target(mail))
    recipients = audience.recipients(config, channel, addresses)
    rows.enqueue(db, mail.id.rpartition("-")[0], channel, recipients, now)


def enqueue(db: sqlite3.Connection, message: str, config: Config, now: datetime) -> int:
    """Rows for a message that is about no target, on the first channel that reaches anybody; returns their number."""
    for name in config.alerts.channels:
        recipients = audience.recipients(config, name, config.alerts.to)
        if recipients:
            rows.enqueue(db, message, name, recipients, now)
            return len(recipients)
    return 0


def delivery_condition(db: sqlite3.Connection, config: Config) -> Condition:
    """Does a permanent fault keep a recipient from being reached, on a channel in use.

    Faults under other credentials than the current ones do not count.
    """
    known = audience.everyone(config)
    found = [
        (channel, recipient, error)
        for channel, recipient, error, credentials in rows.newest_faults(db)
        if recipient in known and channel in config.alerts.settings and credentials == fingerprint(channel, config)
    ]
    return Condition(
        target="",
        alert="delivery-failed",
        status=ERROR if found else OPERATIONAL,
        summary=listed(f"{channel} to {recipient}: {error}" for channel, recipient, error in found)
        or "delivered again",
        subjects=tuple(sorted({recipient for _, recipient, _ in found})),
    )


def undelivered(db: sqlite3.Connection, config: Config) -> list[rows.Row]:
    """The undelivered rows of recipients in the config: queued ones, and those given up."""
    known = audience.everyone(config)
    return [row for row in rows.waiting(db) if row.recipient in known]
