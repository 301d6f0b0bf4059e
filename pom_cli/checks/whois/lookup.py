"""The order of asking: RDAP, then port 43; a second read of what startles; waits that registries asked for."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from pom_cli.checks.whois import bootstrap, cache, turns
from pom_cli.checks.whois.answer import Ending, Observation, RegistryAnswer, agree, decisive, startles, trouble
from pom_cli.checks.whois.cache import Memory
from pom_cli.checks.whois.port43 import ask_whois
from pom_cli.checks.whois.rdap import ask_rdap
from pom_cli.checks.whois.servers import known_server
from pom_cli.frozen import dataclass
from pom_cli.net.deadline import Deadline
from pom_cli.times import moment, utc
from pom_cli.toml.table import split_url

# Seconds of a rate limit: unless the server says, so that the next hourly run may ask, and within which.
_WAIT, _LEAST, _MOST = 55 * 60, 60, 24 * 3600
_FAR, _DAILY = timedelta(days=60), timedelta(hours=23.5)  # a date so far off is asked for once a day, less jitter
_SKEW = timedelta(seconds=30)
_REFRESHING = threading.Lock()


@dataclass(frozen=True)
class Question:
    """What is asked, and how: the overrides are the user's own and may lead to private addresses."""

    domain: str  # in its ASCII form
    rdap: str = ""
    server: tuple[str, int] | None = None
    data_dir: str = ""


@dataclass(frozen=True)
class _Source:
    """One place to ask; `key` identifies it in the stored waits."""

    key: str
    name: str
    ask: Callable[[Deadline], RegistryAnswer]


@dataclass(frozen=True)
class _Asking:
    """One look-up in its run. `before` is when this domain was last asked for, in seconds since the epoch."""

    data_dir: str
    now: datetime
    before: float
    deadline: Deadline


def look_up(question: Question, seconds: float) -> Observation:
    """Ask, within that many seconds for everything. It raises nothing: a fault of the network is an answer too."""
    deadline, now = Deadline.after(seconds), datetime.now(UTC)
    known = cache.load(question.data_dir)
    if _wants_refresh(question, known, now) and not bootstrap.base_url(_tld(question), known):
        _refresh(question, now, deadline)
        known = cache.load(question.data_dir)
    sources, last = _sources(question, known), _last(known, question.domain)
    if spared := _spared(known, question.domain, sources, now):
        return Observation((spared,), (), last)
    asking = _Asking(question.data_dir, now, _asked_at(known, question.domain, now), deadline)
    first = _round(sources, asking)
    answer = decisive(first)
    again: tuple[RegistryAnswer, ...] = ()
    if answer and last and startles(answer, last, now):
        again = _round(_second(question, sources, first), asking)
    key = sources[len(first) - 1].key
    cache.change(question.data_dir, partial(_remember, question.domain, key, first, again, now))
    if _wants_refresh(question, known, now):
        _refresh(question, now, deadline)
    return Observation(first, again, last)


def _refresh(question: Question, now: datetime, deadline: Deadline) -> None:
    """By one of a run's targets alone: the others go on with what is known."""
    if _REFRESHING.acquire(blocking=False):
        try:
            if bootstrap.due(cache.load(question.data_dir), now):
                bootstrap.refresh(question.data_dir, now, deadline)
        finally:
            _REFRESHING.release()


def _tld(question: Question) -> str:
    return question.domain.rpartition(".")[2]


def _wants_refresh(question: Question, known: Memory, now: datetime) -> bool:
    """Only who is led by the bootstrap registry, and can keep it, fetches it."""
    return bool(question.data_dir) and not question.rdap and not question.server and bootstrap.due(known, now)


def _sources(question: Question, known: Memory) -> list[_Source]:
    """RDAP first; but where only a WHOIS server is configured, that one first."""
    unlisted = bootstrap.UNLISTED.get(_tld(question))
    base = question.rdap or bootstrap.base_url(_tld(question), known)
    sources = []
    if base:
        configured = bool(question.rdap)
        ask = partial(ask_rdap, question.domain, base, configured=configured, listed=configured or base != unlisted)
        sources.append(_Source(f"rdap {split_url(base).netloc}", "rdap", ask))
    known_ = known_server(_tld(question)) or _tld(question)
    server = ":".join(map(str, question.server)) if question.server else known_
    sources.append(_Source(f"whois {server}", "whois", partial(ask_whois, question.domain, question.server)))
    return sources[::-1] if question.server and not question.rdap else sources


def _second(question: Question, sources: list[_Source], first: tuple[RegistryAnswer, ...]) -> list[_Source]:
    """Sources for the second query: the other one, then the same; only the same if the config sets just that one."""
    same = sources[len(first) - 1]
    if bool(question.rdap) != bool(question.server):
        return [same]
    return [*(source for source in sources if source is not same), same]


def _round(sources: list[_Source], asking: _Asking) -> tuple[RegistryAnswer, ...]:
    """Ask one source after another until something is settled."""
    answers: list[RegistryAnswer] = []
    for number, source in enumerate(sources, 1):
        answers.append(_ask(source, asking, last=number == len(sources)))
        if decisive(answers):
            break
    return tuple(answers)


def _ask(source: _Source, asking: _Asking, last: bool) -> RegistryAnswer:
    """Ask when it is our turn; a server that asked for patience, for whichever domain, is left alone.

    While another source is still to be asked, one may take half of the time that is left, and waiting half of that.
    """
    try:
        deadline = asking.deadline if last else asking.deadline.part(2)
        with turns.turn(source.key, asking.before, deadline.part(2)):
            until = _waits(cache.load(asking.data_dir), asking.now).get(source.key)
            if until:
                return RegistryAnswer(source.name, Ending.LIMITED, "asked us to wait", until=until, asked=False)
            answer = source.ask(deadline)
            return _waiting(answer, source.key, asking) if answer.ending is Ending.LIMITED else answer
    except turns.NoTurn:
        return RegistryAnswer(source.name, Ending.FAILED, "other domains were asked for first", asked=False)
    except TimeoutError:
        return RegistryAnswer(source.name, Ending.FAILED, "no time was left to ask", answered=False)


def _waiting(answer: RegistryAnswer, key: str, asking: _Asking) -> RegistryAnswer:
    """Keep how long the server wants to be left alone, before the next domain is asked for."""
    wait = min(max(_LEAST, _WAIT if answer.wait_s is None else answer.wait_s), _MOST)
    until = asking.now + timedelta(seconds=wait)
    cache.change(asking.data_dir, lambda known: cache.part(known, "waits").update({key: utc(until)}))
    return replace(answer, until=until)


def _waits(known: Memory, now: datetime) -> dict[str, datetime]:
    """The waits that still run. One longer than any that we set is invalid (a clock was wrong)."""
    kept = {key: moment(value) for key, value in cache.part(known, "waits").items()}
    latest = now + timedelta(seconds=_MOST)
    return {key: until for key, until in kept.items() if until and now < until <= latest}


def _last(known: Memory, domain: str) -> datetime | None:
    entry = cache.part(known, "dates").get(domain)
    return moment(entry.get("expires_at")) if isinstance(entry, dict) else None


def _asked_at(known: Memory, domain: str, now: datetime) -> float:
    """When the domain was last asked for, as seconds since the epoch; 0 if never, or in a future that a clock set."""
    asked = moment(cache.part(known, "asked").get(domain))
    return asked.timestamp() if asked and asked <= now + _SKEW else 0.0


def _spared(known: Memory, domain: str, sources: list[_Source], now: datetime) -> RegistryAnswer | None:
    """The answer of an earlier run, if it is less than a day old, far from its end, and nothing is wrong with it."""
    entry = cache.part(cache.part(known, "dates"), domain)
    last, asked = _last(known, domain), _asked_at(known, domain, now)
    if not last or last - now <= _FAR or now.timestamp() - asked >= _DAILY.total_seconds() or "doubt" in entry:
        return None
    by = {source.key: source.name for source in sources}.get(str(entry.get("by")))
    statuses = tuple(str(status) for status in entry.get("statuses") or ())
    if not by or trouble(statuses)[1]:
        return None
    return RegistryAnswer(
        by,
        Ending.DATED,
        expires=last,
        registrar=entry.get("registrar"),
        statuses=statuses,
        dnssec=entry.get("dnssec"),
        asked=False,
        at=datetime.fromtimestamp(asked, UTC),
    )


def _remember(
    domain: str,
    key: str,
    first: tuple[RegistryAnswer, ...],
    again: tuple[RegistryAnswer, ...],
    now: datetime,
    known: Memory,
) -> None:
    """Keep the date; a startling one only once it was read twice, now or in an earlier run."""
    answer, second, dates = decisive(first), decisive(again), cache.part(known, "dates")
    known["waits"] = {key: utc(until) for key, until in _waits(known, now).items()}
    if any(one.asked and one.ending is not Ending.LIMITED for one in first):
        cache.part(known, "asked")[domain] = utc(now)
    last = _last(known, domain)
    if answer and last and startles(answer, last, now) and not agree(answer, second):
        said = utc(answer.expires) if answer.expires else "none"
        slip = second is not None and not startles(second, last, now)
        if slip:
            return
        if dates[domain].get("doubt") != said:
            dates[domain]["doubt"] = said
            return
    if answer and answer.expires:
        dates[domain] = {
            "expires_at": utc(answer.expires),
            "by": key,
            "registrar": answer.registrar,
            "statuses": answer.statuses,
            "dnssec": answer.dnssec,
        }
    elif answer:
        dates.pop(domain, None)
