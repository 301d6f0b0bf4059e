"""The ways out for messages. Each is one file here; this is the only list of them.

A channel's module has

- `Settings`: frozen, from its table under `[alerts]`
- `parse(table)`: the Settings; mistakes are noted in the table
- `SECRET`: the environment variable with its secret, "" for none
- `recipients(settings, to)`: the rows that one message becomes: an address each, or one fixed name
- `send(mails, settings, sender, secret, timeout)`: one Outcome for each mail, whatever happens; `timeout` in
  seconds, for everything. It raises nothing for the network's faults; a bug of ours may raise, and the rows then stay.
- `probe(settings, secret, timeout)`: what is wrong with this way out, "" for nothing, tried without a message; None
  where only a message would tell
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from pom_cli.model import Mail, Outcome
from pom_cli.toml.table import Table

CHANNELS = {
    "postmark": "Postmark's HTTP API",
    "smtp": "a mail server",
    "webhook": "an HTTP endpoint that takes the notices as JSON",
    "alertmanager": "Prometheus's Alertmanager, which groups, routes and pages",
    "console": "this process's own output",
}


class Channel(Protocol):
    """A channel's module, as listed above."""

    SECRET: str

    def parse(self, table: Table) -> Any: ...
    def recipients(self, settings: Any, to: Sequence[str]) -> tuple[str, ...]: ...
    def probe(self, settings: Any, secret: str, timeout: float) -> str | None: ...
    def send(self, mails: Sequence[Mail], settings: Any, sender: str, secret: str, timeout: float) -> list[Outcome]: ...


def load(name: str) -> Channel:
    """The module of one channel; it stays light until it sends."""
    return cast(Channel, import_module(f"pom_cli.channels.{name}"))
