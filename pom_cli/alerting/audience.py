"""Pure: who gets an alert: the recipients of its target, and the escalation recipients."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pom_cli import channels
from pom_cli.alerting.decide import slack
from pom_cli.config import Config
from pom_cli.model import Condition, Entry


def chain(config: Config, target: str) -> tuple[str, ...]:
    """The channels by which this target's alerts go out: each takes over what the one before refuses."""
    own = config.targets[target].alerts.channels if target in config.targets else None
    return config.alerts.channels if own is None else own


def to(config: Config, target: str) -> tuple[str, ...]:
    """The addresses that this target's alerts are for."""
    own = config.targets[target].alerts.to if target in config.targets else None
    return config.alerts.to if own is None else own


def recipients(config: Config, name: str, addresses: Sequence[str]) -> tuple[str, ...]:
    """The recipients of this channel: the addresses, or the channel's own name."""
    return channels.load(name).recipients(config.alerts.settings[name], addresses)


def way(config: Config, target: str, recipient: str) -> str:
    """The first of the target's channels that reaches this recipient, "" where none does."""
    return next((name for name in chain(config, target) if recipient in recipients(config, name, (recipient,))), "")


def usual(config: Config, target: str, unreached: Sequence[str] = ()) -> list[str]:
    """The recipients of a target's alerts, on the first channel that reaches anybody but the `unreached`."""
    addresses = to(config, target)
    found = ([one for one in recipients(config, name, addresses) if one not in unreached]
             for name in chain(config, target))  # fmt: skip
    return next(filter(None, found), [])


def of(
    config: Config, condition: Condition, entries: Mapping[str, Entry], now: datetime, acked: bool = False
) -> tuple[list[str], list[str]]:
    """The regular recipients of this alert, and its escalation recipients, now or earlier.

    A mail cannot report that mail does not arrive: the subjects of `delivery-failed` are left out.
    """
    out = condition.subjects if condition.alert == "delivery-failed" else ()
    always = usual(config, condition.target, out)
    first = min((at for one in always if (at := _first(entries.get(one)))), default=None)
    more: dict[str, None] = {}
    for step in config.alerts.escalate:
        due = first is not None and not acked and now - first >= step.after - slack(step.after)
        for one in mailed(config, chain(config, condition.target), step.to):
            if one not in always and one not in out and (due or entries.get(one, Entry()).status is not None):
                more[one] = None
    return always, list(more)


def _first(entry: Entry | None) -> datetime | None:
    return entry.told.first_at if entry and entry.told.status is not None else None


def mailed(config: Config, names: Sequence[str], addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses that the first of these channels to send mail reaches."""
    found = (recipients(config, name, addresses) for name in names)
    return next((ones for ones in found if set(ones) <= set(addresses)), ())


def everyone(config: Config) -> set[str]:
    """Every possible recipient, over all channels in use."""
    named = [config.alerts.to, *(one.alerts.to or () for one in config.targets.values())]
    addresses = [*(one for ones in named for one in ones), *(one for step in config.alerts.escalate for one in step.to)]
    return {*addresses, *(one for name in config.alerts.settings for one in recipients(config, name, addresses))}
