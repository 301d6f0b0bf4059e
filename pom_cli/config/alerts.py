"""The `alerts` table of the config: who is notified, how often, and through which channels."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from pom_cli import channels
from pom_cli.frozen import dataclass
from pom_cli.text import one_line
from pom_cli.times import duration
from pom_cli.toml.address import is_loopback, origin
from pom_cli.toml.mailbox import mailbox
from pom_cli.toml.secrets import Secrets
from pom_cli.toml.table import Table, nearest, shown

TABLES = tuple(name for name in channels.CHANNELS if name != "console")
_ADDRESSES = 'a list like ["ops@example.com"]'
_REMIND = tuple(timedelta(hours=hours) for hours in (1, 6, 24))


@dataclass(frozen=True)
class Recipients:
    """A target's own `alerts`: recipients and channels; None for those of `[alerts]`."""

    to: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Escalation:
    """Who else is notified of an alert that has lasted this long since its first notice without an ack."""

    after: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True)
class Alerts:
    """How operators are notified. `settings` has the channels used by `[alerts]` or by any target."""

    to: tuple[str, ...]
    sender: str
    cooldown: timedelta
    remind: tuple[timedelta, ...]
    channels: tuple[str, ...]
    quorum: bool
    share: bool
    settings: Mapping[str, Any]
    escalate: tuple[Escalation, ...] = ()


def read(table: Table, known: Secrets, warnings: list[str], own: Iterable[Recipients] = ()) -> Alerts:
    """The `alerts` table; `own` are the targets' own, whose channels are set up here."""
    to = table.items("to", (), _recipient, _ADDRESSES)
    sender = table.read(
        "from", to[0] if to else "", lambda value: str(mailbox(value)), "an address like pom@example.com"
    )
    table.effective |= {"to": list(to)} | ({"from": sender} if sender else {})  # as they go over the wire
    cooldown = table.duration("cooldown", timedelta(minutes=5), "5m", low="0s", high="30d")
    remind = table.read("remind", _REMIND, _rising, 'a rising list of durations like ["1h", "6h", "24h"]')
    usual = ("postmark",) if known.get("POM_POSTMARK_TOKEN") and to else ("console",)
    names = _channels(table, usual)
    used = {*names, *(name for one in own for name in one.channels or ())}
    given = {name: _settings(name, table) for name in channels.CHANNELS if name in {*used, *table.data}}
    alerts = Alerts(
        to=tuple(dict.fromkeys(to)),
        sender=sender,
        cooldown=cooldown,
        remind=remind,
        channels=tuple(dict.fromkeys(names)),
        quorum=table.boolean("quorum", False),
        share=table.boolean("share", True),
        settings={name: found for name, found in given.items() if name in used},
        escalate=_escalate(table),
    )
    _check_channels(alerts, table)
    warnings += [*_silent(alerts, table, known), *_in_the_clear(alerts, table)]
    for name in TABLES:
        if name not in table.known:
            table.table(name)
    table.finish()
    return alerts


def _recipient(value: Any) -> str:
    found = mailbox(value)
    if found.name:
        raise ValueError("a recipient is a bare address")
    return found.address


def recipients(target: Table) -> Recipients:
    """The `alerts` of a target's table."""
    target.known.add("alerts")
    if "alerts" not in target.data:
        return Recipients()
    table = target.table("alerts")
    to = table.items("to", (), _recipient, _ADDRESSES)
    names = _channels(table, ())
    table.finish()
    return Recipients(
        tuple(dict.fromkeys(to)) if "to" in table.data else None,
        tuple(dict.fromkeys(names)) if "channels" in table.data else None,
    )


def _escalate(table: Table) -> tuple[Escalation, ...]:
    steps = []
    for each in table.tables("escalate") if "escalate" in table.data else ():
        for key, example in (("after", 'a duration like "30m"'), ("to", 'a list like ["second@example.com"]')):
            if key not in each.data:
                each.missing(key, example)
        after = each.duration("after", timedelta(minutes=30), "30m", low="1s", high="365d")
        steps.append(Escalation(after, each.items("to", (), _recipient, _ADDRESSES)))
        each.finish()
    table.known.add("escalate")
    return tuple(steps)


def _rising(value: Any) -> tuple[timedelta, ...]:
    steps = tuple(duration(step) for step in value) if isinstance(value, list) else None
    if steps is None or list(steps) != sorted(set(steps)) or any(step < timedelta(seconds=1) for step in steps):
        raise ValueError
    return steps


def _settings(name: str, table: Table) -> Any:
    return channels.load(name).parse(table.table(name) if name in TABLES else Table({}, "", []))


def _check_channels(alerts: Alerts, table: Table) -> None:
    for name in alerts.channels:
        if name in ("postmark", "smtp") and not table.data.get("to"):
            table.missing("to", f"a list of addresses, since channels has {name!r}")
    for name in alerts.settings:
        if name == "webhook" and not table.data.get("webhook"):
            table.table("webhook").missing("url", "a URL, since channels has 'webhook'")


def _silent(alerts: Alerts, table: Table, known: Secrets) -> list[str]:
    """What keeps the operators from hearing of anything, although the config is right."""
    unread = f" ({known.unreadable})" if known.unreadable else ""
    absent = "is neither in the environment nor in the env file" + unread
    told = []
    if not alerts.channels:
        told.append(f"{table.at('channels')}: empty: no alerts are sent")
    if "channels" not in table.data and alerts.to and "console" in alerts.channels:
        told.append(f"{table.at('to')}: nobody is notified: POM_POSTMARK_TOKEN {absent}")
    for name in alerts.settings:
        secret = channels.load(name).SECRET
        needed = name == "postmark" or bool(getattr(alerts.settings[name], "username", ""))
        if needed and not known.get(secret):
            told.append(f"{table.at('channels')}: {name!r} needs {secret}, which {absent}")
    return told


def _in_the_clear(alerts: Alerts, table: Table) -> list[str]:
    """Where a secret would go over a network unencrypted."""
    told = []
    smtp, postmark = (alerts.settings.get(name) for name in ("smtp", "postmark"))
    if smtp and smtp.exposes_password:
        told.append(
            f"{table.at('smtp')}.starttls: nothing is sent while it is false: the password would go to "
            f"{shown(smtp.host)} unencrypted; true would encrypt it, or port = 465"
        )
    if postmark:
        scheme, host, _ = origin(postmark.url)
        if scheme != "https" and not is_loopback(host):
            told.append(
                f"{table.at('postmark')}.url: {shown(postmark.url)} lets the token go there unencrypted; "
                "a URL with https:// would encrypt it"
            )
    return told


def _channels(table: Table, usual: tuple[str, ...]) -> tuple[str, ...]:
    names = table.items("channels", usual, one_line, 'a list like ["smtp"]')
    unknown = [name for name in names if name not in channels.CHANNELS]
    for name in unknown:
        hint = nearest(name, channels.CHANNELS)
        table.problems.append(f"{table.at('channels')}: unknown channel {shown(name)}{hint}")
    return tuple(name for name in names if name not in unknown)
