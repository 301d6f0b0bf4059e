"""One visit to a URL from a page of another origin: the requests that a browser would send, and what it makes of them.

Sending itself is the caller's: `send` takes method, URL and headers and gives what came of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from pom_cli.checks.cors.rules import Asked, preflight_fields, preflight_refusal, refusal, value, varies
from pom_cli.checks.outcome import Outcome, asks_patience, phrase, told
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Status
from pom_cli.net.exchange import Answer, header
from pom_cli.net.faults import HOSTWIDE, Fault
from pom_cli.net.redirects import REDIRECTS, Trail, follow, place
from pom_cli.text import clean

PREFLIGHT, BARE = "preflight", "request without Origin"
_SENT = ("GET", "HEAD")  # safe methods (RFC 9110, section 9.2.1): nothing else is ever sent to a production site
_TELLING_NOTHING = (400, 401, 403)  # to a request without the headers' values and the cookies that a page would send

Send = Callable[[str, str, Mapping[str, str]], Outcome]


@dataclass(frozen=True)
class CorsRequest:
    """One request and what came of it. The name is `preflight`, the method, or that of the request without Origin."""

    name: str
    url: str
    asked: Asked
    outcome: Outcome


def visit(url: str, asked: Asked, send: Send) -> tuple[CorsRequest, ...]:
    """Preflight and request as a browser goes on with them, redirects within the host included ("HTTP-redirect fetch").

    The preflight is sent even where a browser would need none. Where the answer names one origin and caches might
    hand it to another, a last request without Origin tells whether it depends on the Origin at all.
    """
    steps: list[CorsRequest] = []
    trail = Trail(url)
    while True:
        url = trail.url
        if trail.hops == 0 or not asked.simple:
            steps.append(_preflight(url, asked, send))
            if _stops(steps[-1]) or asked.method not in _SENT:
                return tuple(steps)
        step = _request(url, asked, send)
        answer = step.outcome
        if isinstance(answer, Fault) or _stops(step) or not _redirects(answer):
            return (*steps, step, *_doubt(step, send))
        onward = follow(trail, answer)
        obstacle = _user_in(answer) if isinstance(onward, Trail) else onward
        if obstacle or not isinstance(onward, Trail):
            return (*steps, replace(step, outcome=replace(answer, unfollowed=obstacle)))
        steps.append(step)
        asked, trail = _onward(asked, url, onward.url), onward


def trial(url: str, asked: Asked, send: Send) -> tuple[CorsRequest, ...]:
    """Preflight and request of an origin that must be refused: both, for either alone would let it in."""
    first = _preflight(url, asked, send)
    if isinstance(first.outcome, Fault) or asked.method not in _SENT:
        return (first,)
    return first, _request(url, asked, send)


def _preflight(url: str, asked: Asked, send: Send) -> CorsRequest:
    return CorsRequest(PREFLIGHT, url, asked, send("OPTIONS", url, preflight_fields(asked)))


def _request(url: str, asked: Asked, send: Send) -> CorsRequest:
    return CorsRequest(asked.method, url, asked, send(asked.method, url, {"Origin": asked.origin}))


def _stops(step: CorsRequest) -> bool:
    return isinstance(step.outcome, Fault) or refused(step) is not None


def _redirects(answer: Answer) -> bool:
    return answer.status in REDIRECTS and bool(header(answer.headers, "location"))


def _user_in(answer: Answer) -> str | None:
    """A browser takes no redirect to a URL with a user in it."""
    location = urlsplit(urljoin(answer.url, header(answer.headers, "location") or ""))
    return "redirect to an address with a user in it" if "@" in location.netloc else None


def _onward(asked: Asked, before: str, after: str) -> Asked:
    """At another origin than the one that redirected, a browser names no origin and sends no Authorization."""
    if place(before)[0] == place(after)[0]:
        return asked
    return replace(asked, origin="null", headers=tuple(name for name in asked.headers if name != "authorization"))


def _doubt(step: CorsRequest, send: Send) -> tuple[CorsRequest, ...]:
    if isinstance(step.outcome, Fault) or refused(step) or not _names_one(step.outcome) or varies(step.outcome.headers):
        return ()
    return (CorsRequest(BARE, step.url, step.asked, send(step.asked.method, step.url, {})),)


def _names_one(answer: Answer) -> bool:
    return value(answer.headers, "access-control-allow-origin") not in (None, "*")


def refused(step: CorsRequest) -> str | None:
    """Why a browser refuses this answer, None where it does not. Only for a step that was answered."""
    assert isinstance(step.outcome, Answer)  # noqa: S101 - see above
    if step.name == PREFLIGHT:
        return preflight_refusal(step.outcome, step.asked)
    return None if step.name == BARE else refusal(step.outcome.headers, step.asked)


def judge_allowed(steps: Sequence[CorsRequest]) -> tuple[Status, str, CorsRequest]:
    """What a visit says of an origin that must be allowed: status, summary, and the step that decided."""
    for step in steps:
        trouble = _trouble(step)
        if trouble:
            return (*trouble, step)
    last = steps[-1]
    if last.name == BARE:
        return (*_for_caches(steps[-2], last), steps[-2])
    assert isinstance(last.outcome, Answer)  # noqa: S101 - it would have been trouble
    if last.name == PREFLIGHT:
        return OPERATIONAL, f"allowed; {last.asked.method} itself is not sent", last
    if refused(last):
        return OPERATIONAL, f"allowed; {last.name} without its credentials gives {phrase(last.outcome)}", last
    return OPERATIONAL, "allowed", last


def _trouble(step: CorsRequest) -> tuple[Status, str] | None:
    if step.name == BARE:
        return None
    if isinstance(step.outcome, Fault):
        return step.outcome.status, _silence(step, step.outcome)
    if step.outcome.unfollowed:
        return ERROR, f"{step.name}: {phrase(step.outcome)}: {step.outcome.unfollowed}"
    if asks_patience(step.outcome):
        return UNKNOWN, f"{step.name}: {phrase(step.outcome)}: it asks for patience"
    reason = refused(step)
    if reason is None or _tells_nothing(step):
        return None
    return ERROR, f"{step.name}: {reason}"


def _silence(step: CorsRequest, fault: Fault) -> str:
    """Which request had no answer, unless none ever left."""
    return told(fault) if fault.phase in HOSTWIDE else f"{step.name}: {told(fault)}"


def _tells_nothing(step: CorsRequest) -> bool:
    """An answer to somebody who is not logged in, where the page would be: the preflight alone is judged then."""
    incomplete = bool(step.asked.unsafe) or step.asked.credentials
    return (
        isinstance(step.outcome, Answer)
        and step.name != PREFLIGHT
        and incomplete
        and step.outcome.status in _TELLING_NOTHING
    )


def _for_caches(step: CorsRequest, bare: CorsRequest) -> tuple[Status, str]:
    """An answer that is the same for everybody needs no Vary, whichever origin it names."""
    assert isinstance(step.outcome, Answer)  # noqa: S101 - `_doubt` saw to it
    name = "access-control-allow-origin"
    if isinstance(bare.outcome, Fault) or value(bare.outcome.headers, name) == value(step.outcome.headers, name):
        return OPERATIONAL, "allowed"
    return DEGRADED, f"allowed, but {step.name} lacks Vary: Origin: a cache may hand its answer to other origins"


def judge_refused(steps: Sequence[CorsRequest]) -> tuple[Status, str, CorsRequest]:
    """What a trial says of an origin that must be refused: status, summary, and the step that decided."""
    for step in steps:
        if isinstance(step.outcome, Answer) and _lets_in(step, step.outcome):
            allowed = clean(value(step.outcome.headers, "access-control-allow-origin") or "", 80)
            return ERROR, f"allowed, and must not be: {step.name} gives Access-Control-Allow-Origin: {allowed}", step
    for step in steps:
        if isinstance(step.outcome, Fault):
            return step.outcome.status, _silence(step, step.outcome), step
    return OPERATIONAL, "refused", steps[0]


def _lets_in(step: CorsRequest, answer: Answer) -> bool:
    """Would a browser share this answer, or take it for permission? Which methods and headers does not matter here."""
    understood = step.name != PREFLIGHT or 200 <= answer.status < 300
    return understood and refusal(answer.headers, step.asked) is None
