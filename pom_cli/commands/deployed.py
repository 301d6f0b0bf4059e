"""pom deployed: record a deployment, so that an alert can say what changed before it."""

from functools import partial

import click

from pom_cli import session


@click.command()
@click.argument("target", shell_complete=session.completing("targets"))
@click.option("--rev", default="", metavar="REV", help="What was deployed: a version, a tag, a commit.")
@click.option("--note", default="", metavar="TEXT", help="A note, shown with it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, target: str, rev: str, note: str, as_json: bool) -> int:
    """Record a deployment of a target, now. Alerts, status, incidents and history then show it; peers pick it up.

    Example: pom deployed makenotwork --rev 1.8.2
    """
    from uuid import uuid4

    from pom_cli.report import incidents, render
    from pom_cli.store import deployments
    from pom_cli.text import clean

    loaded, now, who = session.config(context), session.now(), session.who()
    name = session.targets(loaded, [target])[0].name
    one = deployments.Deployment(uuid4().hex, name, now, clean(rev), clean(note), who)
    database = session.database(loaded)
    try:
        database.write(partial(deployments.merge, rows=[one]))
    finally:
        database.close()
    told = incidents.deployed_json(one, loaded) or {}
    if as_json:
        session.print_json({"target": name, "deployed": told})
    else:
        click.echo(f"{name}: {render.deployed(told, now, loaded.instance.name)}")
    session.complain([database.fault] if database.fault else [])
    return 3 if database.fault else 0
