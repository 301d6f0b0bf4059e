"""The root command: global options, and a table of commands, each loaded only when it is named."""

import os
from importlib import import_module
from typing import Any

import click

from pom_cli import __version__
from pom_cli.errors import PomError

COMMANDS = {
    "check": "Check targets, store the results, send alerts.",
    "heartbeat": "Ask every peer, and check this instance's own runs.",
    "test": "Run a target's tests, or record a run of them.",
    "mesh": "This instance and its peers.",
    "status": "Everything at a glance.",
    "history": "A target's results over time.",
    "incidents": "What broke, when, how long, who was notified.",
    "alerts": "List open alerts and unsent mail; send a test; retry.",
    "silence": "Keep a target quiet for a while.",
    "ack": "Acknowledge open alerts: no more reminders.",
    "deployed": "Record a deployment.",
    "report": "Uptime, incidents, expiries and mail delivery of a week.",
    "runbook": "What to do about an alert.",
    "serve": "The read-only API.",
    "prune": "Delete history older than the retention.",
    "init": "Write a first config for these sites.",
    "config": "Check or show the config.",
    "doctor": "Check this installation and suggest fixes.",
    "backup": "Copy the database while everything runs.",
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
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from pom_cli.toml.table import nearest, shown

            raise click.UsageError(f"{shown(args[0])} is not a command{nearest(args[0], COMMANDS)}", context)
        return super().resolve_command(context, args)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pom")
@click.option(
    "--config",
    type=click.Path(),
    metavar="FILE",
    help="Config file (default: $POM_CONFIG, /etc/pom/pom.toml, or $XDG_CONFIG_HOME/pom/pom.toml).",
)
@click.pass_context
def root(context: click.Context, config: str | None) -> None:
    """PoM monitors production sites and tells you what is wrong, since when, and what to do.

    Exit codes: 0 everything is operational, 1 something is not, 2 wrong usage or config, 3 PoM itself failed.

    Example: pom check health, then pom status.
    """
    context.obj = config


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. Expected errors are printed as one line each.

    Not with click's `main`: it exits with 1 when the reader of a pipe has gone, as if a target were down.
    """
    if "_POM_COMPLETE" in os.environ:  # a shell asks for the words that can come next
        root.main(arguments, prog_name="pom")
    try:
        with root.make_context("pom", list(arguments)) as context:
            code = root.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.UsageError as error:
        return _complain([told(error)], 2)
    except PomError as error:
        return _complain(str(error).splitlines(), error.exit_code)
    return code if isinstance(code, int) else 0


def told(error: click.UsageError) -> str:
    """Click's complaint in one line, with the command whose help says more."""
    possible = getattr(error, "possibilities", None) or []
    text = (error.message if hasattr(error, "possibilities") else error.format_message()).removesuffix(".")
    if isinstance(error, click.NoSuchOption) and any(error.option_name in known.opts for known in root.params):
        text += "; it goes before the command"
    elif possible:
        text += f"; did you mean {' or '.join(map(repr, possible))}?"
    path = error.ctx.command_path if error.ctx else "pom"
    return f"{text[:1].lower()}{text[1:]} (try {path} --help)"


def _complain(lines: list[str], code: int) -> int:
    from pom_cli import session

    session.complain(lines)
    return code
