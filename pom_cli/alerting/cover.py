"""Pure: which outage explains which alert, so that one trouble speaks once."""

from collections.abc import Mapping

from pom_cli import checks
from pom_cli.config.targets import Target, explained_by
from pom_cli.model import State, down


def held(target: Target, kind: str, alert: str, targets: Mapping[str, Target], health: Mapping[str, State]) -> str:
    """What explains this alert and so keeps it quiet: the target's own health, or an outage of what it depends on."""
    covered = checks.load(kind).COVERED
    own = health.get(target.name)
    if own and alert in covered and covered[alert](own):
        return "cover"
    explained = alert in covered or alert == "health"
    return (
        "cover"
        if explained and any(down(health.get(name)) for name in explained_by(target.name, targets) - {target.name})
        else ""
    )
