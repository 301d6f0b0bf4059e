"""The order of asking: RDAP, then port 43; a second read of what startles; waits that registries asked for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from pom_cli.checks.whois import bootstrap, cache
from pom_cli.checks.whois.answer import Answer, Outcome, Seen, agree, decisive, startles
from pom_cli.checks.whois.cache import Memory
from pom_cli.checks.whois.port43 import ask_whois
from pom_cli.checks.whois.rdap import ask_rdap
from pom_cli.frozen import dataclass
from pom_cli.net.deadline import Deadline
from pom_cli.times import moment, utc
from pom_cli.toml.table import split_url

_WAIT, _LEAST, _MOST = 2 * 3600, 60, 24 * 3600  # seconds of a rate limit: unless told, and within


@dataclass(frozen=True)
class Question:
    """What is asked, and how: the overrides are the user's own and may lead to private addresses."""

    domain: str  # in its ASCII form
    rdap: str = ""
    server: tuple[str, int] | None = None
    data_dir: str = ""


@dataclass(frozen=True)
class _Source:
    """One place to ask; `key` names it in the memory of waits."""

    key: str
    name: str
    ask: Callable[[Deadline], Answer]


def look_up(question: Question, seconds: float) -> Seen:
    """Ask, within that many seconds for everything. It raises nothing: a fault of the network is an Answer."""
    deadline, now = Deadline.after(seconds), datetime.now(UTC)
    known = cache.load(question.data_dir)
    stale = _wants_refresh(question, known, now)
    if stale and not bootstrap.base_url(_tld(question), known):
        bootstrap.refresh(question.data_dir, now, deadline)
        known, stale = cache.load(question.data_dir), False
    sources, waits = _sources(question, known), _waits(known, now)
    first = _round(sources, waits, now, deadline)
    answer, last = decisive(first), _last(known, question.domain)
    again: tuple[Answer, ...] = ()
    if answer and last and startles(answer, last, now):
        again = _round(_second(question, sources, first), waits, now, deadline)
    cache.change(question.data_dir, partial(_remember, question.domain, first, again, waits, now))
    if stale:
        bootstrap.refresh(question.data_dir, now, deadline)
    return Seen(first, again, last)


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
    server = ":".join(map(str, question.server)) if question.server else _tld(question)
    sources.append(_Source(f"whois {server}", "whois", partial(ask_whois, question.domain, question.server)))
    return sources[::-1] if question.server and not question.rdap else sources


def _second(question: Question, sources: list[_Source], first: tuple[Answer, ...]) -> list[_Source]:
    """Whom to ask again: the other source, then the same one; only the same where the user named just that one."""
    same = sources[len(first) - 1]
    if bool(question.rdap) != bool(question.server):
        return [same]
    return [*(source for source in sources if source is not same), same]


def _round(sources: list[_Source], waits: dict[str, datetime], now: datetime, deadline: Deadline) -> tuple[Answer, ...]:
    """Ask one source after another until something is settled; whoever asked to wait is left in peace."""
    answers: list[Answer] = []
    for number, source in enumerate(sources, 1):
        until = waits.get(source.key)
        if until:
            answers.append(Answer(source.name, Outcome.LIMITED, "asked us to wait", until=until))
            continue
        answer = _ask(source, deadline, last=number == len(sources))
        if answer.outcome is Outcome.LIMITED:
            wait = min(max(_LEAST, _WAIT if answer.wait_s is None else answer.wait_s), _MOST)
            waits[source.key] = until = now + timedelta(seconds=wait)
            answer = replace(answer, until=until)
        answers.append(answer)
        if decisive(answers):
            break
    return tuple(answers)


def _ask(source: _Source, deadline: Deadline, last: bool) -> Answer:
    """While another source is still to be asked, one may take half of the time that is left."""
    try:
        return source.ask(deadline if last else deadline.part(2))
    except TimeoutError:
        return Answer(source.name, Outcome.FAILED, "no time was left to ask", answered=False)


def _waits(known: Memory, now: datetime) -> dict[str, datetime]:
    """The waits that are not over. One further off than any that we set is none of ours (a clock was wrong)."""
    kept = {key: moment(value) for key, value in cache.part(known, "waits").items()}
    latest = now + timedelta(seconds=_MOST)
    return {key: until for key, until in kept.items() if until and now < until <= latest}


def _last(known: Memory, domain: str) -> datetime | None:
    entry = cache.part(known, "dates").get(domain)
    return moment(entry.get("expires_at")) if isinstance(entry, dict) else None


def _remember(
    domain: str,
    first: tuple[Answer, ...],
    again: tuple[Answer, ...],
    waits: dict[str, datetime],
    now: datetime,
    known: Memory,
) -> None:
    """Keep the waits, and the date; a startling one only once it was read twice, now or in an earlier run."""
    answer, second, dates = decisive(first), decisive(again), cache.part(known, "dates")
    known["waits"] = {key: utc(until) for key, until in {**_waits(known, now), **waits}.items()}
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
        dates[domain] = {"expires_at": utc(answer.expires)}
    elif answer:
        dates.pop(domain, None)
