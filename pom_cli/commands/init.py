"""pom init: a first config, commented, that `pom check` can use at once. Never over an existing file."""

import os
import re
from pathlib import Path

import click

from pom_cli import config as configs
from pom_cli.checks import KINDS
from pom_cli.errors import UsageError
from pom_cli.table import http_url

_HEAD = """\
# PoM's config. Every key has a default; the ones behind a # show theirs.
# `pom config check` names every mistake, `pom config show` all that holds. Secrets stand in the file env beside it.

[instance]
# name = "{name}"                     # how messages call this instance
# data_dir = "{data_dir}"             # the database
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
url = "{url}"
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
    path = configs.find(context.obj, os.environ)
    text = first_config(urls, path)
    configs.parse(text, path, os.environ)  # what is written must load
    write_new(path, text)
    click.echo(f"wrote {path}; next: pom check")
    return 0


def first_config(urls: tuple[str, ...], path: Path) -> str:
    """The text of a config for these URLs. Raises UsageError for one that is none."""
    names: dict[str, str] = {}
    for url in dict.fromkeys(urls):
        try:
            http_url(url)
        except ValueError:
            raise UsageError(f"{url!r} is not a URL like https://example.com") from None
        names[_name(url, names)] = url
    instance = configs.default_instance(path, os.environ)
    head = _HEAD.format(name=instance[0], data_dir=instance[1])
    return head + "".join(_TARGET.format(name=name, url=url) for name, url in names.items())


def _name(url: str, taken: dict[str, str]) -> str:
    """A target's name from a URL: the host's first label that says something, made unique."""
    site = configs.site_of("", url)
    labels = [label for label in site.host.split(".") if label != "www"]
    whole = re.sub(r"[^A-Za-z0-9_-]+", "-", site.host).strip("-")
    first = labels[0] if labels and not labels[0].isdigit() else whole
    for name in (first, whole, f"{whole}-{site.port}"):
        if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name) and name not in taken and name not in KINDS:
            return name
    return f"site-{len(taken) + 1}"


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet, whole or not at all. Raises UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: exists already, and is left as it is; name another with --config") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
