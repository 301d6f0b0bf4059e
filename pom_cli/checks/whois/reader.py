"""From the text of a WHOIS answer to a RegistryAnswer: the expiry date if there is exactly one, else why not."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pom_cli.checks.whois import phrases
from pom_cli.checks.whois.answer import Ending, RegistryAnswer
from pom_cli.checks.whois.dates import AmbiguousDate, Order, order_in, read
from pom_cli.checks.whois.fields import Line, Topic, below, sentence, split, topic
from pom_cli.checks.whois.suffixes import ascii_name
from pom_cli.text import clean

UNPUBLISHED = "it publishes no date"

# Registries that are known to write the day (or the month) first in a date of numbers with "-" or "/".
_DAY_FIRST = ("hk", "xn--j6w193g", "il", "xn--4dbrk0ce", "pt", "im", "bg", "xn--90ae", "tn", "sm", "pf")
_MONTH_FIRST = ("tk", "cf", "ga", "gq", "ml")
_RANKED = (Topic.REGISTRY_EXPIRY, Topic.EXPIRY, Topic.REGISTRAR_EXPIRY)
_CONNECTED = re.compile(r"connected\s*\((\d{4}/\d\d/\d\d)\)", re.IGNORECASE)
_NEVER = re.compile(r"\W*|n/?a|none|never|null|unknown|not .*|-+|indefinite.*|unlimited", re.IGNORECASE)
_DAY = timedelta(days=1)
_DATED = (*_RANKED, Topic.CREATED)


@dataclass
class _Facts:
    """What the labelled lines tell, in their order."""

    expiries: dict[Topic, list[tuple[datetime, int]]] = field(default_factory=dict)  # with the block they are in
    unread: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    created: list[datetime] = field(default_factory=list)
    names: list[tuple[str, int]] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    registrar: str = ""
    dnssec: bool | None = None
    record: bool = False  # something that only a registered domain has


def read_whois(text: str, domain: str) -> RegistryAnswer:
    """What a port-43 answer says of this domain (in its ASCII form). It never guesses: see `dates.read`."""
    lines = split(text)
    facts = _gather(lines, order_of(text, domain))
    if _about_another(facts, domain):
        return RegistryAnswer("whois", Ending.NO_DATE, f"its answer is about {clean(facts.names[0][0], 80)}")
    date, why = _expiry(facts, domain)
    if date is None:
        return _without_date(lines, facts, why)
    return _answer(Ending.DATED, "", facts, date)


def order_of(text: str, domain: str) -> Order:
    """The answer's own evidence first, then what is known of the registry."""
    shown = order_in(text)
    tld = domain.rpartition(".")[2]
    if shown is not Order.OPEN:
        return shown
    return Order.DAY if tld in _DAY_FIRST else Order.MONTH if tld in _MONTH_FIRST else Order.OPEN


def _gather(lines: list[Line], order: Order) -> _Facts:
    facts = _Facts()
    for at, line in enumerate(lines):
        if not line.comment:
            about, value = _told(line, order)
            value = value or next((other.text for other in below(lines, at)), "")
            if value:
                _note(facts, about, value, line, order)
    return facts


def _told(line: Line, order: Order) -> tuple[Topic, str]:
    """What a line is about, and its value: by its label, else as a sentence ("Record expires on 2027-03-01")."""
    about = topic(line.label)
    if line.heading or (about in _DATED and _dated(line.value, order)):
        return about, line.value
    if about in (*_DATED, Topic.REMARK, Topic.OTHER):
        label, rest = sentence(line.value if about is Topic.REMARK else line.text)
        if topic(label) in _DATED and _dated(rest, order):
            return topic(label), rest
    return about, line.value


def _note(facts: _Facts, about: Topic, value: str, line: Line, order: Order) -> None:
    if about in _RANKED:
        _note_expiry(facts, about, value, line, order)
    elif about is Topic.CREATED:
        facts.created.extend(_dates(value, order))
        facts.record = facts.record or any(letter.isdigit() for letter in value)
    elif about is Topic.NAME:
        facts.names.append((value.split()[0], line.block))
    elif about is Topic.STATUS:
        facts.statuses.append(re.split(r"\s+\(?https?:", value)[0])
        for date in _CONNECTED.findall(value):  # JPRS, of co.jp and its like: connected until then
            facts.expiries.setdefault(Topic.REGISTRAR_EXPIRY, []).extend(
                (day, line.block) for day in _dates(date, order)
            )
    elif about is Topic.REGISTRAR and not facts.registrar:
        facts.registrar = value
        facts.record = True
    elif about is Topic.DNSSEC:
        facts.dnssec = _signed(value) if facts.dnssec is None else facts.dnssec
    elif about is Topic.RECORD:
        facts.record = True


def _note_expiry(facts: _Facts, about: Topic, value: str, line: Line, order: Order) -> None:
    hinted = order_in(f"{line.hint} {value}")
    try:
        date = read(value, hinted if hinted is not Order.OPEN else order)
    except AmbiguousDate as fault:
        facts.ambiguous.append(str(fault))
        return
    if date is not None:
        facts.expiries.setdefault(about, []).append((date, line.block))
    elif not _NEVER.fullmatch(value):
        facts.unread.append(value)


def _dates(value: str, order: Order) -> list[datetime]:
    try:
        date = read(value, order)
    except AmbiguousDate:
        return []
    return [] if date is None else [date]


def _dated(value: str, order: Order) -> bool:
    try:
        return read(value, order) is not None
    except AmbiguousDate:
        return True


def _signed(value: str) -> bool | None:
    word = value.lower()
    if re.match(r"unsigned|no\b|not|false|inactive|none|disabled|unsigned delegation", word):
        return False
    return True if re.match(r"signed|yes|true|active|enabled|\d", word) else None


def _about_another(facts: _Facts, domain: str) -> bool:
    """Does the answer name domains, and ours is not among them? (A server that answers with the nearest match.)"""
    names = set()
    for name, _ in facts.names:
        try:
            names.add(ascii_name(name.strip("[]\"'")))
        except ValueError:
            continue
    full = {name for name in names if "." in name}
    return bool(full) and domain not in full and all(name.isascii() for name, _ in facts.names)


def _expiry(facts: _Facts, domain: str) -> tuple[datetime | None, str]:
    """The one expiry date, or None and why."""
    for rank in _RANKED:
        dates = facts.expiries.get(rank, [])
        if len({date.date() for date, _ in dates}) > 1:
            home = {block for name, block in facts.names if name.strip(".").lower() == domain}
            dates = [(date, block) for date, block in dates if block in home] or dates
        if dates and max(dates)[0] - min(dates)[0] > _DAY:
            return None, "it gives more than one expiry date"
        if dates:
            return _plausible(dates[0][0], facts)
    if facts.ambiguous:
        return None, f"its expiry date {clean(facts.ambiguous[0], 20)} can be read in two ways"
    if facts.unread:
        return None, f"its expiry date {clean(facts.unread[0], 40)!r} cannot be read"
    return None, ""


def _plausible(date: datetime, facts: _Facts) -> tuple[datetime | None, str]:
    if facts.created and date < min(facts.created) - _DAY:
        return None, f"its expiry date {date:%Y-%m-%d} lies before the registration of {min(facts.created):%Y-%m-%d}"
    return date, ""


def _without_date(lines: list[Line], facts: _Facts, why: str) -> RegistryAnswer:
    if why:
        return _answer(Ending.NO_DATE, why, facts)
    if any(phrases.free_status(status) for status in facts.statuses) and not facts.registrar:
        return RegistryAnswer("whois", Ending.FREE, "the registry has no such domain")
    sign = phrases.meaning(lines)
    if sign and (not facts.record or sign[0] is Ending.LIMITED):
        reason = "the registry has no such domain" if sign[0] is Ending.FREE else f"it says: {clean(sign[1], 100)}"
        return RegistryAnswer(
            "whois", sign[0], reason, wait_s=phrases.wait(lines) if sign[0] is Ending.LIMITED else None
        )
    if not facts.record and (status := next(filter(phrases.rejected, facts.statuses), "")):
        return RegistryAnswer("whois", Ending.REFUSED, f"it says: {clean(status, 100)}")
    published = facts.record or facts.statuses or facts.names
    return _answer(Ending.NO_DATE, UNPUBLISHED if published else "its answer cannot be read", facts)


def _answer(ending: Ending, reason: str, facts: _Facts, expires: datetime | None = None) -> RegistryAnswer:
    return RegistryAnswer(
        "whois",
        ending,
        reason,
        expires=expires,
        created=min(facts.created, default=None),
        registrar=clean(facts.registrar, 100) or None,
        statuses=tuple(clean(status, 60) for status in dict.fromkeys(facts.statuses))[:12],
        dnssec=facts.dnssec,
    )
