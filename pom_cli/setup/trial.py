"""A kind of check tried out with settings that a config might get: only what passes here can be green there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pom_cli import checks
from pom_cli.checks import Site
from pom_cli.model import Finding
from pom_cli.toml.table import Table


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
