"""Postmark's HTTP API: mails in batches, each answer read for itself, and a look-up before anything is sent twice."""

import json
import re
from collections.abc import Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from pom_cli.channels.letter import threading
from pom_cli.channels.request import Answer, Request, Unanswered, ask, open_session
from pom_cli.frozen import dataclass
from pom_cli.model import Mail, Outcome
from pom_cli.net.net import Deadline
from pom_cli.outside import Unreadable, from_json
from pom_cli.text import clean, hide
from pom_cli.toml.table import Table

if TYPE_CHECKING:
    import requests

SECRET = "POM_POSTMARK_TOKEN"  # noqa: S105 - the variable's name, not its value
ID_KEY = "pom-id"  # of the message's metadata: a key has at most 20 characters, a value 80

_BATCH = 500  # https://postmarkapp.com/developer/user-guide/send-email-with-api/batch-emails
_LOOK_UPS = 20  # between two batches, so that a long row of look-ups does not use up the time of sending
_ANSWER_LIMIT = 1 << 20  # bytes; 500 messages are answered in about 150,000
_TOKEN = re.compile(r"[!-~]+")

# https://postmarkapp.com/developer/api/overview#error-codes: token, message, sender, account, recipient.
_PERMANENT = frozenset({10, 300, 400, 401, 405, 406, 412, 413})
_ABOUT_ALL = frozenset({10, 100, 400, 401, 405, 429})  # about the token, sender, account or service, never one message
_DIVISIBLE = frozenset({400, 403, 413, 422})  # HTTP statuses that one message of several may have earned


@dataclass(frozen=True)
class Settings:
    """The message stream, and where the API is."""

    stream: str = "outbound"
    url: str = "https://api.postmarkapp.com"


@dataclass(frozen=True)
class _Line:
    """What every request of one `send` needs."""

    session: "requests.Session"
    settings: Settings
    sender: str
    token: str = field(repr=False)
    deadline: Deadline


@dataclass(frozen=True)
class _Fault:
    """Why a whole request came to nothing. `divisible`: perhaps for one message's sake."""

    error: str
    permanent: bool = False
    unsure: bool = False
    retry_after_s: int | None = None
    divisible: bool = False


def parse(table: Table) -> Settings:
    """The `postmark` table of `[alerts]`."""
    usual = Settings()
    settings = Settings(
        stream=table.line("stream", usual.stream, "the id of a message stream, like outbound"),
        url=table.url("url", usual.url, "a URL like https://api.postmarkapp.com"),
    )
    table.finish()
    return settings


def recipients(settings: Settings, to: Sequence[str]) -> tuple[str, ...]:
    """One row an address."""
    return tuple(to)


def send(mails: Sequence[Mail], settings: Settings, sender: str, secret: str, timeout: float) -> list[Outcome]:
    """Send them, those that may have arrived only after a look-up: they are the older ones, and so go first.

    `timeout` in seconds, for all of it together, of which looking up takes half at most.
    """
    if not _TOKEN.fullmatch(secret):
        error = f"{SECRET} is not a token" if secret else f"{SECRET} is not set"
        return [Outcome(mail.id, error=error, permanent=True, unsure=mail.unsure) for mail in mails]
    fresh = [mail for mail in mails if not mail.unsure]
    doubtful = [mail for mail in mails if mail.unsure]
    with open_session() as session:
        line = _Line(session, settings, sender, secret, Deadline.after(timeout))
        half = replace(line, deadline=Deadline.after(timeout / 2))
        outcomes = [one for group in _groups(doubtful, _LOOK_UPS) for one in _resume(group, half)]
        outcomes += _deliver(fresh, line)
    ended = {outcome.mail_id: outcome for outcome in outcomes}
    return [ended[mail.id] for mail in mails]


def probe(settings: Settings, secret: str, timeout: float) -> str:
    """What is wrong with the token, "" for nothing; asked without a mail, of the server that it is for.

    https://postmarkapp.com/developer/api/server-api
    """
    if not _TOKEN.fullmatch(secret):
        return f"{SECRET} is not a token" if secret else f"{SECRET} is not set"
    with open_session() as session:
        line = _Line(session, settings, "", secret, Deadline.after(timeout))
        answer = _ask("GET", "/server", {}, None, line)
        if isinstance(answer, _Fault):
            return answer.error
        return "" if answer.status == 200 else _fault(answer, _json(answer.body), line).error


def _groups(mails: Sequence[Mail], size: int) -> list[Sequence[Mail]]:
    return [mails[start : start + size] for start in range(0, len(mails), size)]


def _deliver(mails: Sequence[Mail], line: _Line) -> list[Outcome]:
    """Send in batches. One that was refused as a whole, perhaps for one message's sake, is halved until that one
    stands alone: every mail that can arrive arrives. Any other fault would meet the rest too, which then waits."""
    waiting = _groups(mails, _BATCH)
    outcomes: list[Outcome] = []
    while waiting:
        batch = waiting.pop(0)
        answer = _post(batch, line)
        if not isinstance(answer, _Fault):
            outcomes += [_outcome(mail, item, line) for mail, item in zip(batch, answer, strict=True)]
        elif answer.divisible and len(batch) > 1:
            waiting[:0] = _groups(batch, (len(batch) + 1) // 2)
        else:
            outcomes += [_failed(mail, answer, answer.unsure) for mail in batch]
            if not answer.divisible:
                return outcomes + [_failed(mail, answer) for rest in waiting for mail in rest]
    return outcomes


def _post(batch: Sequence[Mail], line: _Line) -> list[Any] | _Fault:
    """One call of `POST /email/batch`: an answer for each message, in their order."""
    body = json.dumps([_message(mail, line) for mail in batch]).encode()
    answer = _ask("POST", "/email/batch", {}, body, line)
    if isinstance(answer, _Fault):
        return answer
    items = _json(answer.body)
    if 200 <= answer.status < 300 and isinstance(items, list) and len(items) == len(batch):
        return items
    return _fault(answer, items, line)


def _message(mail: Mail, line: _Line) -> dict[str, Any]:
    message = {
        "From": line.sender,
        "To": mail.recipient,
        "Subject": mail.subject,
        "TextBody": mail.body,
        "MessageStream": line.settings.stream,
        "TrackOpens": False,
        "TrackLinks": "None",
        "Metadata": {ID_KEY: mail.id},
    }
    headers = [{"Name": name, "Value": value} for name, value in threading(mail).items()]
    return message | ({"Headers": headers} if headers else {})


def _ask(method: str, path: str, params: dict[str, str], body: bytes | None, line: _Line) -> Answer | _Fault:
    headers = {"Accept": "application/json", "X-Postmark-Server-Token": line.token}
    if body is not None:
        headers["Content-Type"] = "application/json"
    url = line.settings.url.rstrip("/") + path
    answer = ask(line.session, Request(method, url, headers, params, body, _ANSWER_LIMIT), line.deadline)
    if isinstance(answer, Unanswered):
        return _Fault(f"no answer from Postmark: {answer.error}", unsure=answer.arrived)
    return answer


def _json(body: bytes) -> Any:
    try:
        return from_json(body)
    except Unreadable:
        return None


def _fault(answer: Answer, body: Any, line: _Line) -> _Fault:
    """What an answer means that is not the one hoped for: an error object, a proxy's page, garbage."""
    code, said = _error(body, line)
    status = answer.status
    if code:
        error = f"Postmark error {code}: {said} (HTTP {status})"
    elif 200 <= status < 300:
        error = "Postmark's answer could not be read"
    else:
        error = f"Postmark answered HTTP {status}"
    return _Fault(
        error,
        permanent=code in _PERMANENT or status == 401,
        # What fails behind Postmark's door (5xx) may have been taken before; its error 100 is maintenance.
        unsure=(status < 300 and not code) or (status >= 500 and code != 100),
        retry_after_s=answer.retry_after_s,
        divisible=(status in _DIVISIBLE or code in _PERMANENT) and code not in _ABOUT_ALL,
    )


def _error(item: Any, line: _Line) -> tuple[int | None, str]:
    """The ErrorCode of an answer's object (0: none) and its Message; None where there is no code to read."""
    if not isinstance(item, dict) or type(item.get("ErrorCode")) is not int:
        return None, ""
    return item["ErrorCode"], clean(hide(str(item.get("Message") or "no reason given"), line.token))


def _outcome(mail: Mail, item: Any, line: _Line) -> Outcome:
    """How one message of a batch fared: delivered only with Postmark's own id for it."""
    code, said = _error(item, line)
    message_id = item.get("MessageID") if code == 0 else None
    if isinstance(message_id, str) and clean(message_id):
        return Outcome(mail.id, provider_id=clean(message_id))
    if not code:
        return Outcome(mail.id, error="Postmark's answer could not be read", unsure=True)
    error = f"Postmark error {code}: {said}"
    return Outcome(mail.id, error=error, permanent=code in _PERMANENT, unsure=mail.unsure)


def _failed(mail: Mail, fault: _Fault, unsure: bool = False) -> Outcome:
    """Once unsure, a mail stays so until it is delivered: the look-up may have been too early to find it."""
    return Outcome(mail.id, None, fault.error, fault.permanent, unsure or mail.unsure, fault.retry_after_s)


def _resume(mails: Sequence[Mail], line: _Line) -> list[Outcome]:
    """Of mails that may have arrived, send those that Postmark does not know. Not knowing whether it does: wait, but
    not for ever."""
    outcomes: list[Outcome] = []
    missing: list[Mail] = []
    fault: _Fault | None = None  # one that would meet every further question, too
    for mail in mails:
        found = fault or _look_up(mail, line)
        if isinstance(found, str):
            outcomes.append(Outcome(mail.id, provider_id=found))
        elif found is None or (mail.resend and not found.permanent):
            missing.append(mail)
        else:
            outcomes.append(_failed(mail, found))
        if isinstance(found, _Fault) and not found.divisible:
            fault = found
    return outcomes + _deliver(missing, line)


def _look_up(mail: Mail, line: _Line) -> str | _Fault | None:
    """Postmark's id of the message with this mail's id, None where it has none.

    https://postmarkapp.com/developer/api/messages-api: `count` and `offset` are required, the stream is the default
    one unless it is named, and one metadata field at a time can be asked for. The recipient is not asked for: the id
    tells them apart, and an address that Postmark writes otherwise would hide the message.
    """
    params = {"count": "1", "offset": "0", "messagestream": line.settings.stream, f"metadata_{ID_KEY}": mail.id}
    answer = _ask("GET", "/messages/outbound", params, None, line)
    if isinstance(answer, _Fault):
        return answer
    body = _json(answer.body)
    known = body.get("Messages") if isinstance(body, dict) and answer.status == 200 else None
    if not isinstance(known, list):
        return _fault(answer, body, line)
    ours = [message for message in known if _is(message, mail)]
    if not ours and (known or body.get("TotalCount") == 0):
        return None
    message_id = ours[0].get("MessageID") if ours else None
    return clean(message_id) if isinstance(message_id, str) and clean(message_id) else _fault(answer, None, line)


def _is(message: Any, mail: Mail) -> bool:
    """Whether a message that Postmark knows is this mail: a service that took no notice of the filter would show
    another, and the mail must not be lost for it."""
    metadata = message.get("Metadata") if isinstance(message, dict) else {}
    return not isinstance(metadata, dict) or metadata.get(ID_KEY) == mail.id
