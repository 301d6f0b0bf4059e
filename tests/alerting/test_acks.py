"""What an ack ends, by real runs and the real command: reminders and escalation, and never the recovery."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import Pom
from postmark_server import PostmarkServer
from scene import Scene
from web_server import CLOSE, WebServer, answer

from pom_cli import session
from pom_cli.alerting import untold
from pom_cli.store.spare import Database

OPS, SECOND = "ops@example.com", "second@example.com"
Ack = Callable[..., str]


@pytest.fixture
def scene(tmp_path: Path, web: WebServer, postmark: PostmarkServer) -> Scene:
    alerts = (
        f'[alerts]\nfrom = "pom@example.com"\nto = ["{OPS}"]\npostmark = {{ url = "{postmark.url}" }}\n'
        f'escalate = [{{ after = "30m", to = ["{SECOND}"] }}]\nremind = ["20m", "40m"]\n'
    )
    site = f'[offline]\nwitnesses = []\n[targets.shop]\nurl = "{web.url()}"\nhealth.attempts = 1\n'
    return Scene(tmp_path, alerts + site, {"POM_POSTMARK_TOKEN": "token"})


@pytest.fixture
def ack(scene: Scene, pom: Pom, monkeypatch: pytest.MonkeyPatch) -> Ack:
    """`pom ack shop` at the scene's own time, with more words; what it printed."""
    monkeypatch.setenv("SUDO_USER", "ada")
    monkeypatch.setattr(session, "now", lambda: scene.now)

    def ack_(*words: str) -> str:
        head = f'[instance]\nname = "hetzner"\ndata_dir = "{scene.path.parent}"\n'
        return pom("ack", "shop", *words, config=head + scene.toml).out

    return ack_


def said(scene: Scene, runs: int) -> list[str]:
    return [notice.reason for _ in range(runs) for notice in scene.run().notices]


def test_it_ends_reminders_and_escalation_and_the_recovery_is_still_sent(
    scene: Scene, web: WebServer, postmark: PostmarkServer, ack: Ack
) -> None:
    web.on("/", answer(500))
    assert said(scene, 1) == ["new"]
    assert ack().startswith("shop health: acknowledged at ")
    assert said(scene, 20) == []
    web.on("/", answer(200))
    assert said(scene, 1) == ["recovered"]
    assert {mail["To"] for mail in postmark.accepted} == {OPS}


def test_the_next_problem_is_reminded_of_and_escalated_again(scene: Scene, web: WebServer, ack: Ack) -> None:
    web.on("/", answer(500))
    said(scene, 1)
    ack()
    web.on("/", answer(200))
    said(scene, 2)
    web.on("/", answer(500))
    assert said(scene, 9) == ["new", "reminder", "escalated", "reminder"]


def test_what_changes_meanwhile_is_told(scene: Scene, web: WebServer, ack: Ack) -> None:
    web.on("/", answer(500))
    said(scene, 1)
    ack()
    web.on("/", [CLOSE])
    assert said(scene, 3) == ["worse"]


def test_lifted_they_go_on(scene: Scene, web: WebServer, ack: Ack) -> None:
    web.on("/", answer(500))
    said(scene, 1)
    ack()
    said(scene, 10)
    assert ack("--lift").startswith("lifted: shop health: acknowledged at ")
    assert sorted(said(scene, 1)) == ["escalated", "reminder"]


def test_who_it_was_escalated_to_before_hears_of_its_end(
    scene: Scene, web: WebServer, postmark: PostmarkServer, ack: Ack
) -> None:
    web.on("/", answer(500))
    said(scene, 8)
    ack()
    assert said(scene, 20) == []
    web.on("/", answer(200))
    assert said(scene, 1) == ["recovered"]
    assert {mail["To"] for mail in postmark.accepted[-2:]} == {OPS, SECOND}


def test_an_ack_of_another_kind_of_alert_ends_nothing(scene: Scene, web: WebServer, ack: Ack) -> None:
    web.on("/", answer(500))
    said(scene, 1)
    assert ack("--alert", "route") == "shop: no open route alert\n"
    assert said(scene, 4) == ["reminder"]


def test_what_a_person_has_taken_on_is_not_untold_although_no_notice_of_it_was_delivered(
    scene: Scene, web: WebServer, ack: Ack
) -> None:
    web.on("/", answer(500))
    scene.run()
    database = Database(scene.path, scene.environ)
    database.write(lambda db: db.execute("DELETE FROM ledger"))  # as if a fault of ours had lost it
    database.write(lambda db: db.execute("DELETE FROM outbox"))
    later = scene.now + timedelta(hours=1)
    loaded = scene.config
    assert [one.target for one in database.read(lambda db: untold.look(db, loaded, later))] == ["shop"]
    ack()
    assert database.read(lambda db: untold.look(db, loaded, later)) == []
    database.close()
