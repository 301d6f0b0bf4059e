"""prune: what is old goes, what the config no longer names goes, and nobody waits long for it."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from scene import Scene
from small_disk import SmallDisk
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.model import Key
from pom_cli.store.prune import Pruned, prune
from pom_cli.store.tally import DAY_MS

ONE = '[targets.{name}]\nurl = "{url}"\nhealth = {{ attempts = 1 }}\n'


@pytest.fixture
def scene(tmp_path: Path, web: WebServer) -> Scene:
    return Scene(tmp_path, "".join(ONE.format(name=name, url=web.url()) for name in ("shop", "blog")))


def pruned(scene: Scene, *kept: str, after: timedelta = timedelta()) -> Pruned:
    pauses = []
    return prune(
        scene.path,
        scene.now + after,
        timedelta(days=30),
        lambda key: key.target in kept,
        lambda target, alert: target in kept,
        lambda: pauses.append(1),
    )


def test_what_is_older_than_the_retention_goes_and_the_rest_stays(scene: Scene, web: WebServer) -> None:
    web.on("/", answer(500))
    scene.run()
    web.on("/", answer(200))
    scene.run("35d")
    scene.run()
    before = len(scene.rows("SELECT * FROM results"))
    done = pruned(scene, "shop", "blog")
    assert before == 6
    assert len(scene.rows("SELECT * FROM results")) == 4
    assert scene.rows("SELECT text FROM texts") == [("200 OK",)]
    # The outage lasted into the retention: it is still history, and its notice of the recovery too.
    assert len(scene.rows("SELECT * FROM incidents")) == 2
    assert [reason for (reason,) in scene.rows("SELECT DISTINCT reason FROM notices")] == ["recovered"]
    assert done.rows >= 2 + 2
    assert pruned(scene, "shop", "blog").rows == 0


def test_old_mail_that_was_never_delivered_is_still_owed(scene: Scene, web: WebServer) -> None:
    web.on("/", answer(500))
    scene.run()
    db = store.open_(scene.path)
    db.execute("UPDATE outbox SET state = 'queued'")
    db.execute("UPDATE results SET at = at - ? WHERE series = 1", (40 * DAY_MS,))
    db.execute("UPDATE outbox SET created_at = created_at - ?", (40 * DAY_MS,))
    db.execute("UPDATE messages SET at = at - ?", (40 * DAY_MS,))
    db.close()
    pruned(scene, "shop", "blog")
    assert scene.rows("SELECT state FROM outbox") == [("queued",)]
    assert len(scene.rows("SELECT * FROM messages")) == 1


def test_a_target_that_is_no_longer_configured_goes_and_its_alert_closes_without_a_word(
    scene: Scene, web: WebServer
) -> None:
    web.on("/", answer(500))
    scene.run()
    for _ in range(3):
        scene.run()
    pruned(scene, "blog")
    assert scene.rows("SELECT target FROM series") == [("blog",)]
    assert scene.rows("SELECT count(*) FROM results") == [(4,)]
    assert scene.rows("SELECT target FROM alerts") == [("blog",)]
    assert scene.rows("SELECT target FROM incidents WHERE ended_at IS NULL") == [("blog",)]
    web.on("/", answer(200))
    assert [notice.target for notice in scene.run().notices] == ["blog"], "no recovery of what was taken off the list"


def test_on_a_full_disk_the_ballast_is_given_up_and_history_goes(scene: Scene) -> None:
    with SmallDisk(scene.folder / "data", 4000) as disk:
        scene.run()
        pruned(scene, "shop", "blog")
        ballast = disk.folder / "ballast"
        assert ballast.stat().st_size > 0
        db = sqlite3.connect(scene.path)
        db.executemany("INSERT INTO results VALUES (?, 1, 0, 1, 1)", [(at,) for at in range(40_000)])
        db.commit()
        db.close()
        disk.fill()
        assert pruned(scene, "shop", "blog").rows == 40_000
        disk.free()
        assert scene.run().faults == ()


def test_keys_decide_and_not_names_alone(scene: Scene) -> None:
    scene.run()
    prune(
        scene.path,
        scene.now,
        timedelta(days=30),
        lambda key: key == Key("shop", "health", ""),
        lambda *_names: True,
        lambda: None,
    )
    assert scene.rows("SELECT target, kind FROM series") == [("shop", "health")]
