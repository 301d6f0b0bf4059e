"""pom heartbeat: ask every peer once, check this instance's own runs, and send alerts."""

from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from pom_cli.mesh.heartbeat import Report


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> int:
    """Ask every peer once, check that this instance's own runs are on time, and send alerts.

    A peer that misses a beat is late, then missing: that is alerted. Its first answer makes it alive again.

    Example: pom heartbeat
    """
    from pom_cli.mesh import heartbeat

    now = session.now()
    loaded = session.config_for_timer(context)
    database = session.database(loaded)
    try:
        report = heartbeat.run(loaded, database, now, "stderr" if as_json else "stdout")
    finally:
        database.close()
    _show(report, as_json)
    session.complain(report.faults)
    if report.faults:
        return 3
    if loaded.broken:
        return 2
    return 0 if report.well else 1


def _show(report: "Report", as_json: bool) -> None:
    if as_json:
        session.print_json(_as_json(report))
        return
    from pom_cli.report import render

    for peer in report.peers:
        click.echo(render.peer_line(peer))
    if report.overdue:
        click.echo(f"overdue: {report.overdue_summary}")
    for line in (*report.crashed, *report.silenced):
        click.echo(line)
    if not report.peers and not report.overdue and not report.crashed:
        click.echo("no peers configured; own checks are on time")
    for notice in report.notices:
        click.echo(render.notice_line(notice))
    if report.undelivered:
        click.echo(f"undelivered: {report.undelivered}; see pom alerts")


def _as_json(report: "Report") -> dict[str, Any]:
    return {
        "peers": report.peers,
        "overdue": report.overdue,
        "crashed": list(report.crashed),
        "silenced": list(report.silenced),
        "notices": [notice.as_json() for notice in report.notices],
        "undelivered": report.undelivered,
    }
