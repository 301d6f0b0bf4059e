"""pom runbook: what to do about an alert, with this target's own hosts, units and URLs."""

from typing import Any

import click

from pom_cli import session
from pom_cli.checks import alert_names


@click.command(epilog=session.one_of("ALERT", alert_names()))
@click.argument("alert", shell_complete=session.completing("alerts"))
@click.argument("target", required=False, shell_complete=session.completing("targets", "peers"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, alert: str, target: str | None, as_json: bool) -> int:
    """The response steps for one kind of alert, filled in for a target or a peer.

    Example: pom runbook health makenotwork
    """
    from pom_cli.errors import UsageError
    from pom_cli.messages import facts, runbook
    from pom_cli.toml.table import nearest

    if alert not in runbook.ALERTS:
        raise UsageError(f"{alert!r} is not a kind of alert{nearest(alert, runbook.ALERTS)}")
    loaded = session.config(context)
    names = {*loaded.targets, *loaded.peers}
    if target is not None and target not in names:
        raise UsageError(f"{target!r} is neither a target nor a peer{nearest(target, names)}")
    known = {**facts.about(loaded, target or ""), "target": target or ""}
    steps = runbook.steps(alert, known)
    symptoms = runbook.symptoms(alert, known)
    if as_json:
        session.print_json(_as_json(alert, target, symptoms, steps))
        return 0
    click.echo(f"{runbook.title(alert)}{f' ({target})' if target else ''}")
    click.echo(f"\n{runbook.wrapped(f'Symptoms: {symptoms}', indent='')}\n")
    click.echo(runbook.numbered(steps))
    return 0


def _as_json(alert: str, target: str | None, symptoms: str, steps: tuple[str, ...]) -> dict[str, Any]:
    from pom_cli.messages import runbook

    return {
        "alert": alert,
        "target": target or "",
        "title": runbook.title(alert),
        "symptoms": symptoms,
        "steps": list(steps),
    }
