"""The notices as JSON to an HTTP endpoint of the operator's choice. Its URL may hold a token: host and scheme alone
are ever shown."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pom_cli.channels.request import Answer, Request, Unanswered, ask, open_session
from pom_cli.frozen import dataclass
from pom_cli.model import Mail, Outcome
from pom_cli.net.net import Deadline
from pom_cli.toml.table import Table

if TYPE_CHECKING:
    import requests

SECRET = ""
_PASSING = (408, 425, 429)  # Request Timeout, Too Early, Too Many Requests; and all from 500


@dataclass(frozen=True)
class Settings:
    """Where to. The URL is empty where the config has no table for it; the config then refuses the channel."""

    url: str = ""


def parse(table: Table) -> Settings:
    """The `webhook` table of `[alerts]`."""
    settings = Settings(table.url("url", expected="a URL like https://hooks.example.com/pom"))
    table.finish()
    return settings


def recipients(settings: Settings, to: Sequence[str]) -> tuple[str, ...]:
    """One row: who reads it is the endpoint's business."""
    return ("webhook",)


def probe(settings: Settings, secret: str, timeout: float) -> None:
    """It cannot be tried without posting a notice."""


def send(mails: Sequence[Mail], settings: Settings, sender: str, secret: str, timeout: float) -> list[Outcome]:
    """POST each mail's payload; any 2xx is delivered. `timeout` in seconds, for all of them together.

    408, 425, 429, 5xx and faults of the network pass; any other answer is permanent, redirects included: following
    one would hand the token to any host that is named there. The Idempotency-Key lets the endpoint drop a repeat.
    """
    if not settings.url:
        return [Outcome(mail.id, error="webhook: no url is configured", permanent=True) for mail in mails]
    deadline = Deadline.after(timeout)
    outcomes: list[Outcome] = []
    with open_session() as session:
        for mail in mails:
            held = outcomes[-1] if outcomes and outcomes[-1].retry_after_s else None
            if held:  # asked to wait: the rest waits too
                outcomes.append(Outcome(mail.id, error=held.error, retry_after_s=held.retry_after_s))
            else:
                outcomes.append(_post(session, mail, settings.url, deadline))
    return outcomes


def _post(session: "requests.Session", mail: Mail, url: str, deadline: Deadline) -> Outcome:
    headers = {"Content-Type": "application/json", "Idempotency-Key": mail.id}
    body = json.dumps(mail.payload, allow_nan=False).encode()
    answer = ask(session, Request("POST", url, headers, body=body), deadline)
    return outcome(mail.id, answer, place(url))


def outcome(mail_id: str, answer: Answer | Unanswered, place: str) -> Outcome:
    """What an HTTP answer says of a message: delivered, to be tried again, or permanently refused."""
    if isinstance(answer, Unanswered):
        return Outcome(mail_id, error=f"no answer from {place}: {answer.error}", unsure=answer.arrived)
    if 200 <= answer.status < 300:
        return Outcome(mail_id, provider_id=f"HTTP {answer.status}")
    passing = answer.status in _PASSING or not 300 <= answer.status < 500
    return Outcome(
        mail_id,
        error=f"{place} answered HTTP {answer.status}",
        permanent=not passing,
        unsure=answer.status >= 500,
        retry_after_s=answer.retry_after_s if passing else None,
    )


def place(url: str) -> str:
    """Scheme, host and port of a URL: all of it that may be shown."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
