"""What a first config may say of a site, and the trial that each proposal must pass before it is written."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from pom_cli import checks
from pom_cli.checks import Site
from pom_cli.frozen import dataclass
from pom_cli.model import Finding
from pom_cli.toml.table import Table


@dataclass(frozen=True)
class Proposal:
    """What the config should contain for one kind. The notes may contain text from outside."""

    settings: Mapping[str, Any] | bool | None = None  # as TOML has them; False: switched off; None: nothing is said
    notes: tuple[str, ...] = ()  # what was seen, a line each
    told: str = ""  # the same in a few words


@dataclass(frozen=True)
class Found:
    """One site as it is today. `kinds` is by kind; what could not be looked at has none."""

    typed: str  # the URL as it was given
    url: str  # the one to watch
    kinds: Mapping[str, Proposal] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unseen: str = ""  # why nothing of it could be looked at


def trial(
    kind: str, settings: Mapping[str, Any], site: Site, seconds: float, now: datetime, **once: Any
) -> list[Finding]:
    """What this kind finds at the site, asked by these settings. None where the config would not take them.

    `seconds` is the kind's own timeout; `once` are settings for this look alone, such as the number of attempts.
    """
    table = Table({**settings, **once, "timeout": f"{max(100, round(seconds * 1000))}ms"}, kind, [])
    module = checks.load(kind)
    read = module.parse(table, site)
    table.finish()
    return [] if table.problems else module.judge(module.look(read), read, {}, now)
