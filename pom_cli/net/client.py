"""How a check asks over HTTP and whom it trusts: the settings that health, routes and cors share."""

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta

from pom_cli.checks import Site, http_settings
from pom_cli.frozen import dataclass
from pom_cli.net.faults import EXPIRED, Fault
from pom_cli.toml.table import Table


@dataclass(frozen=True)
class Client:
    """Times are in seconds."""

    timeout_s: float = 10.0  # for a whole request
    attempts: int = 2
    pause_s: float = 2.0  # before what was bad is asked again
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    ca_file: str | None = None
    tls_tells: bool = False  # the target's tls check alerts about an expired certificate, so nobody else need

    def budget(self, attempt_s: float) -> float:
        """Seconds for all attempts, where one takes so many at most."""
        return self.attempts * attempt_s + (self.attempts - 1) * self.pause_s

    def leaves(self, fault: Fault) -> bool:
        """Whether this fault is left to the tls check."""
        return self.tls_tells and fault.reason == EXPIRED


def parse(table: Table, site: Site, url: str, headers: Mapping[str, str] | None = None) -> Client:
    """From the table of a check that asks this URL."""
    return Client(
        timeout_s=table.duration("timeout", timedelta(seconds=10), "10s", low="100ms", high="5m").total_seconds(),
        attempts=table.integer("attempts", 2, 1, 10),
        headers=headers or {},
        verify=site.verify,
        ca_file=site.ca_file,
        tls_tells=site.tls and http_settings.is_at(url, site),
    )
