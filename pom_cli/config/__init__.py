"""pom.toml → a frozen Config. Every mistake is found at once; a Config that exists is right.

Each table has its own file: instance.py, alerts.py, targets.py, silences.py, runbook.py, page.py.
"""

import re
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pom_cli.checks import KINDS
from pom_cli.config import alerts as audience
from pom_cli.config import instance, page, runbook, targets
from pom_cli.config.alerts import Alerts, Recipients
from pom_cli.config.instance import NAME, NAME_RULE
from pom_cli.config.instance import Instance as Instance
from pom_cli.config.page import Page
from pom_cli.config.runbook import Tools
from pom_cli.config.targets import Check as Check
from pom_cli.config.targets import Ops as Ops
from pom_cli.config.targets import Target as Target
from pom_cli.config.targets import site_of as site_of
from pom_cli.errors import ConfigError, UsageError
from pom_cli.frozen import dataclass
from pom_cli.outside import Unreadable, from_toml
from pom_cli.text import clean
from pom_cli.toml import secrets
from pom_cli.toml.address import SSH, base_url, host_port, is_loopback, is_public, origin
from pom_cli.toml.secrets import Secrets
from pom_cli.toml.table import Table, shown

if TYPE_CHECKING:
    from pom_cli.config.silences import Window

WITNESSES = ("1.1.1.1:443", "9.9.9.9:443")


@dataclass(frozen=True)
class Serve:
    """The API. `rate_limit` is in requests a minute and client, 0 for no limit."""

    host: str
    port: int
    rate_limit: int
    page: bool


@dataclass(frozen=True)
class Peer:
    """Another instance of the mesh. `misses`: the number of missed beats after which it is missing."""

    name: str
    url: str
    ssh: str
    on_missing: str
    misses: int


@dataclass(frozen=True)
class Config:
    """All that pom.toml says, and the defaults for what it does not."""

    path: Path
    instance: Instance
    serve: Serve
    alerts: Alerts
    witnesses: tuple[tuple[str, int], ...]
    targets: Mapping[str, Target]
    peers: Mapping[str, Peer]
    secrets: Secrets = field(repr=False)
    silences: tuple["Window", ...] = ()
    runbook: Tools = Tools()
    page: Page = Page()
    warnings: tuple[str, ...] = ()
    effective: Mapping[str, Any] = field(default_factory=dict, repr=False)  # every key, defaults included, as in TOML
    text: str = field(default="", repr=False)  # what it was read from
    broken: tuple[str, ...] | None = None  # in a timer's run: what is wrong with the file, if a copy is used instead


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The config at `path`. Raises UsageError where it cannot be read and ConfigError with every mistake in it."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; 'pom init URL' writes a first config there") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 at byte {error.start}"]) from None
    return parse(text, path, environ)


def parse(text: str, path: Path, environ: Mapping[str, str], files: bool = True) -> Config:
    """The config in `text`; `path` is where it stands. Raises ConfigError.

    Without `files`, a file that it refers to may be missing: the check of that target then reports it.
    """
    try:
        data = from_toml(text)
    except Unreadable as error:
        raise ConfigError([f"{path}: not TOML: {clean(str(error))}"]) from None
    top = Table(data, "", [], files=files)
    config = _config(top, path, environ)
    top.finish()
    if top.problems:
        raise ConfigError([clean(problem, 500) for problem in top.problems])
    return replace(config, text=text)


def _config(top: Table, path: Path, environ: Mapping[str, str]) -> Config:
    named = dict(secrets.references(top.data))
    known = secrets.load(environ, path.parent / "env", set(named.values()))
    own = instance.read(top.table("instance"), path, environ)
    serve = _serve(top.table("serve"))
    warnings = [_unset(place, name, known) for place, name in named.items() if not known.get(name)]
    offline = top.table("offline")
    found = targets.read(top.table("targets"), own, known, warnings)
    alerts = audience.read(top.table("alerts"), known, warnings, [target.alerts for target in found.values()])
    _check_recipients(found, alerts, top)
    peers = _peers(top.table("peers"))
    warnings += [*_in_the_clear(peers), *secrets.short(known)]
    if not found and not peers and not top.problems:
        top.problems.append(f'{path}: nothing to watch; add a target: [targets.shop] and url = "https://example.com"')
    return Config(
        path=path,
        instance=own,
        serve=serve,
        alerts=alerts,
        witnesses=_witnesses(offline, found),
        targets=found,
        peers=peers,
        secrets=replace(known, configured=secrets.masking(top.effective)),
        silences=_silences(top, [*found, *peers]),
        runbook=runbook.read(top.table("runbook")),
        page=page.read(top.table("page")),
        warnings=tuple(warnings),
        effective=top.effective,
    )


def _check_recipients(found: Mapping[str, Target], alerts: Alerts, top: Table) -> None:
    """Mail needs somebody to go to."""
    for name, target in found.items():
        own, to = target.alerts, alerts.to if target.alerts.to is None else target.alerts.to
        mailed = [one for one in own.channels or alerts.channels if one in ("postmark", "smtp")]
        if own != Recipients() and mailed and not to:
            wanted = f"a list of addresses, since channels has {mailed[0]}"
            top.problems.append(f"targets.{name}.alerts.to: missing; it must be {wanted}")


def _unset(place: str, name: str, known: Secrets) -> str:
    unread = f" ({known.unreadable})" if known.unreadable else ""
    absent = f"{name} is neither in the environment nor in the env file{unread}"
    return f"{clean(place)}: {absent}; without it nothing is asked"


def _silences(top: Table, names: list[str]) -> tuple["Window", ...]:
    top.known.add("silences")
    if "silences" not in top.data:
        return ()
    from pom_cli.config import silences

    return silences.read(top, names, tuple(KINDS))


def _serve(table: Table) -> Serve:
    host, port = table.address("listen", "127.0.0.1:9100")
    serve = Serve(host, port, table.integer("rate_limit", 60, 0, 1_000_000), table.boolean("page", False))
    table.finish()
    return serve


def _witnesses(table: Table, found: Mapping[str, Target]) -> tuple[tuple[str, int], ...]:
    # A public witness says nothing about targets that are on this very machine, so there it is not asked.
    usual = () if all(is_loopback(target.site.host) for target in found.values()) else WITNESSES
    witnesses = table.items("witnesses", tuple(map(host_port, usual)), host_port, 'a list of "host:port"')
    table.effective["witnesses"] = table.data.get("witnesses", usual)
    table.finish()
    return witnesses


def _in_the_clear(peers: Mapping[str, Peer]) -> list[str]:
    """Peers whose answers anybody on the way can read: what is watched, and how it is."""
    asked = [(peer, *origin(peer.url)[:2]) for peer in peers.values() if peer.url]
    return [
        f"peers.{peer.name}.url: {shown(peer.url)} is plain HTTP over a public network: what peers tell each other can "
        "be read on the way; a private network, or a URL with https://, would hide it"
        for peer, scheme, host in asked
        if scheme == "http" and is_public(host)
    ]


def _peers(tables: Table) -> dict[str, Peer]:
    peers = {}
    for name in tables.data:
        if not re.fullmatch(NAME, name):
            tables.problems.append(f"{tables.at(name)}: {shown(name)} is not a peer's name ({NAME_RULE})")
        table = tables.table(name)
        if "url" not in table.data:
            table.missing("url", "the URL of the peer's API like http://192.0.2.7:9100")
        peers[name] = Peer(
            name=name,
            url=table.url("url", "", "a URL like http://192.0.2.7:9100", base_url),
            ssh=table.matching("ssh", "", SSH, 'a destination for ssh like "max@192.0.2.7"'),
            on_missing=table.choice("on_missing", "alert", ("alert", "ignore")),
            misses=table.integer("misses", 3, 1, 1000),
        )
        table.finish()
    return peers
