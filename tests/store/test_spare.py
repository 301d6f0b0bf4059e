"""Without a store: the check is still made and shown, the alert is still sent, nothing is overwritten or forgotten."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from postmark_server import PostmarkServer
from scene import Scene
from small_disk import SmallDisk
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.store.spare import Database


@pytest.fixture
def small_disk(scene: Scene) -> Iterator[SmallDisk]:
    """The data folder on a file system of 400 KiB."""
    with SmallDisk(scene.folder / "data", 400) as disk:
        yield disk


@pytest.fixture
def scene(tmp_path: Path, web: WebServer, postmark: PostmarkServer) -> Scene:
    toml = f"""
[alerts]
to = ["ops@example.com"]
postmark = {{ url = "{postmark.url}" }}
[targets.shop]
url = "{web.url()}"
health = {{ attempts = 1 }}
"""
    return Scene(tmp_path, toml, {"POM_POSTMARK_TOKEN": "token"})


def damage(path: Path) -> bytes:
    content = b"this is no database" * 400
    path.write_bytes(content)
    return content


def test_on_a_full_disk_the_alert_is_sent_once_a_cooldown_and_the_fault_is_told(
    scene: Scene, small_disk: SmallDisk, web: WebServer, postmark: PostmarkServer
) -> None:
    scene.run()
    small_disk.fill()
    web.on("/", answer(500))
    report = scene.run()
    assert "free some disk space" in report.faults[0]
    assert "PoM's own database: " in postmark.accepted[0]["TextBody"], "and the mail tells it"
    assert postmark.subjects == ["[PoM hetzner] shop error: 500 Internal Server Error"]
    for _ in range(5):
        assert scene.run("1m").faults
    assert len(postmark.accepted) == 1, "the spare remembers what was announced"
    small_disk.free()
    web.on("/", answer(200))
    report = scene.run()
    assert report.faults == ()
    assert [notice.reason for notice in report.notices] == ["recovered"], "what the spare announced was taken over"
    assert scene.rows("SELECT count(*) FROM incidents WHERE ended_at IS NOT NULL") == [(1,)]
    assert len(scene.rows("SELECT * FROM results")) == 8, "and what it saw"


def test_on_a_read_only_disk_the_alert_is_sent_and_nothing_is_forgotten(
    scene: Scene, small_disk: SmallDisk, web: WebServer, postmark: PostmarkServer
) -> None:
    scene.run()
    subprocess.run(["mount", "-o", "remount,ro", small_disk.folder], check=True)
    web.on("/", answer(500))
    assert scene.run().faults
    assert scene.run().faults
    assert len(postmark.accepted) == 1
    subprocess.run(["mount", "-o", "remount,rw", small_disk.folder], check=True)
    assert scene.run().faults == ()
    assert len(postmark.accepted) == 1


def test_mail_that_the_spare_could_not_deliver_is_delivered_from_the_main_file_later(
    scene: Scene, web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import postmark_server

    scene.run()
    shutil.move(scene.path, scene.path.with_name("kept"))
    scene.path.mkdir()  # a folder in its place cannot be opened
    postmark.script = [postmark_server.SERVER_ERROR]
    web.on("/", answer(500))
    report = scene.run()
    assert (report.undelivered, len(report.faults)) == (1, 1)
    scene.path.rmdir()
    shutil.move(scene.path.with_name("kept"), scene.path)
    report = scene.run()
    assert (report.undelivered, report.faults) == (0, ())
    assert postmark.subjects == ["[PoM hetzner] shop error: 500 Internal Server Error"]


def test_a_run_whose_spare_was_taken_over_meanwhile_goes_on_with_the_main_file(scene: Scene) -> None:
    scene.run()
    shutil.move(scene.path, scene.path.with_name("kept"))
    scene.path.mkdir()
    slow = Database(scene.path, scene.environ)
    assert slow.fault and slow.path != scene.path
    slow.write(lambda db: db.execute("INSERT INTO texts (text, used_on) VALUES ('before', 1)"))
    scene.path.rmdir()
    shutil.move(scene.path.with_name("kept"), scene.path)
    Database(scene.path, scene.environ).close()
    slow.write(lambda db: db.execute("INSERT INTO texts (text, used_on) VALUES ('after', 1)"))
    assert (slow.fault, slow.path) == ("", scene.path)
    slow.close()
    assert scene.rows("SELECT text FROM texts WHERE used_on = 1 ORDER BY id") == [("before",), ("after",)]


def test_what_is_written_to_the_spare_while_it_is_taken_over_is_not_lost(scene: Scene) -> None:
    scene.run()
    shutil.move(scene.path, scene.path.with_name("kept"))
    scene.path.mkdir()
    slow = Database(scene.path, scene.environ)
    scene.path.rmdir()
    shutil.move(scene.path.with_name("kept"), scene.path)
    with ThreadPoolExecutor(1) as other:

        def write(db: sqlite3.Connection) -> None:
            adopting.append(other.submit(lambda: Database(scene.path, scene.environ).close()))
            with pytest.raises(TimeoutError):
                adopting[0].result(0.3)  # it waits for this transaction
            db.execute("INSERT INTO texts (text, used_on) VALUES ('meanwhile', 1)")

        adopting: list[Future[None]] = []
        slow.write(write)
        adopting[0].result(10)
    slow.close()
    assert scene.rows("SELECT text FROM texts WHERE used_on = 1") == [("meanwhile",)]


def test_a_spare_that_is_damaged_is_kept_apart_and_the_main_file_is_not_blamed(scene: Scene) -> None:
    scene.run()
    shutil.move(scene.path, scene.path.with_name("kept"))
    scene.path.mkdir()
    assert scene.run().faults
    [spare] = (scene.folder / "run").glob("pom-*.db")
    db = sqlite3.connect(spare)
    page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'states'").fetchone()[0]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    with spare.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"no page of a table" * 50)
    scene.path.rmdir()
    shutil.move(scene.path.with_name("kept"), scene.path)
    [fault] = scene.run().faults
    assert str(spare) in fault and "could not be taken over" in fault
    assert spare.with_suffix(".damaged").exists()
    assert list(scene.path.parent.glob("pom.db.damaged-*")) == []
    assert scene.run().faults == ()


def test_a_run_that_can_go_back_to_neither_file_takes_a_fresh_spare(scene: Scene) -> None:
    scene.run()
    shutil.move(scene.path, scene.path.with_name("kept"))
    scene.path.mkdir()
    slow = Database(scene.path, scene.environ)
    scene.path.rmdir()
    shutil.move(scene.path.with_name("kept"), scene.path)
    Database(scene.path, scene.environ).close()
    shutil.move(scene.path, scene.path.with_name("kept"))
    scene.path.mkdir()
    slow.write(lambda db: db.execute("INSERT INTO texts (text, used_on) VALUES ('after', 1)"))
    assert slow.fault and slow.path != scene.path
    assert slow.read(lambda db: db.execute("SELECT count(*) FROM texts WHERE used_on = 1").fetchone()) == (1,)
    slow.close()


def test_a_damaged_file_is_set_aside_under_another_name_and_never_overwritten(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    scene.run()
    content = damage(scene.path)
    web.on("/", answer(500))
    report = scene.run()
    assert "damaged" in report.faults[0]
    assert "damaged" in postmark.accepted[0]["TextBody"]
    aside = list(scene.path.parent.glob("pom.db.damaged-*"))
    assert [one.read_bytes() for one in aside] == [content]
    assert len(postmark.accepted) == 1
    assert scene.run().faults == ()
    damage(scene.path)
    assert scene.run().faults
    assert len(list(scene.path.parent.glob("pom.db.damaged-*"))) == 2


def test_damage_that_shows_only_when_it_is_written_is_set_aside_too(scene: Scene) -> None:
    scene.run()
    with scene.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (scene.path.stat().st_size - 4096))
    report = scene.run()
    assert any("damaged" in fault for fault in report.faults)
    assert list(scene.path.parent.glob("pom.db.damaged-*"))
    assert scene.run().faults == ()


@pytest.mark.parametrize("table", ["states", "alerts", "outbox", "series"])
def test_a_timers_run_over_a_file_of_which_one_page_is_damaged_still_sees_and_speaks(
    scene: Scene, web: WebServer, postmark: PostmarkServer, table: str
) -> None:
    config = scene.folder / "pom.toml"
    config.write_text(scene.config.text)
    scene.run()
    page = scene.rows("SELECT rootpage FROM sqlite_master WHERE name = ?", table)[0][0]
    with scene.path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xff" * 4096)
    web.on("/", answer(500))
    environ = {**os.environ, **scene.environ}
    command = [sys.executable, "-m", "pom_cli", "--config", str(config), "check", "--due"]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, "Traceback" in ran.stderr) == (3, False)
    assert "damaged" in ran.stderr
    assert "shop health: error" in ran.stdout
    assert postmark.subjects == ["[PoM hetzner] shop error: 500 Internal Server Error"]


def test_a_file_that_is_locked_for_long_does_not_hold_back_the_alert(
    scene: Scene, web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.run()
    monkeypatch.setattr(store, "BUSY_MS", 200)
    holder = sqlite3.connect(scene.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    web.on("/", answer(500))
    report = scene.run()
    assert "another process holds it" in report.faults[0]
    assert len(postmark.accepted) == 1
    holder.execute("ROLLBACK")
    holder.close()
    assert scene.run().faults == ()
    assert len(postmark.accepted) == 1


@pytest.mark.parametrize(("newer", "refused"), [(0, False), (1, False), (2, True), (900, True)])
def test_a_file_of_the_next_release_works_and_a_newer_one_is_refused_and_left_as_it_is(
    scene: Scene, newer: int, refused: bool
) -> None:
    scene.run()
    db = sqlite3.connect(scene.path)
    db.execute("ALTER TABLE states ADD COLUMN later TEXT")  # what a later migration may do
    db.execute(f"PRAGMA user_version = {store.VERSION + newer}")
    db.close()
    before = scene.path.read_bytes()
    faults = scene.run().faults
    assert bool(faults) is refused
    if refused:
        assert "newer PoM" in faults[0]
        assert scene.path.read_bytes() == before


def test_a_folder_that_others_may_write_is_no_place_for_the_spare(tmp_path: Path) -> None:
    from pom_cli.store.spare import spare_path

    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    found = spare_path(tmp_path / "pom.db", {"RUNTIME_DIRECTORY": str(shared)}, make=True)
    assert found is not None
    assert found.parent != shared


def test_a_full_disk_that_holds_tmp_too_still_leaves_the_runtime_directory(
    scene: Scene, small_disk: SmallDisk, web: WebServer, postmark: PostmarkServer
) -> None:
    tmp = scene.folder / "data" / "tmp"
    tmp.mkdir(parents=True)
    scene.environ["TMPDIR"] = str(tmp)
    scene.run()
    small_disk.fill()
    web.on("/", answer(500))
    for _ in range(3):
        assert scene.run("1m").faults
    assert len(postmark.accepted) == 1, "the spare beside them remembers what was announced"


def test_a_folder_for_temporary_files_that_is_not_there_leaves_the_usual_one(tmp_path: Path) -> None:
    from pom_cli.store.spare import spare_path

    found = spare_path(tmp_path / "pom.db", {"TMPDIR": str(tmp_path / "gone")}, make=True)
    assert found is not None
    assert found.parent.is_dir()


def test_where_nothing_can_be_written_the_run_still_sees_and_speaks(
    scene: Scene, web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pom_cli.store.spare.spare_path", lambda *_args, **_options: None)
    scene.path.parent.mkdir()
    scene.path.mkdir()
    web.on("/", answer(500))
    report = scene.run()
    assert "not remembered" in report.faults[0]
    assert [result.finding.status for result in report.results] == ["error"]
    assert len(postmark.accepted) == 1
