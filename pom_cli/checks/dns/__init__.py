"""dns: what a target's records resolve to against what they should, and where the zone's own servers differ."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from pom_cli.checks import Site
from pom_cli.checks.dns.records import MATCHES, ONE_ONLY, TYPES, WANTED, Fields, Record, expected, name
from pom_cli.checks.dns.servers import Server, server, system_resolvers
from pom_cli.checks.steps import Section, Step
from pom_cli.frozen import dataclass
from pom_cli.model import Finding, Past, State
from pom_cli.text import clean
from pom_cli.toml.table import Table

if TYPE_CHECKING:
    from pom_cli.checks.dns.answers import Answer
    from pom_cli.checks.dns.verdicts import Sight
    from pom_cli.checks.dns.zones import Said

HELP = "DNS records that must be as expected"
COVERED: Mapping[str, Callable[[State], bool]] = {}  # a site that is down explains no record
INTERVAL: timedelta | None = timedelta(hours=1)
NETWORK = True

_FULL_NAME = 'a full name like "www.example.com"'


def _record_facts(subject: str, known: Mapping[str, str]) -> Mapping[str, str]:
    """`"example.com A"` for dig, which asks for A by itself."""
    name, type_, *_ = [*subject.split(), "A"] if subject else [known.get("host", ""), "A"]
    return {"a_record": name} if type_ == "A" else {"record": name, "type": type_}


HINTS = (
    ("records", '[{ name = "www.example.com", type = "A", expected = ["203.0.113.7"] }]', "[]: it must resolve"),
    ("authoritative", "false", "true: ask each of the zone's own servers as well"),
)
RUNBOOK = {
    "dns": Section(
        "DNS Mismatch",
        "DNS records don't match expected values.",
        (
            Step("Verify:", ("dig {a_record} +short", "dig {record} {type} +short"), "and compare with expected"),
            Step("Check {dns_provider} DNS dashboard for unexpected changes"),
            Step("If propagation issue: wait 5-10 minutes and recheck", ("{pom:whole} check dns {target}",)),
            Step("If intentional change: update PoM config to match new expected values"),
        ),
        plural="records",
        facts=_record_facts,
    ),
}


@dataclass(frozen=True)
class Settings:
    """What is expected of which records, and who is asked. No resolvers: those of this system."""

    records: tuple[Record, ...]
    resolvers: tuple[Server, ...] = ()
    timeout_s: float = 10.0
    authoritative: bool = False
    port: int = 53  # of the zone's own servers

    @property
    def budget(self) -> float:
        """Seconds: a look ends by itself within the timeout, this only bounds what ought not to happen."""
        return self.timeout_s + 1


def adhoc(site: Site) -> bool:
    return bool(_own_name(site)) and "." in site.host


def parse(table: Table, site: Site) -> Settings:
    """The Settings from a target's `dns` table."""
    timeout = table.duration("timeout", timedelta(seconds=10), "10s", low="100ms", high="5m")
    return Settings(
        records=_records(table, site),
        resolvers=tuple(dict.fromkeys(server(text) for text in site.resolvers)),
        timeout_s=timeout.total_seconds(),
        authoritative=table.boolean("authoritative", False),
    )


def facts(settings: Settings) -> Mapping[str, Any]:
    return {}


def subjects(settings: Settings) -> tuple[str, ...]:
    return tuple(record.subject for record in settings.records)


def look(settings: Settings) -> tuple["Sight", ...]:
    """What each record resolves to, all asked at once; with `authoritative`, then what the zones' servers say.

    Half of the time is kept for the latter, whatever the resolvers do. Where there is but one name to ask about, the
    root's servers are asked for as well, to see whether the resolvers answer anything.
    """
    from pom_cli.checks.dns.answers import Question
    from pom_cli.checks.dns.client import ask
    from pom_cli.checks.dns.verdicts import Sight

    begun = time.monotonic()
    deadline = begun + settings.timeout_s
    first = begun + settings.timeout_s / 2 if settings.authoritative else deadline
    resolvers = settings.resolvers or system_resolvers()
    questions = [Question(record.name, record.type, resolvers) for record in settings.records]
    if len({record.name for record in settings.records}) == 1:
        questions.append(Question(".", "NS", resolvers))
    answers = ask(questions, first)
    answering = {question.name for question, answer in zip(questions, answers, strict=True) if answer.rcode is not None}
    answers = answers[: len(settings.records)]
    for number, (record, answer) in enumerate(zip(settings.records, answers, strict=True)):
        if record.either and answer.rcode == "NOERROR" and not answer.found:
            answers[number] = ask([Question(record.name, "AAAA", resolvers)], first)[0]
    said = _said(settings, answers, resolvers, deadline) if settings.authoritative else [None] * len(answers)
    return tuple(
        Sight(answer, servers, others_answered=bool(answering - {record.name}))
        for record, answer, servers in zip(settings.records, answers, said, strict=True)
    )


def judge(seen: Sequence["Sight"], settings: Settings, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """A Finding for each record. Of what is known from before only one thing counts: since when it is unknown."""
    from pom_cli.checks.dns.verdicts import finding

    return [
        finding(record, sight, past.get(record.subject, Past()), now)
        for record, sight in zip(settings.records, seen, strict=True)
    ]


def _said(
    settings: Settings, answers: Sequence["Answer"], resolvers: tuple[Server, ...], deadline: float
) -> list[tuple["Said", ...] | None]:
    from pom_cli.checks.dns.zones import survey

    records = [(record.name, answer.type) for record, answer in zip(settings.records, answers, strict=True)]
    known = [record for record, answer in zip(records, answers, strict=True) if answer.rcode is not None]
    said = survey(known, resolvers, settings.port, deadline)
    return [said.get(record, ()) for record in records]


def _records(table: Table, site: Site) -> tuple[Record, ...]:
    """The records of the config. None given: the site's own name must have an address, IPv4 or IPv6."""
    given = table.tables("records")
    own = _own_name(site)
    if not table.data.get("records"):
        if not own:
            table.missing("records", f'a list like [{{ name = "example.com" }}], as {site.host!r} is not a name')
        return (Record(own, "A", either=True),) if own else ()
    found: dict[str, Record] = {}
    for each in given:
        record = _record(each, own)
        if record and record.subject in found:
            place = f"{each.path}: {record.subject!r} is not a new record"
            table.problems.append(f"{place}; give all its values in one list, as `expected` of the first")
        elif record:
            found[record.subject] = record
    return tuple(found.values())


def _own_name(site: Site) -> str:
    """The host of the site's URL; "" where that is an IP address."""
    try:
        ip_address(site.host)
    except ValueError:
        return site.host.lower().removesuffix(".")
    return ""


def _record(table: Table, own: str) -> Record | None:
    if "" in table.data:
        table.problems.append(f'{table.path}: {table.data[""]!r} is not a table like {{ name = "example.com" }}')
        return None
    kind = table.read("type", "A", _kind, "one of " + ", ".join(TYPES))
    owner = table.read("name", own, _full_name, _FULL_NAME)
    if not own and "name" not in table.data:
        table.missing("name", _FULL_NAME)
    match = table.choice("match", "exact", MATCHES)
    values = _values(table, kind, match)
    table.finish()
    return Record(owner, kind, values, match) if owner else None


def _kind(value: Any) -> str:
    if not isinstance(value, str) or value.upper() not in TYPES:
        raise ValueError(value)
    return value.upper()


def _full_name(value: Any) -> str:
    """A name with a dot in it: one without is a mistake for `www.example.com` far more often than a domain."""
    if not isinstance(value, str) or "." not in value or value == ".":
        raise ValueError(value)
    return name(value)


def _values(table: Table, kind: str, match: str) -> tuple[Fields, ...]:
    """The expected values, each mistake under its own number."""
    given: list[Any] = table.read("expected", [], _list, "a list of texts; [] is for a record that must only exist")
    if str(table.data.get("type", kind)).upper() != kind:
        return ()  # the type is the mistake
    found: dict[Fields, None] = {}
    for number, value in enumerate(given):
        try:
            found[expected(kind, value)] = None
        except (ValueError, AttributeError):
            table.problems.append(f"{table.at('expected')}[{number}]: {clean(repr(value), 80)} is not {WANTED[kind]}")
    if kind in ONE_ONLY and len(found) > 1 and match != "any":
        table.problem("expected", f"possible: a name has only one {kind} record")
    return tuple(found)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(value)
    return value
