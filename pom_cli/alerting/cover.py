"""Pure: which outages explain which alert, so that one trouble speaks once."""

from collections.abc import Mapping
from datetime import datetime

from pom_cli import checks
from pom_cli.config.targets import Target, explained_by
from pom_cli.model import ERROR, SEVERITY, State, down


def covers(
    target: Target, kind: str, alert: str, targets: Mapping[str, Target], health: Mapping[str, State]
) -> tuple[tuple[str, str], ...]:
    """The alerts that explain this one to those who got them: the target's own health, and what it depends on.

    `health` has the targets whose health the config has; what it has no more explains nothing.
    """
    covered = checks.load(kind).COVERED
    own = health.get(target.name)
    found = [target.name] if own and alert in covered and covered[alert](own) else []
    if alert in covered or alert == "health":
        needed = sorted(explained_by(target.name, targets) - {target.name})
        found += [name for name in needed if down(health.get(name))]
    return tuple((name, which) for name in found for which in _outages(health[name]))


def stale(
    target: Target,
    kind: str,
    alert: str,
    targets: Mapping[str, Target],
    health: Mapping[str, State],
    checked_at: datetime,
) -> str:
    """Whose health came back after this alert was last looked at, "" for nobody's: it may be over with that outage."""
    covered = alert in checks.load(kind).COVERED
    names = sorted(explained_by(target.name, targets) - set(() if covered else (target.name,)))
    back = [name for name in names if name in health and not down(health[name])] if covered or alert == "health" else []
    return next((name for name in back if (since := health[name].known_since) and since > checked_at), "")


def _outages(health: State) -> list[str]:
    """The alerts in which an outage speaks: `health`, or `tls-expiry` where that is why nothing works."""
    return [alert for alert, verdict in health.verdicts.items() if SEVERITY[verdict.status] >= SEVERITY[ERROR]]
