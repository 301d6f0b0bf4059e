"""Delivery over several runs and several channels: the order of what waited, and what is tried again when."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import postmark_server
import pytest
from postmark_server import PostmarkServer
from scene import START, Scene
from smtp_server import SmtpServer
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.store import outbox
from pom_cli.store import retry as again

DOWN = "[PoM hetzner] shop error: 500 Internal Server Error"
BACK = "[PoM hetzner] shop operational again after 1 s"
REFUSED = ["550 5.7.1 No"] * 9


@pytest.fixture
def web(server: WebServer) -> WebServer:
    server.on("/", answer(500))
    return server


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, web: WebServer, postmark: PostmarkServer, smtp: SmtpServer) -> Scene:
    """Two channels; the token of the first is refused."""
    return Scene(tmp_path, toml(web, postmark, smtp), {"POM_POSTMARK_TOKEN": "wrong"})


def toml(web: WebServer, postmark: PostmarkServer, smtp: SmtpServer) -> str:
    return f"""
[alerts]
to = ["ops@example.com"]
from = "pom@example.com"
channels = ["postmark", "smtp"]
postmark = {{ url = "{postmark.url}" }}
smtp = {{ host = "127.0.0.1", port = {smtp.port} }}
[targets.shop]
url = "{web.url()}"
health = {{ attempts = 1 }}
"""


def right_token(scene: Scene) -> None:
    scene.environ["POM_POSTMARK_TOKEN"] = "token"
    scene.configure(scene.toml)


def retry(scene: Scene) -> int:
    db = store.open_(scene.path)
    try:
        with store.transaction(db):
            return again.everything(db, scene.now)
    finally:
        db.close()


@pytest.mark.parametrize(
    "fault",
    [postmark_server.rate_limit(60), postmark_server.error(500, 100), postmark_server.BAD_TOKEN],
    ids=["asked to wait", "maintenance", "refused"],
)
def test_what_is_over_before_its_first_mail_went_out_is_not_told(
    scene: Scene, web: WebServer, postmark: PostmarkServer, smtp: SmtpServer, fault: postmark_server.Step
) -> None:
    right_token(scene)
    smtp.answers = {"MAIL": list(REFUSED)}
    postmark.script = [fault]
    assert scene.run().undelivered == 1
    web.on("/", answer(200))
    report = scene.run("1s")
    assert (report.undelivered, report.notices) == (0, [])
    assert (postmark.subjects, smtp.received) == ([], [])


def test_the_beginning_of_an_outage_that_may_have_arrived_is_told_before_its_end(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    right_token(scene)
    postmark.script = [postmark_server.SERVER_ERROR]
    assert scene.run().undelivered == 1
    web.on("/", answer(200))
    assert scene.run("1s").undelivered == 0
    assert postmark.subjects == [DOWN, BACK]


def test_what_every_channel_gave_up_goes_out_by_the_first_one_once_its_token_is_right(
    scene: Scene, postmark: PostmarkServer, smtp: SmtpServer
) -> None:
    smtp.answers = {"MAIL": list(REFUSED)}
    assert scene.run().undelivered == 1
    right_token(scene)
    report = scene.run()
    assert (report.undelivered, report.faults) == (0, ())
    assert (postmark.subjects, smtp.received) == ([DOWN], [])


def test_what_waits_for_the_next_channel_goes_out_by_the_first_one_once_its_token_is_right(
    scene: Scene, postmark: PostmarkServer, smtp: SmtpServer
) -> None:
    smtp.answers = {"CONNECT": ["421 4.3.2 Busy"]}
    assert scene.run().undelivered == 1
    right_token(scene)
    assert scene.run("1s").undelivered == 0
    assert (postmark.subjects, smtp.received) == ([DOWN], [])


def test_what_another_channel_has_delivered_is_not_sent_again(
    scene: Scene, postmark: PostmarkServer, smtp: SmtpServer
) -> None:
    scene.run()
    assert len(smtp.received) == 1
    right_token(scene)
    assert retry(scene) == 0
    scene.run()
    assert postmark.subjects == []


def test_a_retry_begins_with_the_first_channel_and_goes_down_to_the_last(
    scene: Scene, postmark: PostmarkServer, smtp: SmtpServer
) -> None:
    smtp.answers = {"MAIL": ["550 5.7.1 No"]}
    assert scene.run().undelivered == 1
    tries = len(postmark.posts())
    assert retry(scene) == 1
    assert scene.run().undelivered == 0
    assert len(postmark.posts()) == tries + 1
    assert [len(smtp.received), postmark.subjects] == [1, []]
    assert scene.rows("SELECT channel, state FROM outbox") == [("postmark", "moved"), ("smtp", "delivered")]


def test_a_retry_does_not_wait_for_what_is_put_off(scene: Scene, postmark: PostmarkServer) -> None:
    right_token(scene)
    postmark.script = [postmark_server.rate_limit(3600)]
    assert scene.run().undelivered == 1
    assert scene.run("1s").undelivered == 1
    assert retry(scene) == 1
    assert scene.run("1s").undelivered == 0
    assert postmark.subjects == [DOWN]


def test_a_recipient_whom_a_shared_way_out_has_reached_gets_nothing_twice(tmp_path: Path) -> None:
    """Two addresses moved on to one webhook; one of them alone is tried again when the webhook gave up."""
    db = store.open_(tmp_path / "pom.db")
    outbox.add_message(db, "m", "subject", "body", {}, START)
    outbox.enqueue(db, "m", "postmark", ["a@example.com", "b@example.com"], START)
    outbox.enqueue(db, "m", "webhook", ["webhook"], START)
    db.execute("UPDATE outbox SET state = 'moved' WHERE channel = 'postmark'")
    db.execute("UPDATE outbox SET state = 'delivered' WHERE channel = 'webhook'")
    assert again.everything(db, START) == 0
    db.execute("UPDATE outbox SET state = 'given_up' WHERE channel = 'webhook'")
    assert again.everything(db, START) == 2
    assert states(db) == ["queued", "queued"]
    db.close()


def test_what_may_be_arriving_just_now_is_not_sent_another_way(tmp_path: Path) -> None:
    db = store.open_(tmp_path / "pom.db")
    outbox.add_message(db, "m", "subject", "body", {}, START)
    outbox.enqueue(db, "m", "postmark", ["a@example.com"], START)
    db.execute("UPDATE outbox SET state = 'moved'")
    outbox.enqueue(db, "m", "smtp", ["a@example.com"], START)
    outbox.claim(db, "lease", START)
    assert again.everything(db, START + timedelta(seconds=1)) == 0
    assert states(db) == ["moved", "queued"]
    db.close()


def states(db: sqlite3.Connection) -> list[str]:
    return [state for (state,) in db.execute("SELECT state FROM outbox ORDER BY id")]


def test_one_recipient_for_whom_much_waits_keeps_nothing_from_another(tmp_path: Path) -> None:
    db = store.open_(tmp_path / "pom.db")
    for number in range(5):
        outbox.add_message(db, f"m{number}", "subject", "body", {}, START)
        outbox.enqueue(db, f"m{number}", "smtp", ["full@example.com"], START)
    db.execute("UPDATE outbox SET next_at = next_at + 3600000")
    outbox.add_message(db, "new", "subject", "body", {}, START)
    outbox.enqueue(db, "new", "smtp", ["full@example.com", "well@example.com"], START)
    mails = outbox.claim(db, "lease", START, most=3)["smtp"]
    assert [mail.recipient for mail in mails] == ["full@example.com", "well@example.com", "full@example.com"]
    assert [outbox.row_id(mail.id) for mail in mails] == [1, 7, 2], "each recipient's oldest first"
    db.close()
