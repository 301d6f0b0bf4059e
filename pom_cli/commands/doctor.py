"""pom doctor: check this installation and suggest fixes."""

import os
from typing import TYPE_CHECKING

import click

from pom_cli import session

if TYPE_CHECKING:
    from pom_cli.doctor import Patient, Point


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> int:
    """Check this installation and suggest fixes: config, database, credentials, timers, peers, clock, disk.

    Sends no mail. Exits with 1 if there is a fault.

    Example: pom doctor
    """
    from pom_cli import doctor

    points, failures = doctor.examine(_patient(context))
    sound = not failures and all(point.status != doctor.FAULT for point in points)
    if as_json:
        checks = [{"name": one.name, "status": one.status, "summary": one.told, "fix": one.fix} for one in points]
        session.print_json({"ok": sound, "checks": checks})
    else:
        for point in points:
            click.echo(_line(point))
    session.complain(failures)
    if failures:
        return 3
    return 0 if sound else 1


def _patient(context: click.Context) -> "Patient":
    from pom_cli.alerting import config_broken
    from pom_cli.doctor import Patient
    from pom_cli.errors import ConfigError, UsageError
    from pom_cli.toml import paths

    path = paths.find(context.obj, os.environ)
    installed = os.path.normpath(path.absolute()) == str(paths.ETC)
    try:
        loaded = config_broken.load(path, os.environ)
    except (ConfigError, UsageError) as error:
        return Patient(path, None, tuple(str(error).splitlines()), installed, session.now())
    return Patient(path, loaded, loaded.broken or (), installed, session.now())


def _line(point: "Point") -> str:
    fix = f"; fix: {point.fix}" if point.fix else ""
    return f"{point.status}: {point.name}: {point.told}{fix}"
