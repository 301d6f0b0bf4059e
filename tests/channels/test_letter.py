from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.channels.letter import letter
from pom_cli.model import Mail
from pom_cli.text import clean, printable
from pom_cli.toml.mailbox import Mailbox

NOW = datetime(2026, 11, 24, 6, 40, 15, tzinfo=UTC)
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"]
CONTENT = ["Content-Type", "Content-Transfer-Encoding"]


def read(text: bytes) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(text, policy=policy.default))


def content(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


def test_a_letter_has_what_a_mail_needs() -> None:
    mail = Mail("0f8c-1", "ops@example.com", "[PoM a] shop health: operational → error", "what → was\n  seen\n")
    message = read(letter(mail, "PoM <pom@example.com>", NOW))
    assert {name: str(message[name]) for name in HEADERS} == {
        "From": "PoM <pom@example.com>",
        "To": "ops@example.com",
        "Subject": "[PoM a] shop health: operational → error",
        "Date": "Tue, 24 Nov 2026 06:40:15 +0000",
        "Message-ID": "<pom-0f8c-1@example.com>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert content(message) == "what → was\n  seen\n"


def test_a_second_try_has_the_same_message_id() -> None:
    mail = Mail("0f8c-1", "ops@example.com", "s", "b")
    first, second = (read(letter(mail, "p@example.com", at)) for at in (NOW, NOW + timedelta(hours=1)))
    assert first["Message-ID"] == second["Message-ID"]


def test_mails_about_one_incident_refer_to_the_same_thread() -> None:
    alone, several = (
        read(letter(Mail(number, "ops@example.com", "s", "b", thread=thread), "pom@example.com", NOW))
        for number, thread in (("0f8c-1", "7-1732430415000"), ("0f8c-2", "7-1732430415000 9-1732430475000"))
    )
    first, second = "<incident-7-1732430415000@pom.invalid>", "<incident-9-1732430475000@pom.invalid>"
    assert (alone["References"], alone["In-Reply-To"]) == (first, first)
    assert (several["References"].split(), several["In-Reply-To"]) == ([first, second], first)


def test_a_mail_about_a_hundred_incidents_has_no_endless_header() -> None:
    thread = " ".join(f"{number}-1732430415000" for number in range(100))
    text = letter(Mail("0f8c-1", "ops@example.com", "s", "b", thread=thread), "pom@example.com", NOW)
    assert max(map(len, text.split(b"\r\n"))) <= 998
    assert len(read(text)["References"].split()) == 8


@given(st.text(max_size=300), st.text(max_size=600), st.text(max_size=40))
def test_no_text_can_add_a_header_or_a_line_that_a_server_would_take_for_more(
    subject: str, body: str, mail_id: str
) -> None:
    text = letter(Mail(mail_id, "ops@example.com", subject, body, thread=mail_id), "pom@example.com", NOW)
    assert text.isascii()
    assert text.endswith(b"\r\n")
    assert b"\n" not in text.replace(b"\r\n", b"") and b"\r" not in text.replace(b"\r\n", b"")
    assert max(map(len, text.split(b"\r\n"))) <= 998  # RFC 5322, 2.1.1
    message = read(text)
    threaded = ("References", "In-Reply-To") if mail_id.split() else ()
    assert sorted(message.keys()) == sorted((*HEADERS, *CONTENT, *threaded))
    assert content(message) == printable(body) + "\n"
    assert str(message["Subject"] or "") == clean(subject, 500)


@given(st.text(max_size=80) | st.from_regex(r"[^@]{0,20}<?[^@]{1,20}@[^@]{1,20}>?", fullmatch=True))
def test_a_sender_or_recipient_is_an_address_or_refused_and_adds_no_header(text: str) -> None:
    try:
        written = letter(Mail("1", text, "s", "b"), text, NOW)
    except ValueError:
        return
    message = read(written)
    assert sorted(message.keys()) == sorted(HEADERS + CONTENT)
    assert len(message["To"].addresses) == 1


@pytest.mark.parametrize(
    "subject",
    [
        "[PoM hetzner] shop /login: 404 " * 9,
        "[PoM hetzner] Bücher operational → error " * 9,
        "漢字" * 200,
        "a," * 200,
        "x" * 400,
        "=?utf-8?q?a_subject_from_outside?= is not decoded",
        "",
    ],
)
def test_a_subject_is_read_as_it_was_however_long_it_is(subject: str) -> None:
    text = letter(Mail("1", "ops@example.com", subject, "b"), "pom@example.com", NOW)
    assert str(read(text)["Subject"]) == subject.strip()


@pytest.mark.parametrize(
    "name",
    [
        "PoM, the monitor",
        'PoM "the" monitor',
        "Überwachung, Süd",
        "team: ops; all <b>",
        "=?utf-8?q?PoM?=",
        "PoM, the monitor of all that we have in production, and of what is not in production yet",
    ],
)
def test_a_sender_s_name_is_one_name_whatever_is_in_it(name: str) -> None:
    sender = str(Mailbox(name, "pom", "example.com"))
    [origin] = read(letter(Mail("1", "ops@example.com", "s", "b"), sender, NOW))["From"].addresses
    # Python's own reader puts a blank between two encoded words.
    assert origin.display_name.replace(" ", "") == name.replace(" ", "")
    assert origin.addr_spec == "pom@example.com"
