"""The kinds of check. Each is one file here; this is the only list of them.

A kind's module has

- `Settings`: frozen, what the config says of it; it carries `budget`, the seconds after which a look is given up
- `ALERTS`: the kinds of alert that its verdicts speak of
- `COVERED`: for those that the target's health can explain, which health does (the alert then stays quiet)
- `INTERVAL`: how often timers run it, None for the target's own interval
- `NETWORK`: whether looking needs the network (then an offline monitor makes it unknown)
- `adhoc(site)`: is it done for a bare URL
- `parse(table, site)`: the Settings; mistakes are noted in the table
- `subjects(settings)`: the subjects that it will report on
- `look(settings)`: the only I/O; gives plain data
- `judge(seen, settings, past, now)`: pure; gives a Finding for each subject
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from pom_cli.frozen import dataclass
from pom_cli.model import Finding, Past, State
from pom_cli.toml.table import Table

KINDS = {
    "health": "an HTTP request that must answer as expected, and its latency",
    "tls": "the certificate and the handshake of each host",
    "routes": "paths that must answer, each with a 2xx or the status given for it",
    "dns": "DNS records that must be as expected",
    "whois": "when the domain expires, over RDAP or WHOIS",
    "cors": "which origins a browser lets in, and which it must not",
    "tests": "the newest test run that was recorded: what fails, and how old it is",
}


@dataclass(frozen=True)
class Site:
    """What every kind may know of its target. The host is as it goes over the wire, without brackets."""

    name: str
    url: str
    scheme: str
    host: str
    port: int
    interval: timedelta
    verify: bool = True
    ca_file: str | None = None
    tls: bool = False  # the tls kind watches it, and tells when its certificate has expired
    resolvers: tuple[str, ...] = ()
    data_dir: str = ""


# A kind is on where the config has its table; these are on without one, for the sites for which this says so.
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

    ALERTS: tuple[str, ...]
    COVERED: Mapping[str, Callable[[State], bool]]
    INTERVAL: timedelta | None
    NETWORK: bool

    def adhoc(self, site: Site) -> bool: ...
    def parse(self, table: Table, site: Site) -> Settings: ...
    def subjects(self, settings: Any) -> tuple[str, ...]: ...
    def look(self, settings: Any) -> Any: ...
    def judge(self, seen: Any, settings: Any, past: Mapping[str, Past], now: datetime) -> list[Finding]: ...


@cache
def load(kind: str) -> Kind:
    """The module of one kind; it stays light until it looks."""
    return cast(Kind, import_module(f"pom_cli.checks.{kind}"))
