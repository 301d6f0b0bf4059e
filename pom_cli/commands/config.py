"""pom config check, pom config show."""

import click

from pom_cli import session


@click.group()
def command() -> None:
    """Check or show the config.

    Example: pom config check
    """


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(context: click.Context, as_json: bool) -> int:
    """Report every error in the config. Exits with 2 if there are any; warnings do not count.

    Example: pom --config new.toml config check
    """
    from pom_cli.errors import ConfigError, UsageError

    try:
        loaded = session.config(context)
    except (ConfigError, UsageError) as error:
        if not as_json:
            raise
        session.print_json({"ok": False, "problems": str(error).splitlines(), "warnings": []})
        return error.exit_code
    if as_json:
        session.print_json({"ok": True, "problems": [], "warnings": list(loaded.warnings)})
        return 0
    session.complain(f"warning: {warning}" for warning in loaded.warnings)
    counts = {
        "targets": len(loaded.targets),
        "checks": sum(len(target.checks) for target in loaded.targets.values()),
        "peers": len(loaded.peers),
    }
    told = ", ".join(f"{name}: {count}" for name, count in counts.items())
    click.echo(f"{loaded.path}: no errors; {told}")
    return 0


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def show(context: click.Context, as_json: bool) -> None:
    """Print the effective config as TOML, with every default. Secrets are masked.

    Example: pom config show --json
    """
    from pom_cli.config import show as shown

    loaded = session.config(context)
    values, secrets = shown.effective(loaded), shown.secrets(loaded)
    if as_json:
        session.print_json(shown.as_json(values) | {"secrets": secrets})
        return
    click.echo(f"# {loaded.path}, with every default; secrets are masked")
    click.echo(shown.toml(values))
    click.echo()
    for name, state in secrets.items():
        click.echo(f"# {name}: {state}")
