"""The root command: global options, and a table of commands, each loaded only when it is named."""

from importlib import import_module
from typing import Any

import click

from pom_cli import __version__
from pom_cli.errors import PomError

COMMANDS = {
    "check": "Look at targets, store what was seen, alert.",
    "status": "The whole picture at a glance.",
    "alerts": "Open alerts and the outbox; test it, retry it.",
    "prune": "Delete history older than the retention.",
    "init": "Write a first config for these sites.",
    "config": "Check or show the config.",
}


class Lazy(click.Group):
    """Knows its commands by name and one line of help; loads a command's module when it runs."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = import_module(f"pom_cli.commands.{name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(context, args)
        except click.UsageError:
            from pom_cli.table import nearest

            raise click.UsageError(f"{args[0]!r} is not a command{nearest(args[0], COMMANDS)}", context) from None


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pom")
@click.option("--config", "config", metavar="FILE", help="The config, instead of $POM_CONFIG and the usual places.")
@click.pass_context
def root(context: click.Context, config: str | None) -> None:
    """PoM watches production sites, and tells what is wrong, since when, and what to do next.

    Example: pom check health, then pom status.
    """
    context.obj = config


def run(arguments: list[str]) -> int:
    """Run one command line; gives its exit code. Faults that have a line to tell are told in one line each."""
    try:
        code = root.main(arguments, prog_name="pom", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except PomError as error:
        for line in str(error).splitlines():
            click.echo(f"pom: {line}", err=True)
        return error.exit_code
    return code if isinstance(code, int) else 0
