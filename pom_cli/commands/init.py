"""pom init: a first config, commented, that `pom check` can use at once. Never over an existing file."""

import os
import re
from collections.abc import Collection
from pathlib import Path

import click

from pom_cli import config, places
from pom_cli.address import http_url
from pom_cli.checks import KINDS
from pom_cli.errors import UsageError
from pom_cli.shown import quoted
from pom_cli.table import shown
from pom_cli.targets import NAME, site_of

_HEAD = """\
# PoM's config. Every key has a default; the ones behind a # show theirs.
# `pom config check` names every mistake, `pom config show` all that holds. Secrets stand in the file env beside it.

[instance]
# name = {name:<27} # how messages call this instance
# data_dir = {data_dir:<23} # the database
# retention = "30d"

[alerts]
# to = ["ops@example.com"]            # with POM_POSTMARK_TOKEN in env, mail goes out through Postmark
# from = "pom@example.com"
# cooldown = "5m"                     # between notices for one target and kind of alert; recoveries go at once
# remind = ["1h", "6h", "24h"]        # after the first notice, then every last step
# channels = ["console"]              # postmark, smtp, webhook, console; each is for what the one before refuses

[offline]
# witnesses = ["1.1.1.1:443", "9.9.9.9:443"]   # any that answers proves that our own network works
"""
_TARGET = """
[targets.{name}]
url = {url}
"""
_HINTS = """\
# interval = "5m"

# [targets.{name}.health]
# path = "/api/health"                # default: the url itself
# timeout = "10s"                     # for the whole request
# attempts = 2                        # a bad answer is asked again before it counts
# expect = {{ status = "operational" }} # the JSON body must contain this; or expect_text = "…", expect_status = [200]
"""


@click.command()
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.pass_context
def command(context: click.Context, urls: tuple[str, ...]) -> int:
    """Write a commented pom.toml for these sites.

    Example: pom init https://example.com
    """
    path = places.find(context.obj, os.environ)
    text = first_config(urls, path)
    config.parse(text, path, os.environ)  # what is written must load
    write_new(path, text)
    click.echo(f"wrote {path}; next: {_next(context.obj)}")
    return 0


def first_config(urls: tuple[str, ...], path: Path) -> str:
    """The text of a config for these URLs. Raises UsageError for one that is none."""
    targets: dict[str, str] = {}
    for url in dict.fromkeys(urls):
        try:
            http_url(url)
        except ValueError:
            raise UsageError(f"{shown(url)} is not a URL like https://example.com") from None
        targets[name_for(url, targets)] = url
    name, data_dir = places.default_instance(path, os.environ)
    head = _HEAD.format(name=quoted(name), data_dir=quoted(str(data_dir)))
    tables = [_TARGET.format(name=name, url=quoted(url)) for name, url in targets.items()]
    hints = _HINTS.format(name=next(iter(targets)))  # once is enough
    return head + tables[0] + hints + "".join(tables[1:])


def name_for(url: str, taken: Collection[str]) -> str:
    """A target's name from a URL: the host's first label that says something, else the host; made unique."""
    site = site_of("", url)
    labels = [label for label in site.host.split(".") if label != "www"]
    whole = re.sub(r"[^a-z0-9_]+", "-", site.host).strip("-")[:50]
    first = whole if labels[0].isdigit() or ":" in site.host else labels[0]
    for name in (first, whole, f"{whole}-{site.port}"):
        if NAME.fullmatch(name) and name not in taken and name not in KINDS:
            return name
    return next(name for number in range(2, len(taken) + 3) if (name := f"{whole}-{number}") not in taken)


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
        if isinstance(error, FileExistsError) and os.path.lexists(path):
            raise UsageError(f"{path}: exists already, and is left as it is; name another with --config") from None
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None


def _next(option: str | None) -> str:
    from shlex import quote

    return f"pom --config {quote(option)} check" if option else "pom check"
