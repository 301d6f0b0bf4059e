"""What one request came to: the status that it makes, and the words and figures for it. Pure."""

from typing import TYPE_CHECKING, Any, TypeAlias

from pom_cli.checks.expect import Expected, Mismatch
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Status, Verdict
from pom_cli.net.faults import EXPIRED, Fault
from pom_cli.net.redirects import DOWNGRADED
from pom_cli.text import clean

_TOO_MANY = 429

if TYPE_CHECKING:
    from pom_cli.net.exchange import Answer

Outcome: TypeAlias = "Answer | Fault"


def status_of(outcome: Outcome, mismatch: Mismatch | None, expected: Expected) -> Status:
    """What an answer, or the lack of one, makes of its subject."""
    if isinstance(outcome, Fault):
        return outcome.status
    code = outcome.status
    if asks_patience(outcome) and code not in expected.status:
        return UNKNOWN
    if outcome.flaw or not (200 <= code < 300 or code in expected.status):
        return ERROR
    if expected.status and code not in expected.status:
        return DEGRADED
    return OPERATIONAL if mismatch is None else UNKNOWN if mismatch.doubtful else DEGRADED


def asks_patience(outcome: Outcome) -> bool:
    """Whether the server limits how often this monitor asks (RFC 6585, section 4). That is no fault of the site, and
    to ask again soon would make it worse."""
    return not isinstance(outcome, Fault) and outcome.status == _TOO_MANY and _has(outcome, "retry-after")


def _has(answer: "Answer", name: str) -> bool:
    return any(key.lower() == name for key, _ in answer.headers)


def summarize(outcome: Outcome, mismatch: Mismatch | None, expected: Expected) -> str:
    """The fact first. A good answer's is always the same, for summaries are stored once each."""
    if isinstance(outcome, Fault):
        return told(outcome)
    if outcome.unfollowed:
        return f"{phrase(outcome)}: {outcome.unfollowed}"
    if asks_patience(outcome) and outcome.status not in expected.status:
        return f"{phrase(outcome)}: it asks for patience"
    trouble, differs = outcome.flaw, mismatch.text if mismatch else None
    if outcome.status in expected.status:
        trouble = trouble or differs
    elif 200 <= outcome.status < 300:
        unlisted = f"{' or '.join(map(str, expected.status))} is expected" if expected.status else None
        trouble = trouble or unlisted or differs
    if trouble:
        return f"{outcome.status}, but {trouble}"
    return f"{phrase(outcome)}, {DOWNGRADED}" if outcome.downgraded else phrase(outcome)


def verdicts(alert: str, outcome: Outcome, status: Status, summary: str) -> dict[str, Verdict]:
    """For this kind of alert, and for `tls-expiry`: an expired certificate is only that, whichever check finds it."""
    if not isinstance(outcome, Fault):
        return {alert: Verdict(status, summary), "tls-expiry": Verdict(OPERATIONAL, "certificate has not expired")}
    if outcome.reason != EXPIRED:
        return {alert: Verdict(status, summary)}
    where_ = (outcome.at,) if outcome.at else ()
    return {alert: Verdict(UNKNOWN, summary), "tls-expiry": Verdict(ERROR, summary, subjects=where_)}


def told(fault: Fault) -> str:
    """Why no answer came; where only the time ran out, with what it was spent on."""
    return f"{fault.reason} ({fault.phase})" if "answer within" in fault.reason else fault.reason


def where(fault: Fault) -> dict[str, str]:
    """What `detail` says about a fault: how far the request got, and the address, if known."""
    return {"phase": fault.phase, **({"address": fault.address} if fault.address else {})}


def phrase(answer: "Answer") -> str:
    """`503 Service Unavailable`: the standard's words for a status, else the server's own."""
    from http import HTTPStatus

    try:
        return f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return f"{answer.status} {clean(answer.reason, 40)}".strip()


def figures(answer: "Answer") -> dict[str, Any]:
    """What `detail` says about an answer; times in whole milliseconds."""
    times = {
        "dns_ms": answer.dns_ms,
        "connect_ms": answer.connect_ms,
        "tls_ms": answer.tls_ms,
        "first_byte_ms": answer.first_byte_ms,
    }
    return {
        "http_status": answer.status,
        "url": without_query(answer.url),
        "address": answer.address,
        **({"downgraded": True} if answer.downgraded else {}),
        **{name: round(ms) for name, ms in times.items() if ms is not None},
    }


def without_query(url: str) -> str:
    """The URL as it may be shown: a query may hold a key."""
    return clean(url.partition("?")[0])
