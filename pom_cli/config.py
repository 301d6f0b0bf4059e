"""pom.toml → a frozen Config. Every mistake is found at once; a Config that exists is right."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pom_cli import channels, checks, secrets
from pom_cli.checks import KINDS, Site
from pom_cli.errors import ConfigError, UsageError
from pom_cli.secrets import Secrets
from pom_cli.table import Table, host_port, idna, nearest

ETC = Path("/etc/pom/pom.toml")
WITNESSES = ("1.1.1.1:443", "9.9.9.9:443")
TIMERS = {"health": timedelta(minutes=5), "routes": timedelta(minutes=5)}  # every other kind: an hour
_HOUR = timedelta(hours=1)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_SENDER = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+|[^<>@\r\n]*<[^\s@<>,;]+@[^\s@<>,;]+>")
_SSH = re.compile(r"(?!-)[\w.@:%\[\]-]+")
_WORD = re.compile(r"(?!-)[\w.@:-]+")


@dataclass(frozen=True)
class Instance:
    name: str
    data_dir: Path
    retention: timedelta
    resolvers: tuple[str, ...]


@dataclass(frozen=True)
class Serve:
    host: str
    port: int
    rate_limit: int  # requests a minute and client, 0 for no limit
    page: bool


@dataclass(frozen=True)
class Alerts:
    """How operators are told. `settings` is by channel."""

    to: tuple[str, ...]
    sender: str
    cooldown: timedelta
    remind: tuple[timedelta, ...]
    channels: tuple[str, ...]
    quorum: bool
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Ops:
    """Where a target is operated, for the runbook's commands; "" where not said."""

    ssh: str = ""
    unit: str = ""
    database: str = ""


@dataclass(frozen=True)
class Check:
    """One kind of check of one target."""

    settings: Any
    interval: timedelta


@dataclass(frozen=True)
class Target:
    name: str
    site: Site
    ops: Ops
    depends_on: tuple[str, ...]
    checks: Mapping[str, Check]

    @property
    def url(self) -> str:
        return self.site.url


@dataclass(frozen=True)
class Peer:
    name: str
    url: str
    ssh: str
    on_missing: str
    misses: int


@dataclass(frozen=True)
class Config:
    path: Path
    instance: Instance
    serve: Serve
    alerts: Alerts
    witnesses: tuple[tuple[str, int], ...]
    targets: Mapping[str, Target]
    peers: Mapping[str, Peer]
    secrets: Secrets = field(repr=False)
    warnings: tuple[str, ...] = ()
    effective: Mapping[str, Any] = field(default_factory=dict, repr=False)  # every key, defaults included, as in TOML


def find(option: str | None, environ: Mapping[str, str]) -> Path:
    """The config in use: the option, else $POM_CONFIG, else /etc/pom/pom.toml, else the user's own."""
    named = option or environ.get("POM_CONFIG")
    if named:
        return Path(named)
    return ETC if ETC.exists() else user_config(environ)


def user_config(environ: Mapping[str, str]) -> Path:
    """The user's own config: $XDG_CONFIG_HOME/pom/pom.toml (XDG Base Directory Specification)."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / "pom" / "pom.toml"


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The config at `path`. Raises UsageError where it cannot be read and ConfigError with every mistake in it."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; 'pom init URL' writes a first config there") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 at byte {error.start}"]) from None
    return parse(text, path, environ)


def parse(text: str, path: Path, environ: Mapping[str, str]) -> Config:
    """The config in `text`; `path` is where it stands. Raises ConfigError."""
    import tomli

    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None
    top = Table(data, "", [])
    config = _config(top, path, environ)
    top.finish()
    if top.problems:
        raise ConfigError(top.problems)
    return config


def _config(top: Table, path: Path, environ: Mapping[str, str]) -> Config:
    known = secrets.load(environ, path.parent / "env")
    instance = _instance(top.table("instance"), path, environ)
    warnings: list[str] = []
    targets = _targets(top, instance, warnings)
    peers = _peers(top)
    if not targets and not peers and not top.problems:
        top.problems.append(f'{path}: nothing to watch; add a target: [targets.shop] and url = "https://example.com"')
    alerts = _alerts(top.table("alerts"), known, warnings)
    return Config(
        path=path,
        instance=instance,
        serve=_serve(top.table("serve")),
        alerts=alerts,
        witnesses=_witnesses(top.table("offline"), targets),
        targets=targets,
        peers=peers,
        secrets=known,
        warnings=tuple(warnings),
        effective=top.effective,
    )


def _instance(table: Table, path: Path, environ: Mapping[str, str]) -> Instance:
    usual_name, usual_dir = default_instance(path, environ)
    name = table.read("name", usual_name, _matching(_NAME), "a name of letters, digits, '-', '_' and '.'")
    data_dir = table.line("data_dir", str(usual_dir), "a folder's path")
    retention = table.duration("retention", timedelta(days=30), "30d", low="1d")
    resolvers = table.items("resolvers", (), _resolver, 'a list of IP addresses like "1.1.1.1" or "127.0.0.1:5353"')
    table.finish()
    return Instance(name, Path(data_dir).expanduser(), retention, resolvers)


def default_instance(path: Path, environ: Mapping[str, str]) -> tuple[str, Path]:
    """Name and data_dir of an instance whose config at `path` says nothing of them."""
    return _host_name(), _data_dir(path, environ)


def _host_name() -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", os.uname().nodename.split(".")[0])[:64] or "pom"


def _data_dir(path: Path, environ: Mapping[str, str]) -> Path:
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    return Path("/var/lib/pom") if path == ETC else _xdg(environ, "XDG_DATA_HOME", ".local/share") / "pom"


def _xdg(environ: Mapping[str, str], name: str, fallback: str) -> Path:
    given = Path(environ.get(name) or "")
    # The specification has relative paths ignored.
    return given if given.is_absolute() else Path(environ.get("HOME") or Path.home()) / fallback


def _serve(table: Table) -> Serve:
    host, port = table.read("listen", ("127.0.0.1", 9100), host_port, 'an address like "127.0.0.1:9100"')
    rate_limit = table.integer("rate_limit", 60, 0, 1_000_000)
    page = table.boolean("page", False)
    table.finish()
    return Serve(host, port, rate_limit, page)


def _alerts(table: Table, known: Secrets, warnings: list[str]) -> Alerts:
    to = table.items("to", (), _matching(_ADDRESS), 'a list of addresses like "ops@example.com"')
    sender = table.read("from", to[0] if to else "", _matching(_SENDER), "an address like pom@example.com")
    settings = {name: channels.load(name).parse(table.table(name)) for name in CHANNEL_TABLES if name in table.data}
    usual = ("postmark",) if known.get("POM_POSTMARK_TOKEN") and to else ("console",)
    names = table.items("channels", usual, _channel, "a list of " + ", ".join(channels.CHANNELS))
    for name in dict.fromkeys(names):
        if name not in settings:
            settings[name] = channels.load(name).parse(
                table.table(name) if name in CHANNEL_TABLES else Table({}, "", [])
            )
        if name in ("postmark", "smtp") and not to:
            table.missing("to", f"a list of addresses, since channels has {name!r}")
        if name == "webhook" and not settings[name].url:
            table.missing("webhook.url", "a URL, since channels has 'webhook'")
        secret = channels.load(name).SECRET
        if name == "postmark" and not known.get(secret):
            warnings.append(f"{table.at('channels')}: 'postmark' needs {secret} in the environment or in the env file")
    alerts = Alerts(
        to=tuple(dict.fromkeys(to)),
        sender=sender,
        cooldown=table.duration("cooldown", timedelta(minutes=5), "5m", low="0s", high="30d"),
        remind=_remind(table),
        channels=tuple(dict.fromkeys(names)),
        quorum=table.boolean("quorum", False),
        settings=settings,
    )
    table.known.update(CHANNEL_TABLES)
    table.finish()
    return alerts


CHANNEL_TABLES = tuple(name for name in channels.CHANNELS if name != "console")


def _remind(table: Table) -> tuple[timedelta, ...]:
    from pom_cli.times import duration

    def parse(value: Any) -> tuple[timedelta, ...]:
        steps = tuple(duration(step) for step in value) if isinstance(value, list) else None
        if steps is None or list(steps) != sorted(set(steps)) or any(step < timedelta(minutes=1) for step in steps):
            raise ValueError
        return steps

    usual = tuple(timedelta(hours=hours) for hours in (1, 6, 24))
    return table.read("remind", usual, parse, 'a rising list of durations like ["1h", "6h", "24h"]')


def _witnesses(table: Table, targets: Mapping[str, Target]) -> tuple[tuple[str, int], ...]:
    # A public witness says nothing about targets that are on this very machine, so there it is not asked.
    local = all(_loopback(target.site.host) for target in targets.values())
    usual = () if local else tuple(host_port(witness) for witness in WITNESSES)
    found = table.items("witnesses", usual, host_port, 'a list of "host:port"')
    table.finish()
    return found


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _targets(top: Table, instance: Instance, warnings: list[str]) -> dict[str, Target]:
    tables = top.table("targets")
    targets = {}
    for name in tables.data:
        if not _NAME.fullmatch(name) or name in KINDS or name.startswith(("-", ".")):
            rule = "letters, digits, '-', '_', '.', beginning with none of '-' and '.', and not a kind's name"
            tables.problems.append(f"{tables.at(name)}: {name!r} is not a target's name ({rule})")
        target = _target(tables.table(name), name, instance, warnings)
        if target:
            targets[name] = target
    for name, target in targets.items():
        _check_depends(name, target, targets, tables)
    return targets


def _target(table: Table, name: str, instance: Instance, warnings: list[str]) -> Target | None:
    if "url" not in table.data:
        table.missing("url", "a URL like https://example.com")
    url = table.url("url")
    interval = table.duration("interval", timedelta(minutes=5), "5m", low="1s", high="30d")
    ops = _ops(table.table("ops"))
    depends_on = table.texts("depends_on", expected="a list of targets' names")
    found = {}
    site = _site(name, url or "http://invalid", interval, table, instance)
    for kind in KINDS:
        check = _check(kind, table, site, warnings)
        if check:
            found[kind] = check
    table.finish()
    return Target(name, site, ops, depends_on, found) if url else None


def site_of(name: str, url: str) -> Site:
    """The site of a bare URL (one that `table.http_url` took), with the defaults."""
    parts = urlsplit(url)
    host = idna(parts.hostname or "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Site(name, url, parts.scheme, host, port, timedelta(minutes=5))


def _site(name: str, url: str, interval: timedelta, table: Table, instance: Instance) -> Site:
    from dataclasses import replace

    tls = table.data.get("tls")
    trust = tls if isinstance(tls, dict) else {}  # its own kind judges the values; here they are only passed on
    ca_file = trust.get("ca_file")
    site = site_of(name, url)
    return replace(
        site,
        interval=interval,
        verify=trust.get("verify") is not False,
        ca_file=ca_file if isinstance(ca_file, str) and ca_file else None,
        tls=tls is not False and (site.scheme == "https" or bool(trust)),
        resolvers=instance.resolvers,
        data_dir=str(instance.data_dir),
    )


def _check(kind: str, table: Table, site: Site, warnings: list[str]) -> Check | None:
    module = checks.load(kind)
    value = table.data.get(kind, module.default(site))
    if isinstance(value, bool):
        table.known.add(kind)
        table.effective[kind] = value
        if not value:
            return None
    own = Table({}, table.at(kind), table.problems) if value is True else table.table(kind)
    usual = module.INTERVAL or site.interval
    interval = own.duration("interval", usual, "5m", low="1s", high="365d")
    timer = TIMERS.get(kind, _HOUR)
    if interval < timer:
        where = own.at("interval") if "interval" in own.data else table.at("interval")
        minutes = round(timer.total_seconds() / 60)
        warnings.append(f"{where}: shorter than the timer's, which runs {kind} every {minutes} minutes")
    settings = module.parse(own, site)
    own.finish()
    table.effective[kind] = own.effective
    return Check(settings, interval)


def _check_depends(name: str, target: Target, targets: Mapping[str, Target], tables: Table) -> None:
    for other in target.depends_on:
        place = f"{tables.at(name)}.depends_on"
        if other not in targets:
            tables.problems.append(f"{place}: {other!r} is not a target" + nearest(other, targets))
        elif name in _explained_by(other, targets):
            tables.problems.append(f"{place}: {other!r} is not a target that stands on its own: it depends on {name!r}")


def _explained_by(name: str, targets: Mapping[str, Target]) -> set[str]:
    """Every target that `name` depends on, itself included, however deep."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        here = waiting.pop()
        if here in targets and here not in found:
            found.add(here)
            waiting.extend(targets[here].depends_on)
    return found


def _ops(table: Table) -> Ops:
    ssh = table.read("ssh", "", _matching(_SSH), 'a destination for ssh like "root@192.0.2.10"')
    unit = table.read("unit", "", _matching(_WORD), "a systemd unit's name")
    database = table.read("database", "", _matching(_WORD), "a database's name")
    table.finish()
    return Ops(ssh, unit, database)


def _peers(top: Table) -> dict[str, Peer]:
    tables = top.table("peers")
    peers = {}
    for name in tables.data:
        if not _NAME.fullmatch(name):
            tables.problems.append(f"{tables.at(name)}: {name!r} is not a peer's name (letters, digits, '-', '_', '.')")
        table = tables.table(name)
        if "url" not in table.data:
            table.missing("url", "the URL of the peer's API like http://192.0.2.7:9100")
        peers[name] = Peer(
            name=name,
            url=table.url("url", expected="a URL like http://192.0.2.7:9100").rstrip("/"),
            ssh=table.read("ssh", "", _matching(_SSH), 'a destination for ssh like "max@192.0.2.7"'),
            on_missing=table.choice("on_missing", "alert", ("alert", "ignore")),
            misses=table.integer("misses", 3, 1, 1000),
        )
        table.finish()
    return peers


def _matching(pattern: re.Pattern[str]) -> Any:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value) or not value.isprintable():
            raise ValueError
        return value

    return parse


def _resolver(value: Any) -> str:
    host, _ = host_port(value, 53)
    ip_address(host)
    return str(value)


def _channel(value: Any) -> str:
    if value not in channels.CHANNELS:
        raise ValueError
    return str(value)
