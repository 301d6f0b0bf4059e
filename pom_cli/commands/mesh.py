"""pom mesh: this instance and its peers, as the newest heartbeat left them."""

from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from pom_cli.config import Config


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the shape of /api/mesh.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> int:
    """This instance and its peers, as the newest heartbeat left them.

    Example: pom mesh
    """
    found = _look(session.config(context))
    if as_json:
        session.print_json(found)
    else:
        from pom_cli.report import render

        for line in render.mesh_lines(found):
            click.echo(line)
    return 0


def _look(loaded: "Config") -> dict[str, Any]:
    from pom_cli import store
    from pom_cli.mesh import report as mesh_view

    now = session.now()
    with store.reader(loaded.instance.data_dir / "pom.db") as db:
        if db is not None:
            return mesh_view.mesh(db, loaded, now)
    from pom_cli.store import migrations

    with migrations.nothing() as db:
        return mesh_view.mesh(db, loaded, now)
