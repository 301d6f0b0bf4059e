"""The kinds of check. Each is one file here; this is the only list of them.

A kind's module has

- `Settings`: frozen, what the config says of it; it carries `budget`, the seconds after which a look is given up
- `HELP`: what it checks, in one line
- `HINTS`: what its table in a first config may hold: the key, a value, a remark
- `RUNBOOK`: for each of its kinds of alert the steps to take
- `COVERED`: for those that the target's health can explain, which health does (the alert then stays quiet)
- `INTERVAL`: how often timers run it, None for the target's own interval
- `NETWORK`: whether looking needs the network (then an offline monitor makes it unknown)
- `adhoc(site)`: is it done for a bare URL
- `parse(table, site)`: the Settings; mistakes are noted in the table
- `facts(settings)`: what the runbook's steps may name, besides its subjects
- `subjects(settings)`: the subjects that it will report on
- `look(settings)`: the only I/O; returns plain data
- `judge(seen, settings, past, now)`: pure; returns a Finding for each subject
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from pom_cli.checks.steps import Section
from pom_cli.frozen import dataclass
from pom_cli.model import OWN_ALERTS, Finding, Past, State
from pom_cli.toml.secrets import Secrets
from pom_cli.toml.table import Table

# Each kind of check, with the kinds of alert that it raises.
KINDS: Mapping[str, tuple[str, ...]] = {
    "health": ("health", "latency-drift"),
    "tls": ("tls-expiry", "tls-failed"),
    "routes": ("route",),
    "dns": ("dns",),
    "whois": ("whois-expiry", "whois-unknown"),
    "cors": ("cors",),
    "port": ("port",),
    "tests": ("test-failed", "test-stale"),
}
# What else a kind may find: an expired certificate is `tls-expiry`, whichever check finds it first.
COMES_UPON: Mapping[str, tuple[str, ...]] = dict.fromkeys(("health", "routes", "cors"), ("tls-expiry",))


@dataclass(frozen=True)
class Site:
    """What every kind may know of its target. The host is in wire format, without brackets."""

    name: str
    url: str
    scheme: str
    host: str
    port: int
    interval: timedelta
    verify: bool = True
    ca_file: str | None = None
    resolvers: tuple[str, ...] = ()
    data_dir: str = ""
    secrets: Secrets = field(default_factory=Secrets, repr=False, compare=False)


# A kind is on if the config has its table; these are on without one, for the sites that match.
ON_BY_DEFAULT: Mapping[str, Callable[[Site], bool]] = {
    "health": lambda _: True,
    "tls": lambda site: site.scheme == "https",
}


class Settings(Protocol):
    """What the engine asks of any kind's settings."""

    @property
    def budget(self) -> float:
        """Seconds after which the whole look is given up, every attempt and pause included."""


class Kind(Protocol):
    """A kind's module, as listed above."""

    HELP: str
    HINTS: tuple[tuple[str, str, str], ...]
    RUNBOOK: Mapping[str, Section]
    COVERED: Mapping[str, Callable[[State], bool]]
    INTERVAL: timedelta | None
    NETWORK: bool

    def adhoc(self, site: Site) -> bool: ...
    def parse(self, table: Table, site: Site) -> Settings: ...
    def facts(self, settings: Any) -> Mapping[str, Any]: ...
    def subjects(self, settings: Any) -> tuple[str, ...]: ...
    def look(self, settings: Any) -> Any: ...
    def judge(self, seen: Any, settings: Any, past: Mapping[str, Past], now: datetime) -> list[Finding]: ...


@cache
def load(kind: str) -> Kind:
    """The module of one kind; it stays light until it looks."""
    return cast(Kind, import_module(f"pom_cli.checks.{kind}"))


def kind_of(alert: str) -> str:
    """The kind of check that raises this kind of alert; "" for alerts about PoM itself."""
    return next((kind for kind, alerts in KINDS.items() if alert in alerts), "")


def raises(kind: str) -> tuple[str, ...]:
    """The kinds of alert that findings of this kind may have a verdict on."""
    return KINDS[kind] + COMES_UPON.get(kind, ())


def alert_names() -> tuple[str, ...]:
    """Every kind of alert: those of the kinds of check, then those about PoM itself."""
    return (*(alert for alerts in KINDS.values() for alert in alerts), *OWN_ALERTS)
