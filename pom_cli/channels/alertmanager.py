"""Alertmanager's API v2: the problems as alerts there, which end by themselves unless each heartbeat keeps them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pom_cli.channels.request import Request, ask, open_session
from pom_cli.channels.webhook import outcome, place
from pom_cli.frozen import dataclass
from pom_cli.model import Mail, Outcome
from pom_cli.net.net import Deadline
from pom_cli.text import clean, printable
from pom_cli.times import utc
from pom_cli.toml.table import Table

SECRET = ""
RECIPIENT = "alertmanager"
KEPT = timedelta(minutes=5)  # how long an alert outlives the last word of it: a few missed heartbeats

# Also a label, so that routes can tell a page from a mail; an alert that gets worse is therefore another one.
_SEVERITY = {"degraded": "warning", "error": "critical", "unreachable": "critical"}


@dataclass(frozen=True)
class Settings:
    """Where Alertmanager is, without `/api/v2`."""

    url: str = "http://localhost:9093"


def parse(table: Table) -> Settings:
    """The `alertmanager` table of `[alerts]`."""
    settings = Settings(table.url("url", Settings().url, "a URL like http://localhost:9093"))
    table.finish()
    return settings


def recipients(settings: Settings, to: Sequence[str]) -> tuple[str, ...]:
    """One row: Alertmanager decides who gets it."""
    return (RECIPIENT,)


def probe(settings: Settings, secret: str, timeout: float) -> str:
    """What is wrong with the way there, "" for nothing; it is asked for its status."""
    with open_session() as session:
        answer = ask(session, Request("GET", _at(settings, "status"), {}), Deadline.after(timeout))
    return outcome("", answer, place(settings.url)).error or ""


def send(mails: Sequence[Mail], settings: Settings, sender: str, secret: str, timeout: float) -> list[Outcome]:
    """POST each mail's notices as alerts; any 2xx is delivered. `timeout` in seconds, for all of them together."""
    deadline, now = Deadline.after(timeout), datetime.now(UTC)
    return [_post(mail.id, list(alerts(mail, now)) or [_trial(mail, now)], settings, deadline) for mail in mails]


def keep(mails: Sequence[Mail], settings: Settings, timeout: float) -> str:
    """Say again that these are so, the alerts of all in one request: what is wrong, "" for nothing."""
    now = datetime.now(UTC)
    said = [alert for mail in mails for alert in alerts(mail, now) if alert["endsAt"] > utc(now)]
    return (_post("", said, settings, Deadline.after(timeout)).error or "") if said else ""


def alerts(mail: Mail, now: datetime) -> Iterable[dict[str, Any]]:
    """A mail's notices: what is so for a while yet, and what is not so any more as ended now.

    No label names this instance, so that two that watch the same raise one alert.
    """
    for notice in mail.payload.get("notices") or ():
        severity = _SEVERITY.get(notice["to"], "")
        for each in dict.fromkeys(_SEVERITY.values()):
            yield _alert(notice, each, mail.body, now + KEPT if each == severity else now)


def _alert(notice: Mapping[str, Any], severity: str, body: str, ends: datetime) -> dict[str, Any]:
    kind = str(notice["alert"])
    labels = {
        "alertname": "Pom" + kind.title().replace("-", ""),
        "target": notice["target"],
        "kind": kind,
        "severity": severity,
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},  # an empty label is none
        "annotations": {
            "summary": clean(notice["summary"], 500),
            "since": notice["since"],
            "runbook": printable(body),
        },
        "startsAt": min(str(notice["since"]), utc(ends)),
        "endsAt": utc(ends),
    }


def _trial(mail: Mail, now: datetime) -> dict[str, Any]:
    """What a message without a notice is, as that of `pom alerts test`."""
    notice = {"alert": "test", "target": "", "summary": mail.subject, "since": utc(now)}
    return _alert(notice, "none", mail.body, now + KEPT)


def _post(mail_id: str, said: Sequence[Mapping[str, Any]], settings: Settings, deadline: Deadline) -> Outcome:
    body = json.dumps(said, allow_nan=False).encode()
    request = Request("POST", _at(settings, "alerts"), {"Content-Type": "application/json"}, body=body)
    with open_session() as session:
        answer = ask(session, request, deadline)
    return outcome(mail_id, answer, place(settings.url))


def _at(settings: Settings, what: str) -> str:
    return f"{settings.url.rstrip('/')}/api/v2/{what}"
