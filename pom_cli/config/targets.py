"""What is watched: the `targets` tables of the config → frozen Targets with the checks of each."""

import re
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import timedelta
from typing import Any

from pom_cli import checks
from pom_cli.checks import KINDS, ON_BY_DEFAULT, Site, alert_names
from pom_cli.config.alerts import Recipients, recipients
from pom_cli.config.instance import NAME, NAME_RULE, Instance
from pom_cli.frozen import dataclass
from pom_cli.text import without_passwords
from pom_cli.times import written
from pom_cli.toml.address import SSH, origin
from pom_cli.toml.secrets import Secrets
from pom_cli.toml.table import Table, nearest, shown

USUAL_INTERVAL = timedelta(minutes=5)  # the timer's too, for kinds without their own interval
_WORD = r"(?a)(?!-)[\w.@:-]+"
_NO_URL = "https://example.invalid"  # stands for a missing one while the rest is read


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
class Steps:
    """The operator's own steps for one kind of alert: `instead` of the runbook's, or after them."""

    steps: tuple[str, ...]
    instead: bool


@dataclass(frozen=True)
class Target:
    """One production site; `label` is its name for people, `checks` is by kind, `runbook` by kind of alert."""

    name: str
    site: Site
    ops: Ops
    depends_on: tuple[str, ...]
    checks: Mapping[str, Check]
    runbook: Mapping[str, Steps] = field(default_factory=dict)
    label: str = ""
    alerts: Recipients = Recipients()

    @property
    def url(self) -> str:
        """The URL for showing it: without what may be a secret."""
        return without_passwords(self.site.url)


def read(tables: Table, instance: Instance, secrets: Secrets, warnings: list[str]) -> dict[str, Target]:
    """Every target of the `targets` table, by name."""
    targets = {}
    for name in tables.data:
        if not re.fullmatch(NAME, name):
            tables.problems.append(f"{tables.at(name)}: {shown(name)} is not a target's name ({NAME_RULE})")
        elif name in KINDS:
            tables.problems.append(f"{tables.at(name)}: {name!r} is reserved (a kind of check); choose another name")
        targets[name] = _target(name, tables.table(name), instance, secrets, warnings)
    for name, target in targets.items():
        _check_depends(name, target, targets, tables)
    return targets


def site_of(name: str, url: str, **known: Any) -> Site:
    """The site of a URL that `http_url` took; `known` is what else is known of it, by the Site's fields."""
    scheme, host, port = origin(url)
    return Site(**{"interval": USUAL_INTERVAL, **known}, name=name, url=url, scheme=scheme, host=host, port=port)


def explained_by(name: str, targets: Mapping[str, Target]) -> set[str]:
    """Every target that `name` depends on, itself included, however deep."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        here = waiting.pop()
        if here in targets and here not in found:
            found.add(here)
            waiting.extend(targets[here].depends_on)
    return found


def _target(name: str, table: Table, instance: Instance, secrets: Secrets, warnings: list[str]) -> Target:
    if "url" not in table.data:
        table.missing("url", "a URL like https://example.com")
    url = table.url("url") or _NO_URL
    interval = table.duration("interval", USUAL_INTERVAL, "5m", low="1s", high="30d")
    ops = _ops(table)
    depends_on = table.texts("depends_on", expected="a list of targets' names")
    runbook = _runbook(table)
    label = table.line("label", name)
    own = recipients(table)
    site = replace(_site(name, url, interval, table.data.get("tls"), instance), secrets=secrets)
    table.known.update(KINDS)
    checked = {
        kind: _check(kind, table, site, warnings) for kind in KINDS if kind in table.data or kind in ON_BY_DEFAULT
    }
    found = {kind: check for kind, check in checked.items() if check}
    table.finish()
    return Target(name, site, ops, depends_on, found, runbook, label, own)


def _runbook(table: Table) -> dict[str, Steps]:
    """`runbook = { health = ["instead of the usual steps"], tls-expiry = { add = ["after the usual ones"] } }`."""
    table.known.add("runbook")
    if "runbook" not in table.data:
        return {}
    own, found = table.table("runbook"), {}
    expected = "a list of steps, or { add = [steps] }"
    for alert in alert_names():
        if isinstance(own.data.get(alert), dict):
            more = own.table(alert)
            found[alert] = Steps(more.texts("add", (), expected), instead=False)
            more.finish()
        elif steps := own.texts(alert, (), expected):
            found[alert] = Steps(steps, instead=True)
    own.finish()
    return found


def _site(name: str, url: str, interval: timedelta, tls: Any, instance: Instance) -> Site:
    trust = tls if isinstance(tls, dict) else {}  # its own kind judges the values; here they are only passed on
    ca_file = trust.get("ca_file")
    return site_of(
        name,
        url,
        interval=interval,
        verify=trust.get("verify") is not False,
        ca_file=ca_file if isinstance(ca_file, str) and ca_file else None,
        resolvers=instance.resolvers,
        data_dir=str(instance.data_dir),
    )


def _check(kind: str, table: Table, site: Site, warnings: list[str]) -> Check | None:
    value = table.data.get(kind, kind in ON_BY_DEFAULT and ON_BY_DEFAULT[kind](site))
    if value is False:
        if kind in table.data:
            table.effective[kind] = False
        return None
    module = checks.load(kind)  # only now: a kind that is not in use costs no time
    own = Table({}, table.at(kind), table.problems) if value is True else table.table(kind, "a table, true or false")
    interval = own.duration("interval", module.INTERVAL or site.interval, "5m", low="1s", high="365d")
    timer = module.INTERVAL or USUAL_INTERVAL
    if interval < timer:
        place = own if "interval" in own.data else table
        seen = f"{place.at('interval')}: {written(interval)!r}"
        warnings.append(f"{seen} is shorter than the timer's interval: {kind} is looked at every {written(timer)}")
    settings = module.parse(own, site)
    own.finish()
    table.effective[kind] = own.effective
    return Check(settings, interval)


def _check_depends(name: str, target: Target, targets: Mapping[str, Target], tables: Table) -> None:
    place = f"{tables.at(name)}.depends_on"
    for other in target.depends_on:
        if other not in targets:
            tables.problems.append(f"{place}: {shown(other)} is not a target{nearest(other, targets)}")
        elif other == name:
            tables.problems.append(f"{place}: {name!r} is not another target")
        elif name in explained_by(other, targets):
            tables.problems.append(f"{place}: {other!r} is not independent: it depends on {name!r} itself")


def _ops(target: Table) -> Ops:
    target.known.add("ops")
    if "ops" not in target.data:
        return Ops()
    table = target.table("ops")
    ops = Ops(
        ssh=table.matching("ssh", "", SSH, 'a destination for ssh like "root@192.0.2.10"'),
        unit=table.matching("unit", "", _WORD, "a systemd unit's name"),
        database=table.matching("database", "", _WORD, "a database's name"),
    )
    table.finish()
    return ops
