"""Pure: which outage explains which alert, so that one trouble speaks once."""

from collections.abc import Mapping

from pom_cli import checks
from pom_cli.config import Target
from pom_cli.model import ERROR, UNREACHABLE, State


def held(target: Target, kind: str, alert: str, targets: Mapping[str, Target], health: Mapping[str, State]) -> str:
    """What explains this alert and so keeps it quiet: the target's own health, or an outage of what it depends on."""
    covered = checks.load(kind).COVERED
    own = health.get(target.name)
    if own and alert in covered and covered[alert](own):
        return "cover"
    explained = alert in covered or alert == "health"
    return "cover" if explained and any(down(health.get(name)) for name in explaining(target, targets)) else ""


def down(health: State | None) -> bool:
    """Is this health known to be unreachable or in error."""
    return health is not None and health.known in (UNREACHABLE, ERROR)


def explaining(target: Target, targets: Mapping[str, Target]) -> set[str]:
    """Every target that this one depends on, however deep."""
    found: set[str] = set()
    waiting = list(target.depends_on)
    while waiting:
        name = waiting.pop()
        if name in targets and name not in found:
            found.add(name)
            waiting.extend(targets[name].depends_on)
    return found
