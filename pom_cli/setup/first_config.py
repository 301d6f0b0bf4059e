"""A first config as text: commented TOML from what was found of the sites. Pure.

Text from outside appears in it only as a comment of one printable line or as a quoted string.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from pom_cli import checks
from pom_cli.checks import KINDS
from pom_cli.config.show import inline, quoted
from pom_cli.setup.proposals import Found, Proposal
from pom_cli.text import clean

_HEAD = """\
# PoM's config. Every key has a default; the ones behind a # show theirs.
# `pom config check` lists every error, `pom config show` the effective config. Secrets go into the file env next to it.

[instance]
# name = {name:<27} # how messages call this instance
# data_dir = {data_dir:<23} # the database
# retention = "30d"

[alerts]
{alerts}# cooldown = "5m"                     # between notices for one target and kind of alert; recoveries go at once
# remind = ["1h", "6h", "24h"]        # after the first notice, then every last step
# postmark, smtp, webhook, alertmanager, console: each takes over what the one before it refuses
{channels}
[offline]
# witnesses = ["1.1.1.1:443", "9.9.9.9:443"]   # any that answers proves that our own network works
"""
_TO = """\
# to = ["ops@example.com"]            # with POM_POSTMARK_TOKEN in env, mail goes out through Postmark
# from = "pom@example.com"
"""
_CHANNELS = """\
# channels = ["console"]
# smtp = { host = "localhost", port = 25, starttls = false, username = "" } # for channels = ["smtp"]
"""
_TARGET = (
    ("interval", '"5m"', "of health and routes"),
    ("ops", '{ ssh = "root@192.0.2.10", unit = "shop", database = "shop" }', "fills in what to do next"),
)


def first_config(
    found: Mapping[str, Found],
    name: str,
    data_dir: str,
    on: date,
    to: Sequence[str] = (),
    smtp: tuple[str, int] = ("", 0),
) -> str:
    """The text of a config: the sites by their targets' names, `name` and `data_dir` as they are by default.

    Alerts go to the addresses of `to`, through the mail server `smtp` if its host is given.
    """
    tables = [_target(each, one, on, hints=not number) for number, (each, one) in enumerate(found.items())]
    alerts = f"to = {inline(list(to))}\n" if to else _TO
    host, port = smtp
    server = inline({"host": host, "port": port})
    channels = f'channels = ["smtp"]\nsmtp = {server}\n' if host else _CHANNELS
    head = _HEAD.format(name=quoted(name), data_dir=quoted(data_dir), alerts=alerts, channels=channels)
    return head + "".join(tables)


def site_line(name: str, found: Found) -> str:
    """What was found of one site, in one line for people."""
    if found.unseen:
        return clean(f"{name} {found.url}: could not be looked at: {found.unseen}", 300)
    told = [clean(each.told, 160) for each in found.kinds.values() if each.told]
    return f"{name} {clean(found.url)}: {', '.join(told) or 'nothing was found'}"


def comment(text: str) -> str:
    """One line of comment, whatever the text is."""
    return f"# {clean(text, 240)}".rstrip()


def _target(name: str, found: Found, on: date, hints: bool) -> str:
    seen = f"Not looked at: {found.unseen}." if found.unseen else f"As it was on {on.isoformat()}."
    lines = ["", *map(comment, (seen, *found.notes)), f"[targets.{name}]", f"url = {quoted(found.url)}"]
    lines += _hinted(_TARGET) if hints else []
    for kind, each in found.kinds.items():
        if each.settings is False:
            lines += [*map(comment, each.notes), f"{kind} = false"]
    for kind in KINDS:
        lines += _table(name, kind, found.kinds.get(kind, Proposal()), hints)
    return "\n".join(lines) + "\n"


def _table(name: str, kind: str, proposal: Proposal, hints: bool) -> list[str]:
    """The table of one kind, or what was seen of it and how the table would look, as comments."""
    if proposal.settings is False:
        return []
    settings = proposal.settings if isinstance(proposal.settings, Mapping) else {}
    notes, head = list(map(comment, proposal.notes)), f"[targets.{name}.{kind}]"
    further = _hints(kind, settings) if hints else []
    if not settings:
        return ["", *notes, *([f"# {head}", *further] if further else [])] if notes or further else []
    return ["", *notes, head, *_keys(settings), *further]


def _keys(settings: Mapping[str, Any]) -> Iterable[str]:
    for key, value in settings.items():
        tables = isinstance(value, list) and any(isinstance(item, Mapping) for item in value)
        yield from (
            [f"{key} = [", *(f"  {inline(item)}," for item in value), "]"] if tables else [f"{key} = {inline(value)}"]
        )


def _hints(kind: str, known: Collection[str]) -> list[str]:
    return _hinted([hint for hint in checks.load(kind).HINTS if hint[0] not in known])


def _hinted(hints: Iterable[tuple[str, str, str]]) -> list[str]:
    written = [(f"# {key} = {value}", meaning) for key, value, meaning in hints]
    return [f"{line:<37} # {meaning}" if meaning else line for line, meaning in written]
