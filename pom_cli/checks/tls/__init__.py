"""tls: the certificate and the handshake of each host of a target, as a browser would meet them."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from pom_cli.checks import Site
from pom_cli.checks.steps import (
    CERTIFICATE_FAULT,
    CERTIFICATE_PATHS,
    RENEWAL,
    WEB_SERVER_RESTART,
    WEB_SERVER_STATUS,
    Section,
    Step,
    host_facts,
)
from pom_cli.frozen import dataclass
from pom_cli.idn import to_ascii
from pom_cli.model import ERROR, UNREACHABLE, Finding, Past, State
from pom_cli.toml.files import ca_file
from pom_cli.toml.table import Table, host_port

if TYPE_CHECKING:
    from pom_cli.checks.tls.sights import Sight

HELP = "the certificate and the handshake of each host"
INTERVAL: timedelta | None = timedelta(hours=1)
NETWORK = True

_AT_ONCE = 8  # hosts of one target, which are often one server
_ROUNDS = 3  # times the timeout: how long a target of many hosts may take at most
_HOST = 'a list of hosts like ["www.example.com", "example.com:8443"]'

Host = tuple[str, int] | tuple[str, int, str]  # with the protocol that upgrades by STARTTLS


HINTS = (
    ("warn", '"14d"', "before the certificate ends; never more than a third of its lifetime"),
    ("verify", "true", 'chain and host name; for a private CA: ca_file = "/etc/pom/origin-ca.pem"'),
    ("hosts", '["www.example.com"]', "further hosts, each with its port unless that is 443"),
)
RUNBOOK = {
    "tls-expiry": Section(
        "TLS Certificate Expiry",
        "Alert when certificate expires within 14 days.",
        (
            Step(
                "Verify:",
                ("openssl s_client -connect {connect} 2>/dev/null | openssl x509 -noout -dates",),
                lacking="starttls",
            ),
            Step(
                "Verify:",
                ("openssl s_client -connect {connect} -starttls {starttls} 2>/dev/null | openssl x509 -noout -dates",),
                having="starttls",
            ),
            Step(
                "{dns_provider} Origin CA certs (15-year): no renewal needed. "
                "If alert fires, check {web_server} config.",
                having="origin_ca",
            ),
            *CERTIFICATE_PATHS,
            *RENEWAL,
        ),
        plural="hosts",
        facts=host_facts,
    ),
    "tls-failed": Section(
        "TLS Check Failed",
        "Handshake timeout, certificate parse failure, or connection refused.",
        (
            Step("Verify:", ("openssl s_client -connect {connect} -servername {name}",), lacking="starttls"),
            Step(
                "Verify:",
                ("openssl s_client -connect {connect} -servername {name} -starttls {starttls}",),
                having="starttls",
            ),
            *CERTIFICATE_FAULT,
            *(
                replace(step, lacking="certificate")
                for step in (
                    WEB_SERVER_STATUS,
                    Step("Check if port {port} is open:", ("ssh {ssh} ss -tlnp | grep {port}",)),
                    WEB_SERVER_RESTART,
                )
            ),
            Step("Check status and logs of the server that ends TLS there", lacking="certificate web_server"),
        ),
        plural="hosts",
        facts=host_facts,
    ),
}


@dataclass(frozen=True)
class Settings:
    """Which hosts are looked at, which authorities are trusted, and when to warn of an expiry."""

    hosts: tuple[Host, ...]
    warn: timedelta = timedelta(days=14)
    verify: bool = True
    ca_file: str | None = None
    timeout_s: float = 10.0  # of one host: name, connection and handshakes together

    @property
    def rounds(self) -> int:
        return min(math.ceil(len(self.hosts) / _AT_ONCE), _ROUNDS)

    @property
    def budget(self) -> float:
        return self.timeout_s * self.rounds + 1


def health_explains(health: State) -> bool:
    """Is the target silent, or refused for its certificate: then health has told already why TLS fails."""
    verdict = health.verdicts.get("health")
    if verdict is None:
        return False
    certificate = verdict.status is ERROR and health.detail.get("phase") == "tls"
    return verdict.status is UNREACHABLE or certificate


COVERED: Mapping[str, Callable[[State], bool]] = {"tls-failed": health_explains}


def adhoc(site: Site) -> bool:
    return site.scheme == "https"


def parse(table: Table, site: Site) -> Settings:
    """The Settings from a target's `tls` table."""
    further = table.items("hosts", (), host, _HOST)
    own = (site.host, site.port) if site.scheme == "https" else (site.host, 443)
    hosts = further if further and site.scheme != "https" else (own, *further)
    timeout = table.duration("timeout", timedelta(seconds=10), "10s", low="100ms", high="5m")
    return Settings(
        hosts=tuple({subject(each): each for each in hosts}.values()),
        warn=table.duration("warn", timedelta(days=14), "14d"),
        verify=table.boolean("verify", True),
        ca_file=ca_file(table),
        timeout_s=timeout.total_seconds(),
    )


def facts(settings: Settings) -> Mapping[str, Any]:
    return {}


def subjects(settings: Settings) -> tuple[str, ...]:
    return tuple(map(subject, settings.hosts))


def subject(each: Host) -> str:
    """`makenot.work:443`, `[::1]:443`, `smtp://mail.example.com:25`."""
    name, port, *scheme = each
    place = f"[{name}]:{port}" if ":" in name else f"{name.removesuffix('.')}:{port}"
    return f"{scheme[0]}://{place}" if scheme else place


def look(settings: Settings) -> dict[str, "Sight"]:
    """What each host shows, by subject. A few are asked at once, and one that hangs holds up only itself."""
    from pom_cli.net import pool

    latest = time.monotonic() + settings.budget - settings.timeout_s
    waiting, seen = deque(settings.hosts), {}

    def lane(_: int) -> None:
        with suppress(IndexError):  # none waits any more
            while True:
                each = waiting.popleft()
                seen[subject(each)] = _see(each, settings, latest)

    lanes = range(min(len(settings.hosts), _AT_ONCE))
    if len(lanes) == 1:
        lane(0)
    for _, result in pool.each(lanes, lane, lambda _: settings.budget) if len(lanes) > 1 else ():
        if isinstance(result, Exception):
            raise result
    return {each: seen.get(each) or _late("this machine is too busy") for each in subjects(settings)}


def _see(each: Host, settings: Settings, latest: float) -> "Sight":
    """One host, unless it is so late that its own timeout would be more than the target's time."""
    from pom_cli.checks.tls.handshake import see
    from pom_cli.net.deadline import Deadline

    if time.monotonic() > latest:
        return _late("others of its target took all the time")
    name, port, *scheme = each
    return see(name, port, settings.verify, settings.ca_file, Deadline.after(settings.timeout_s), *scheme)


def _late(why: str) -> "Sight":
    from pom_cli.checks.tls.sights import Sight
    from pom_cli.net.faults import Fault

    return Sight(Fault("dns", f"not looked at: {why}", "ours"))


def judge(seen: Mapping[str, "Sight"], settings: Settings, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """A Finding for each host, with verdicts on `tls-expiry` and `tls-failed`."""
    from pom_cli.checks.tls.findings import finding

    return [finding(each, sight, settings.warn, past.get(each, Past()), now) for each, sight in seen.items()]


def host(value: Any) -> Host:
    """`"www.example.com"`, `"example.com:8443"` or `"smtp://mail.example.com"`, in the form that is sent. Raises
    ValueError."""
    from pom_cli.checks.tls.starttls import PORTS

    scheme, apart, rest = value.partition("://") if isinstance(value, str) else ("", "", value)
    if apart and scheme not in PORTS:
        raise ValueError(value)
    name, port = host_port(rest if apart else value, PORTS[scheme] if apart else 443)
    if ":" in name:
        ip_address(name)
    name = to_ascii(name).lower()
    return (name, port, scheme) if apart else (name, port)
