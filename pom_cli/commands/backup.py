"""pom backup: a consistent copy of the database while everything runs."""

import os
import time
from functools import partial
from pathlib import Path

import click

from pom_cli import privileges, session

PAUSE_S = 0.005  # between two steps, for a waiting writer to come in


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, file: Path, as_json: bool) -> int:
    """Write a consistent copy of the database to FILE, which must not exist, while everything runs.

    Example: pom backup /root/pom-before-the-move.db
    """
    from pom_cli.store import backup

    data = session.config(context, step_down=False).instance.data_dir
    source = data / "pom.db"
    if _is_below(file, data):
        privileges.become(data)
    size = backup.copy(source, file, lambda: time.sleep(PAUSE_S), partial(privileges.lent, data))
    if as_json:
        session.print_json({"file": str(file), "bytes": size})
    else:
        click.echo(f"copied {source} to {file} ({size >> 10} KiB, integrity check passed)")
    return 0


def _is_below(file: Path, data: Path) -> bool:
    """Is it in the data folder, by its name or once links are followed: what lies there may itself be a link."""
    named = Path(os.path.abspath(file))  # noqa: PTH100 - absolute() keeps `..`
    return named.is_relative_to(data) or named.parent.resolve().is_relative_to(data.resolve())
