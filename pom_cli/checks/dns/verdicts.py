"""What the answers about one record say of it, and the words for that. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pom_cli.checks.dns.answers import Answer
from pom_cli.checks.dns.records import Fields, Record, agrees, shown
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Past, Status, Verdict
from pom_cli.text import clean
from pom_cli.times import moment, short, utc

if TYPE_CHECKING:
    from pom_cli.checks.dns.zones import Said

Judged = tuple[Status, str]
_PATIENCE = timedelta(hours=6)  # without an answer about a name, while the resolvers answer for others


@dataclass(frozen=True)
class Sight:
    """What was seen of one record. `said` is None where the zone's own servers were not to be asked."""

    answer: Answer
    said: "tuple[Said, ...] | None" = None
    others_answered: bool = False  # the same resolvers answered a question about another name


def finding(record: Record, sight: Sight, past: Past, now: datetime) -> Finding:
    """The Finding about one record. `past` is what is known of it from before."""
    status, text = _judged(record, sight)
    detail = _detail(record, sight)
    since = _unknown_since(sight, past, now) if status is UNKNOWN else None
    if since:
        detail["unknown_since"] = utc(since)
        if sight.others_answered and now - since >= _PATIENCE:
            status = DEGRADED
            text = f"no answer for {short(now - since)}, though the resolvers answer for other names: {text}"
    summary = clean(text, 300)
    return Finding(
        subject=record.subject,
        status=status,
        summary=summary,
        verdicts={"dns": Verdict(status, summary)},
        latency_ms=sight.answer.ms,
        detail=detail,
        answered=sight.answer.replied,
    )


def _unknown_since(sight: Sight, past: Past, now: datetime) -> datetime | None:
    """Since when the name alone has been unknown; None while the resolvers answer nothing else either.

    Once begun that time runs on through looks at which they answered nothing, and it ends with an answer.
    """
    begun = moment(past.detail.get("unknown_since"))
    if begun is not None and begun <= now:
        return begun
    return now if sight.others_answered else None


def _judged(record: Record, sight: Sight) -> Judged:
    """By what the resolvers and, where asked, the zone's servers say.

    Servers that gave no usable answer are named and change nothing: somebody else's trouble is not a wrong record.
    """
    answer = sight.answer
    if answer.rcode is None:
        return UNKNOWN, "; ".join(answer.failures)
    usable = [each for each in sight.said or () if each.answer.rcode is not None]
    silent = [f"{each.name}: {'; '.join(each.answer.failures)}" for each in sight.said or () if each not in usable]
    if sight.said is not None and not sight.said:
        silent = ["the zone's own servers were not found"]
    together = _together(usable, whole=not silent)
    status, text = _by_zone(record, answer, usable, together) if usable else _by_resolver(record, answer)
    return status, "; ".join([text, *silent])


def _by_resolver(record: Record, answer: Answer) -> Judged:
    return (OPERATIONAL, _good(record, answer)) if _right(record, answer) else (ERROR, _wrong(record, answer))


def _by_zone(record: Record, answer: Answer, said: "Sequence[Said]", together: str) -> Judged:
    """The servers with the newest serial decide. If all are right, a server that differs still has an old answer, which
    will pass (degraded, "propagation"). If one of them is wrong, the record was changed, even if a resolver still has
    the old answer (error)."""
    wrong = [each for each in said if not _right(record, each.answer)]
    changed = [each for each in newest(said) if each in wrong]
    if len(wrong) == len(said):
        return ERROR, _everywhere(record, answer, said, together)
    if changed:
        return ERROR, f"{_differing(record, changed, said)}: it was changed there"
    cached = [] if _right(record, answer) else [f"{answer.server} still says {_says(record, answer)}"]
    if wrong:
        return DEGRADED, "; ".join([_differing(record, wrong, said), *cached]) + ": propagation"
    if cached:
        return DEGRADED, f"{cached[0]}, {together} {_says(record, said[0].answer)}: propagation"
    return OPERATIONAL, _good(record, answer)


def _together(said: "Sequence[Said]", whole: bool) -> str:
    """Who says it, where these servers agree; by name, where others gave no usable answer."""
    if whole:
        return "all servers of the zone say"
    return f"{' and '.join(each.name for each in said)} say{'s' if len(said) == 1 else ''}"


def newest(said: "Sequence[Said]") -> "list[Said]":
    """Those with the zone's newest serial, by RFC 1982's arithmetic. One that tells none cannot be called old."""
    top: int | None = None
    for each in said:
        if each.serial is not None and (top is None or 0 < (each.serial - top) % 2**32 < 2**31):
            top = each.serial
    return [each for each in said if each.serial in (None, top)]


def _everywhere(record: Record, answer: Answer, said: "Sequence[Said]", together: str) -> str:
    """No server of the zone has the record as expected."""
    alike = len({each.answer.found for each in said}) == 1
    texts = {together: said[0]} if alike else {f"{each.name} says": each for each in said}
    found = "; ".join(f"{who} {_says(record, each.answer)}" for who, each in texts.items())
    still = f"; {answer.server} still says {_says(record, answer)}" if _right(record, answer) else ""
    return f"{found}{_but_expected(record)}: it was changed{still}"


def _differing(record: Record, differing: "Sequence[Said]", said: "Sequence[Said]") -> str:
    """Who differs, what they have, and both serials."""
    other = next(each for each in said if _right(record, each.answer))
    texts = []
    for each in differing:
        serials = f" (serial {each.serial}; {other.name} has {other.serial})" if each.serial and other.serial else ""
        texts.append(f"{each.name} differs: {_says(record, each.answer)}{serials}")
    return "; ".join(texts)


def _right(record: Record, answer: Answer) -> bool:
    missing, extra = _difference(record, answer)
    return bool(answer.found) and not missing and not extra


def _difference(record: Record, answer: Answer) -> tuple[list[Fields], list[Fields]]:
    """What is missing, and what is there that should not be."""
    missing = [want for want in record.expected if not any(agrees(want, have) for have in answer.found)]
    extra = [have for have in answer.found if not any(agrees(want, have) for want in record.expected)]
    if record.match == "any" and len(missing) < len(record.expected):
        missing = []
    return missing, extra if record.expected and record.match != "subset" else []


def _good(record: Record, answer: Answer) -> str:
    listed = _listed(answer.type, answer.found)
    return f"{listed} as expected" if record.expected else f"resolves: {listed}"


def _wrong(record: Record, answer: Answer) -> str:
    missing, extra = _difference(record, answer)
    if not answer.found or len(missing) == len(record.expected):  # nothing in common
        return _says(record, answer) + _but_expected(record)
    parts = [f"{_listed(record.type, missing)} missing"] if missing else []
    parts += [f"{_listed(record.type, extra)} not expected"] if extra else []
    return ", ".join(parts) + f" ({len(answer.found)} found)"


def _says(record: Record, answer: Answer) -> str:
    """The values, or that there are none, as `dig` would tell it."""
    if answer.found:
        return _listed(answer.type, answer.found)
    if answer.rcode == "LOOP":
        return "an endless chain of aliases"
    kinds = "A or AAAA" if record.either else record.type
    nothing = f"no {kinds} record (NODATA)"
    if not answer.aliases:
        return "does not exist (NXDOMAIN)" if answer.rcode == "NXDOMAIN" else nothing
    lack = "does not exist (NXDOMAIN)" if answer.rcode == "NXDOMAIN" else f"has {nothing}"
    return f"alias of {answer.aliases[-1]}, which {lack}"


def _but_expected(record: Record) -> str:
    which = "any of " if record.match == "any" and len(record.expected) > 1 else ""
    return f", expected {which}{_listed(record.type, record.expected)}" if record.expected else ""


def _listed(kind: str, values: Sequence[Fields], most: int = 3) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b, c and 4 more`; each cut to a length that leaves room for the others."""
    quote = '"' if kind == "TXT" else ""
    texts = [f"{quote}{shown(kind, value, 60)}{quote}" for value in values[:most]]
    texts += [f"{len(values) - most} more"] if len(values) > most else []
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _detail(record: Record, sight: Sight) -> dict[str, Any]:
    answer = sight.answer
    detail: dict[str, Any] = {
        "name": record.name,
        "type": answer.type,
        "match": record.match,
        "expected": [shown(record.type, value) for value in record.expected],
        "found": _found(answer),
        "rcode": answer.rcode,
        "resolver": answer.server or None,
        "aliases": [clean(alias, 255) for alias in answer.aliases],
        "failures": list(answer.failures),
    }
    if sight.said is not None:
        detail["servers"] = [_server(each) for each in sight.said]
    return detail


def _server(said: "Said") -> dict[str, Any]:
    return {
        "server": clean(said.name, 255),
        "address": said.address or None,
        "found": _found(said.answer),
        "serial": said.serial,
        "rcode": said.answer.rcode,
        "failures": list(said.answer.failures),
    }


def _found(answer: Answer) -> list[str]:
    return [shown(answer.type, value) for value in answer.found[:100]]
