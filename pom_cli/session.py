"""What the commands share: the config in use, the database in use, and one way to complain and to end."""

import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from sqlite3 import Connection

    from pom_cli.config import Config
    from pom_cli.config.targets import Target
    from pom_cli.store.spare import Database


def config(context: click.Context, step_down: bool = True) -> "Config":
    """The config in use. Root drops to the owner of the data folder from here on. UsageError or ConfigError.

    Without `step_down` the caller sees to it that root touches nothing in that folder.
    """
    from pom_cli import config, privileges
    from pom_cli.toml import paths

    loaded = config.load(paths.find(context.obj, os.environ), os.environ)
    if step_down:
        privileges.become(loaded.instance.data_dir)
    return loaded


def config_for_timer(context: click.Context) -> "Config":
    """The config for a timer's run or `pom serve`: while the file is broken the last one that loaded well.

    Its `broken` then says what is wrong, which is complained of here. Raises UsageError or ConfigError where no such
    copy is there.
    """
    from pom_cli import privileges
    from pom_cli.alerting import config_broken
    from pom_cli.toml import paths

    loaded = config_broken.load(paths.find(context.obj, os.environ), os.environ)
    privileges.become(loaded.instance.data_dir)
    complain(loaded.broken or ())
    if loaded.broken:
        complain(["the config is broken: working with the last one that loaded well"])
    complain(filter(None, [config_broken.keep(loaded, os.environ)]))
    return loaded


def database(loaded: "Config") -> "Database":
    """The database in use, made on first use. Root drops to the owner of its folder from here on."""
    from pom_cli import privileges
    from pom_cli.store.spare import Database

    privileges.become(loaded.instance.data_dir)
    return Database(loaded.instance.data_dir / "pom.db", os.environ)


def reader(loaded: "Config") -> "AbstractContextManager[tuple[Connection | None, str]]":
    """The database for reading, or the spare in use meanwhile, with a line about it. Raises StoreError."""
    from pom_cli.store import spare

    return spare.reader(loaded.instance.data_dir / "pom.db", os.environ)


def now() -> datetime:
    """The one reading of the clock in a run."""
    return datetime.now(UTC)


def who() -> str:
    """The person who runs this, for what is recorded in their name: the one behind sudo."""
    import pwd

    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def on_terminal() -> bool:
    """Does a person read standard output. It is None where the process was started with it closed."""
    return sys.stdout is not None and sys.stdout.isatty()


def complain(lines: Iterable[str]) -> None:
    """PoM's own faults, one line each, on standard error."""
    from pom_cli.text import clean

    for line in lines:
        click.echo(f"pom: {clean(line, 1000)}", err=True)


def print_json(value: Any) -> None:
    """One line of JSON on standard output; nothing in it is beyond ASCII, so that every encoding will do."""
    import json

    click.echo(json.dumps(value, allow_nan=False))


def targets(loaded: "Config", names: Iterable[str]) -> "list[Target]":
    """The targets of these names, all for none. Raises UsageError for one that is not there."""
    listed = list(dict.fromkeys(names))
    for name in listed:
        if name not in loaded.targets:
            from pom_cli.errors import UsageError
            from pom_cli.toml.table import nearest, shown

            raise UsageError(f"{shown(name)} is not a target{nearest(name, loaded.targets)}")
    return [loaded.targets[name] for name in listed] or list(loaded.targets.values())


def one_of(word: str, names: Iterable[str]) -> str:
    """The end of a help text: the values that this argument takes."""
    return f"{word} is one of: {', '.join(names)}."


def completing(*what: str) -> "Callable[[click.Context, click.Parameter, str], list[str]]":
    """Shell completion with these: kinds, alerts, targets, peers; any other word is offered as it is.

    A config that does not load offers no targets or peers.
    """

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        from pom_cli.checks import KINDS, alert_names
        from pom_cli.errors import PomError

        names: dict[str, list[str]] = {"kinds": list(KINDS), "alerts": list(alert_names()), "targets": [], "peers": []}
        try:
            loaded = config(context.find_root())
        except PomError:
            pass
        else:
            names |= {"targets": list(loaded.targets), "peers": list(loaded.peers)}
        return [name for one in what for name in names.get(one, [one]) if name.startswith(begun)]

    return complete
