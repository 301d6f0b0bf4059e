"""Which DNS records a config may name, and which of their values: those that will still be so tomorrow."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pom_cli.checks import Site
from pom_cli.checks.dns.records import expected, written
from pom_cli.checks.dns.servers import Server, server, system_resolvers
from pom_cli.model import OPERATIONAL, Finding
from pom_cli.net.deadline import Deadline
from pom_cli.setup.proposals import Proposal, trial

if TYPE_CHECKING:
    from pom_cli.checks.dns.answers import Answer
    from pom_cli.checks.dns.zones import Said

_SHORT_TTL = 60  # seconds: addresses with a shorter TTL are expected to change (AWS aliases: 60)
_POOL = 4  # more addresses than this are a pool's, some of which come and go
_LONGEST = 500  # characters of a value
_FOR_RESOLVERS, _FOR_ZONES = 3.0, 2.0  # seconds


def propose(
    site: Site, domain: str | None, moves: bool, deadline: Deadline, now: datetime, port: int = 53
) -> Proposal | None:
    """The records of the site's host, and of its `domain` where one is given; None for a host that has none.

    `moves`: the addresses belong to a network that changes them. `port` is that of the zone's own servers.
    """
    host = site.host.removesuffix(".")
    if "." not in host or host.replace(".", "").isdigit() or ":" in host:
        return None
    from pom_cli.checks.dns.answers import Question
    from pom_cli.checks.dns.client import ask

    resolvers = tuple(map(server, site.resolvers)) or system_resolvers()
    wanted = [(host, kind) for kind in ("A", "AAAA", "CNAME")]
    wanted += [(domain, kind) for kind in ("NS", "MX", "TXT")] if domain else []
    answers = ask([Question(*each, resolvers) for each in wanted], _by(deadline, _FOR_RESOLVERS))
    if all(answer.rcode is None for answer in answers):
        why = "; ".join(answers[0].failures)
        return Proposal(None, (f"They could not be looked up today: {why}.",), f"DNS not looked at: {why}")
    present = {each: answer for each, answer in zip(wanted, answers, strict=True) if answer.found}
    said = _said(list(present), resolvers, port, deadline)
    records = [
        record for each, answer in present.items() for record in _record(each, answer, said.get(each, ()), moves)
    ]
    return _tried(records, site, deadline, now)


def _by(deadline: Deadline, seconds: float) -> float:
    return min(deadline.ends, time.monotonic() + seconds)


def _said(
    wanted: Sequence[tuple[str, str]], resolvers: tuple[Server, ...], port: int, deadline: Deadline
) -> "dict[tuple[str, str], tuple[Said, ...]]":
    """What the zone's own servers say: a resolver repeats what it heard once, they show what changes."""
    from pom_cli.checks.dns.zones import survey

    return survey(wanted, resolvers, port, _by(deadline, _FOR_ZONES)) if wanted else {}


def _record(each: tuple[str, str], answer: "Answer", said: "Sequence[Said]", moves: bool) -> list[dict[str, Any]]:
    """The record for the config: with its values if they are stable, without any if it must only resolve."""
    name, kind = each
    if kind == "TXT":
        # Of the texts of a domain only this one is needed for what the domain does; others prove this and that.
        texts = [text for text in _values(kind, answer) if text.lower().startswith("v=spf1")]
        return [{"name": name, "type": kind, "expected": texts, "match": "subset"}] if len(texts) == 1 else []
    values = _values(kind, answer) if steady(kind, answer, said, moves) else []
    return [{"name": name, "type": kind, "expected": values}]


def steady(kind: str, answer: "Answer", said: "Sequence[Said]", moves: bool) -> bool:
    """Will this answer be the same tomorrow, judging by what is known today?"""
    usable = [each.answer for each in said if each.answer.rcode is not None]
    if any(each.found != answer.found for each in usable):
        return False
    if kind not in ("A", "AAAA"):
        return True
    # Of its time to live a resolver tells what is left, the zone's own server the whole.
    ttl = max((each.ttl for each in usable if each.ttl is not None), default=answer.ttl)
    return not (moves or answer.aliases or len(answer.found) > _POOL or ttl is None or ttl <= _SHORT_TTL)


def _values(kind: str, answer: "Answer") -> list[str]:
    """The values as the config writes them; none where one of them cannot be written so that it is read back."""
    texts = [written(kind, fields) for fields in answer.found]
    good = all(_readable(kind, text, fields) for text, fields in zip(texts, answer.found, strict=True))
    if kind == "TXT":
        return [text for text, fields in zip(texts, answer.found, strict=True) if _readable(kind, text, fields)]
    return texts if good else []


def _readable(kind: str, text: str, fields: tuple[str | None, ...]) -> bool:
    try:
        return len(text) <= _LONGEST and text.isprintable() and expected(kind, text) == fields
    except ValueError:
        return False


def _tried(records: list[dict[str, Any]], site: Site, deadline: Deadline, now: datetime) -> Proposal:
    """Those records that the kind itself finds as they are written; what differs by then is left open."""
    if not records:
        return Proposal()
    try:
        findings = trial("dns", {"records": records}, site, deadline.remaining(), now)
    except TimeoutError:
        return Proposal()
    kept = [each for record, finding in zip(records, findings, strict=False) for each in _kept(record, finding)]
    if not kept:
        return Proposal()
    notes = ["As they resolve today."]
    if not all(record["expected"] for record in kept):
        notes.append("An empty list is for a record that must resolve, to anything: those change by themselves.")
    return Proposal({"records": kept}, tuple(notes), f"{len(kept)} DNS records")


def _kept(record: dict[str, Any], finding: Finding) -> list[dict[str, Any]]:
    if finding.status is OPERATIONAL:
        return [record]
    return [{**record, "expected": []}] if finding.detail.get("found") and "match" not in record else []
