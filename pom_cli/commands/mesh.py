"""pom mesh: this instance and its peers, as the newest heartbeat left them."""

from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from pom_cli.config import Config


@click.command()
@click.option(
    "--accept",
    metavar="PEER",
    help="Accept another instance as this peer, after it was reinstalled.",
    shell_complete=session.completing("peers"),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the shape of /api/mesh.")
@click.pass_context
def command(context: click.Context, accept: str | None, as_json: bool) -> int:
    """This instance and its peers, as the newest heartbeat left them.

    From a peer's address no other instance is accepted than the one first seen there.

    Example: pom mesh
    """
    if accept is not None:
        return _accept(session.config(context), accept)
    found = _look(session.config(context))
    if as_json:
        session.print_json(found)
    else:
        from pom_cli.report import render

        for line in render.mesh_lines(found):
            click.echo(line)
    return 0


def _accept(loaded: "Config", peer: str) -> int:
    from functools import partial

    from pom_cli.errors import UsageError
    from pom_cli.store import peers as rows
    from pom_cli.toml.table import nearest, shown

    if peer not in loaded.peers:
        raise UsageError(f"{shown(peer)} is not a peer{nearest(peer, loaded.peers)}")
    database = session.database(loaded)
    try:
        session.complain([database.fault] if database.fault else [])
        known = database.write(partial(rows.unpin, name=peer))
    finally:
        database.close()
    next_ = "the next instance that answers there with our token is accepted, and from then on no other"
    click.echo(f"{peer}: {next_}" if known else f"{peer}: no instance is known there yet; {next_}")
    return 3 if database.fault else 0


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
