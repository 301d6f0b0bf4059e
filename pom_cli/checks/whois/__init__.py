"""whois: when the domain expires. Over RDAP, else WHOIS, else as declared in the config, else as last known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pom_cli.checks import Site
from pom_cli.checks.steps import Section, Step
from pom_cli.checks.whois.answer import Ending, Observation, RegistryAnswer, agree, decisive, startles, trouble
from pom_cli.checks.whois.suffixes import ascii_name, registrable
from pom_cli.frozen import dataclass
from pom_cli.idn import to_ascii
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Past, State, Verdict, worst
from pom_cli.times import moment, short, utc
from pom_cli.toml.table import Table, host_port, http_url, split_url

HELP = "when the domain expires, over RDAP or WHOIS"
COVERED: Mapping[str, Callable[[State], bool]] = {}  # a site that is down explains no registry
INTERVAL = timedelta(hours=1)
NETWORK = True

_PATIENCE = timedelta(days=7)  # without any date, until `whois-unknown` is raised
_NAMES = {"rdap": "RDAP", "whois": "WHOIS"}


HINTS = (
    ("domain", '"example.com"', "default: the registrable domain of the url"),
    ("warn", '"30d"', "before the registration ends"),
)
RUNBOOK = {
    "whois-expiry": Section(
        "WHOIS Domain Expiry",
        "Domain registration expires within 30 days.",
        (
            Step("Verify:", ("whois {domain} | grep -i expir",)),
            Step("Renew domain with registrar ({registrar} for {domain})"),
            Step("Renew domain with registrar ({registrar})", lacking="domain"),
            Step("Renew domain with registrar", lacking="registrar"),
            Step("Confirm renewal: re-run WHOIS check", ("{pom:whole} check whois {target}",)),
        ),
    ),
    "whois-unknown": Section(
        "WHOIS Expiry Unknown",
        "No expiry date could be read for 7 days; the last known one still counts down.",
        (
            Step("Verify:", ("whois {domain} | grep -i expir",)),
            Step("If the registry limits or refuses queries: wait an hour and recheck"),
            Step("If it publishes no date: look it up at the registrar and declare it as expires_on in PoM config"),
            Step("If lookups fail on this host only: check network (firewall, port 43, DNS resolution)"),
            Step("Confirm: re-run WHOIS check", ("{pom:whole} check whois {target}",)),
        ),
    ),
}


@dataclass(frozen=True)
class Settings:
    """What is asked, and where. The domain is in its ASCII form; `server` is for port 43."""

    domain: str
    warn: timedelta = timedelta(days=30)
    rdap: str = ""
    server: tuple[str, int] | None = None
    expires_on: date | None = None
    timeout_s: float = 30.0  # for everything
    data_dir: str = ""

    @property
    def budget(self) -> float:
        return self.timeout_s


def adhoc(site: Site) -> bool:
    """For every host that stands under a registered domain: not for addresses, `localhost` or `intranet.local`."""
    return registrable(site.host) is not None


def parse(table: Table, site: Site) -> Settings:
    domain = table.read("domain", "", _domain, 'a domain like "example.com"')
    if not domain and "domain" not in table.data:
        named = "rdap" in table.data or "server" in table.data  # a registry of one's own may know private names
        domain = registrable(site.host, private=named) or ""
        if not domain:
            table.missing("domain", f"the domain to look up, for {site.host} stands under none that a registry knows")
    return Settings(
        domain=domain,
        warn=table.duration("warn", timedelta(days=30), "30d"),
        rdap=table.read("rdap", "", _rdap_url, "an https URL (http only for an address of this machine)"),
        server=table.read("server", None, _server, 'a host like "whois.nic.work" or "127.0.0.1:4343"'),
        expires_on=table.date("expires_on"),
        timeout_s=table.duration("timeout", timedelta(seconds=30), "30s", low="100ms", high="5m").total_seconds(),
        data_dir=site.data_dir,
    )


def facts(settings: Settings) -> Mapping[str, Any]:
    return {"domain": settings.domain}


def subjects(settings: Settings) -> tuple[str, ...]:
    return ("",)


def look(settings: Settings) -> Observation:
    """Ask the registry, within `timeout` for everything."""
    from pom_cli.checks.whois.lookup import Question, look_up

    question = Question(settings.domain, settings.rdap, settings.server, settings.data_dir)
    return look_up(question, settings.timeout_s)


def judge(seen: Observation, settings: Settings, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """Judge what was read against the last good date: one that is much nearer is believed when it was read twice."""
    before = past.get("", Past()).detail
    known = _last_good(before) or seen.last
    answer, doubt = _believed(seen, known, before, now)
    if answer is None:
        return [_without(seen, settings, before, known, doubt, now)]
    detail = {
        "domain": settings.domain,
        "source": answer.source,
        "registrar": answer.registrar,
        "statuses": list(answer.statuses),
        "dnssec": answer.dnssec,
        "last_good_at": utc(answer.at or now),
    }
    if answer.expires is None:
        summary = f"{settings.domain} is not registered ({_NAMES[answer.source]})"
        verdicts = {"whois-expiry": Verdict(ERROR, summary), "whois-unknown": _UNKNOWN_OVER}
        return [Finding("", ERROR, summary, verdicts, detail=detail)]
    detail["registry_date"] = utc(answer.expires)
    return [_dated(answer.expires, _NAMES[answer.source], settings, now, detail, answer.statuses)]


_UNKNOWN_OVER = Verdict(OPERATIONAL, "the date is known")


def _last_good(before: Mapping[str, Any]) -> datetime | None:
    """The registry's own date as it was last believed; a declared one is none."""
    if "registry_date" in before:
        return moment(before["registry_date"])
    return None if before.get("source") == "declared" else moment(before.get("expires_at"))


def _believed(
    seen: Observation, known: datetime | None, before: Mapping[str, Any], now: datetime
) -> tuple[RegistryAnswer | None, str]:
    """The answer to go by, or None and what was read and is not believed yet: the date, "none", or "" for nothing."""
    answer, again = decisive(seen.first), decisive(seen.again)
    if answer is None or known is None or not startles(answer, known, now):
        return answer, ""
    if agree(answer, again):
        return answer, ""
    if again is not None and not startles(again, known, now):
        return again, ""  # the first read was the slip
    said = utc(answer.expires) if answer.expires else "none"
    return (answer, "") if before.get("doubt") == said else (None, said)


def _dated(
    expires: datetime,
    source: str,
    settings: Settings,
    now: datetime,
    detail: dict[str, Any],
    statuses: Sequence[str] = (),
) -> Finding:
    """The finding for a date that counts down, wherever it comes from."""
    days = (expires - now) // timedelta(days=1)
    if expires <= now:
        status, text = ERROR, f"expired {expires:%Y-%m-%d}, {_days((now - expires) // timedelta(days=1))} ago"
    else:
        status = DEGRADED if expires - now <= settings.warn else OPERATIONAL
        text = f"expires {expires:%Y-%m-%d}, {_days(days)} left"
    wrong, why = trouble(statuses)
    if why:
        status, text = worst((status, wrong)), f"{why}, {text}"
    summary = f"{text} ({source})"
    detail.update(expires_at=utc(expires), days_left=days)
    verdicts = {"whois-expiry": Verdict(status, summary, days), "whois-unknown": _UNKNOWN_OVER}
    return Finding("", status, summary, verdicts, detail=detail)


def _without(
    seen: Observation, settings: Settings, before: Mapping[str, Any], known: datetime | None, doubt: str, now: datetime
) -> Finding:
    """Nothing to go by was read: the later of the declared and the last good date counts down, and time is taken."""
    reason, waits = _reason(seen, doubt), [answer.until for answer in seen.first if answer.until]
    declared = datetime.combine(settings.expires_on, time(), UTC) if settings.expires_on else None
    since = min(moment(before.get("failing_since")) or now, now)
    detail: dict[str, Any] = {"domain": settings.domain, "reason": reason}
    detail.update({key: before.get(key) for key in ("registrar", "last_good_at")})
    detail.update(registry_date=utc(known) if known else None, doubt=doubt or None)
    detail["not_before"] = utc(max(waits)) if waits else None
    date = max((each for each in (known, declared) if each), default=None)
    statuses = next((answer.statuses for answer in seen.first if answer.statuses), ())
    if declared is None:
        detail["failing_since"] = utc(since)
    unknown = _unknown(since, now, reason) if declared is None else _UNKNOWN_OVER
    answered = any(answer.answered for answer in (*seen.first, *seen.again)) or not seen.first
    if date is None:
        wrong, why = trouble(statuses)
        expiry = Verdict(wrong, f"{why}; no expiry date: {reason}") if why else Verdict(UNKNOWN, reason)
        summary = expiry.summary if why else f"no expiry date: {reason}"
        verdicts = {"whois-expiry": expiry, "whois-unknown": unknown}
        return Finding("", expiry.status, summary, verdicts, detail=detail, answered=answered)
    detail["source"] = "declared" if date == declared else "last known"
    finding = _dated(date, detail["source"], settings, now, detail, statuses)
    summary = f"{finding.summary}; {reason}"
    verdicts = {**finding.verdicts, "whois-unknown": unknown}
    return replace(finding, summary=summary, verdicts=verdicts, answered=answered)


def _unknown(since: datetime, now: datetime, reason: str) -> Verdict:
    """Degraded once no date could be had for a week."""
    waited = now - since
    if waited < _PATIENCE:
        return Verdict(OPERATIONAL, f"no date for {short(waited)}: {reason}")
    return Verdict(DEGRADED, f"no expiry date could be read for {_days(waited // timedelta(days=1))}: {reason}")


def _reason(seen: Observation, doubt: str) -> str:
    """Why there is no date to go by, one clause a source."""
    if doubt:
        what = "that the domain is not registered" if doubt == "none" else f"the nearer date {doubt[:10]}"
        return f"the registry now says {what}, which a second read has not confirmed"
    clauses = dict.fromkeys(f"{_NAMES[answer.source]}: {_clause(answer)}" for answer in seen.first)
    return "; ".join(clauses) or "nobody could be asked"


def _clause(answer: RegistryAnswer) -> str:
    if answer.ending in (Ending.LIMITED, Ending.REFUSED):
        return f"{answer.ending} ({answer.reason})"
    return answer.reason or answer.ending.value


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _domain(value: Any) -> str:
    """A domain of at least two labels in its ASCII form. Raises ValueError."""
    name = ascii_name(value) if isinstance(value, str) else ""
    if "." not in name or name.rpartition(".")[2].isdigit():
        raise ValueError(value)
    return name


def _rdap_url(value: Any) -> str:
    """https, for what it says is believed; http only to this machine itself. Raises ValueError."""
    url = http_url(value)
    parts = split_url(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(url)
    return url


def _server(value: Any) -> tuple[str, int]:
    host, port = host_port(value, 43)
    return to_ascii(host), port
