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
    """Every mistake of the config at once. Ends with 2 where there is one; warnings alone are no mistake."""
    from pom_cli.errors import ConfigError

    try:
        loaded = session.config(context)
    except ConfigError as error:
        if not as_json:
            raise
        session.print_json({"ok": False, "problems": error.problems, "warnings": []})
        return error.exit_code
    if as_json:
        session.print_json({"ok": True, "problems": [], "warnings": list(loaded.warnings)})
        return 0
    session.complain(f"warning: {warning}" for warning in loaded.warnings)
    kinds = sum(len(target.checks) for target in loaded.targets.values())
    click.echo(
        f"{loaded.path}: no mistakes; targets: {len(loaded.targets)}, checks: {kinds}, peers: {len(loaded.peers)}"
    )
    return 0


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def show(context: click.Context, as_json: bool) -> None:
    """The config in use with every default filled in. Secrets are masked."""
    from pom_cli import shown

    loaded = session.config(context)
    values = shown.effective(loaded)
    if as_json:
        session.print_json(values)
    else:
        click.echo(f"# {loaded.path}, with every default; secrets are masked")
        click.echo(shown.toml(values))
