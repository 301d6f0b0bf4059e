"""pom backup: a consistent copy of the database while everything runs."""

import time
from pathlib import Path

import click

from pom_cli import session

PAUSE_S = 0.005  # between two steps, for a waiting writer to come in


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, file: Path, as_json: bool) -> int:
    """Write a consistent copy of the database to FILE, which must not be there yet, while everything runs.

    Example: pom backup /root/pom-before-the-move.db
    """
    from pom_cli.store import backup

    source = session.config(context).instance.data_dir / "pom.db"
    size = backup.copy(source, file, lambda: time.sleep(PAUSE_S))
    if as_json:
        session.print_json({"file": str(file), "bytes": size})
    else:
        click.echo(f"copied {source} to {file}, {size} bytes, found sound")
    return 0
