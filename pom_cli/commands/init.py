"""pom init: a first config, commented, that `pom check` can use at once. Never over an existing file."""

import os
import re
import sys
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pom_cli import config, session
from pom_cli.checks import KINDS
from pom_cli.config.instance import NAME
from pom_cli.config.targets import site_of
from pom_cli.errors import UsageError
from pom_cli.toml import paths
from pom_cli.toml.address import host_port, typed_url
from pom_cli.toml.table import shown

if TYPE_CHECKING:
    from pom_cli.setup.proposals import Found


@click.command()
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option("--to", multiple=True, metavar="ADDRESS", help="Who gets the alerts; repeat for several.")
@click.option("--smtp", default="", metavar="HOST[:PORT]", help="Mail server to send the alerts through.")
@click.pass_context
def command(context: click.Context, urls: tuple[str, ...], to: tuple[str, ...], smtp: str) -> int:
    """Write a commented pom.toml based on what these sites answer today.

    Each site is examined for a few seconds; checks that pass are enabled, the rest are written as comments.

    Example: pom init shop.example.com --to ops@example.com --smtp mail.example.com
    """
    from pom_cli.setup.first_config import first_config, site_line

    path = paths.find(context.obj, os.environ)
    must_be_new(path)
    now = session.now()
    found = _found(urls, now)
    targets: dict[str, Found] = {}
    for each in found:
        targets[name_for(each.typed, targets)] = each
    name, data_dir = paths.default_instance(path, os.environ)
    text = first_config(targets, name, str(data_dir), now.date(), to, _mail_server(smtp, to))
    config.parse(text, path, os.environ)  # what is written must load
    write_new(path, text)
    for target, each in targets.items():
        click.echo(site_line(target, each))
    click.echo(f"wrote {path}; next: {_next(context.obj)}")
    return 0


def _found(urls: tuple[str, ...], now: datetime) -> "list[Found]":
    """What these sites are today; progress is shown on a terminal. Raises UsageError for an invalid URL."""
    from pom_cli.setup.site import discover

    urls = tuple(map(_url, urls))
    watched = sys.stderr is not None and sys.stderr.isatty()

    def tell(text: str) -> None:
        if watched:
            click.echo(text, err=True)

    tell(f"looking at {len(urls)} sites for some seconds …" if len(urls) > 1 else f"looking at {urls[0]} …")
    return discover(urls, now, ended=lambda found: tell(f"looked at {found.typed}"))


def _url(text: str) -> str:
    try:
        return typed_url(text)
    except ValueError:
        raise UsageError(f"{shown(text)} is not a URL like https://example.com") from None


def _mail_server(text: str, to: tuple[str, ...]) -> tuple[str, int]:
    if text and not to:
        raise UsageError("--smtp needs --to: who gets the alerts?")
    try:
        return host_port(text, 25) if text else ("", 0)
    except ValueError:
        raise UsageError(f"--smtp: {shown(text)} is not a mail server like mail.example.com:25") from None


def name_for(url: str, taken: Collection[str]) -> str:
    """A target's name from a URL: the host's first label that says something, else the host; made unique."""
    site = site_of("", url)
    labels = [label for label in site.host.split(".") if label != "www"]
    whole = re.sub(r"[^a-z0-9_]+", "-", site.host).strip("-")[:50]
    first = whole if labels[0].isdigit() or ":" in site.host else labels[0]
    for name in (first, whole, f"{whole}-{site.port}"):
        if re.fullmatch(NAME, name) and name not in taken and name not in KINDS:
            return name
    return next(name for number in range(2, len(taken) + 3) if (name := f"{whole}-{number}") not in taken)


def must_be_new(path: Path) -> None:
    """Raises UsageError if `path` exists already, even as a dangling link."""
    if os.path.lexists(path):
        raise UsageError(f"{path}: already exists; not overwritten. Use --config FILE to write elsewhere")


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet, whole or not at all. Raises UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                path.unlink()
                raise
    except OSError as error:
        if isinstance(error, FileExistsError):
            must_be_new(path)  # another one came in between
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None


def _next(option: str | None) -> str:
    from shlex import quote

    return f"pom --config {quote(option)} check" if option else "pom check"
