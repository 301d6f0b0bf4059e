"""Without a store: the check is still made and shown, the alert is still sent, nothing is overwritten or forgotten."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Pom
from postmark_server import SERVER_ERROR, PostmarkServer
from scene import Scene
from small_disk import SmallDisk
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.store.spare import Database, kept, spare_path


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
    assert postmark.subjects == ["[PoM hetzner] shop error: 500 Internal Server Error (+1 more)"]
    for _ in range(5):
        assert scene.run("1m").faults
    assert len(postmark.accepted) == 1, "the spare remembers what was announced"
    small_disk.free()
    web.on("/", answer(200))
    report = scene.run()
    assert report.faults == ()
    assert [notice.reason for notice in report.notices] == ["recovered"] * 2, "what the spare announced was taken over"
    assert scene.rows("SELECT count(*) FROM incidents WHERE ended_at IS NOT NULL") == [(2,)]
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
    assert len(postmark.subjects) == 2 and "database writable again" in postmark.subjects[1]


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
    over = "[PoM hetzner] database writable again after 5 min"
    assert postmark.subjects == ["[PoM hetzner] shop error: 500 Internal Server Error (+1 more)", over]


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
    assert postmark.subjects == ["[PoM hetzner] shop error: 500 Internal Server Error (+1 more)"]


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
    assert len(postmark.accepted) == 2


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


class TestTheFaultItself:
    """`store-failed` is told whether or not anything else is wrong, and readers see what the spare keeps."""

    def read_only(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """No write works: as root is stopped by no mode, the pragma stands in for it."""
        real = store.connect

        def connect(path: Path) -> store.Connection:
            db = real(path)
            if path == scene.path:
                db.execute("PRAGMA query_only=ON")
            return db

        monkeypatch.setattr(store, "connect", connect)

    def test_it_is_mailed_once_and_its_end_too(
        self, scene: Scene, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.run()
        with monkeypatch.context() as patch:
            self.read_only(scene, patch)
            for _ in range(4):
                assert scene.run().faults
        [subject] = postmark.subjects
        assert subject.startswith("[PoM hetzner] database not writable: ")
        assert "df -h" in postmark.accepted[0]["TextBody"]
        assert scene.run().faults == ()
        assert len(postmark.subjects) == 2 and "database writable again" in postmark.subjects[1]
        scene.run()
        assert len(postmark.accepted) == 2

    def test_readers_show_what_the_spare_keeps_and_say_so_first(
        self, scene: Scene, web: WebServer, pom: Pom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = f'[instance]\nname = "hetzner"\ndata_dir = "{scene.folder / "data"}"\n{scene.toml}'
        assert pom("check", config=config, env=scene.environ).code == 0
        web.on("/", answer(500))
        self.read_only(scene, monkeypatch)
        assert pom("check", config=config, env=scene.environ).code == 3
        status = pom("status", config=config, env=scene.environ)
        assert status.code == 1
        first = status.out.splitlines()[0]
        assert first.startswith("hetzner: its database cannot be written: this is what a spare one keeps; 1 of 1 not")
        for command in ("alerts", "incidents"):
            out = pom(command, config=config, env=scene.environ).out
            assert "cannot be written: this is what its spare keeps" in out.splitlines()[0]
            assert "shop health: error" in out
        found = json.loads(pom("status", "--json", config=config, env=scene.environ).out)
        assert {one["alert"] for one in found["alerts"]} == {"health", "store-failed"}

    def test_a_spare_that_is_older_than_the_main_file_is_not_shown(self, scene: Scene) -> None:
        place = spare_path(scene.path, scene.environ, make=True)
        assert place
        store.open_(place).close()
        os.utime(place, (1, 1))
        Database(scene.path, {**scene.environ, "RUNTIME_DIRECTORY": str(scene.folder / "elsewhere")}).close()
        assert kept(scene.path, scene.environ) is None

    def test_an_emptied_file_is_no_new_one(self, scene: Scene, postmark: PostmarkServer) -> None:
        scene.run()
        scene.path.write_bytes(b"")
        report = scene.run()
        assert "damaged: it has been emptied; it was set aside as " in report.faults[0]
        [subject] = postmark.subjects
        assert subject.startswith("[PoM hetzner] database not writable: ")
        assert scene.run().faults == ()

    def test_an_empty_file_where_never_was_a_database_is_a_new_one(self, scene: Scene) -> None:
        scene.path.parent.mkdir()
        scene.path.touch()
        assert scene.run().faults == ()

    def test_a_read_error_that_has_passed_sets_nothing_aside(self, scene: Scene) -> None:
        scene.run()
        database = Database(scene.path, scene.environ)
        met = []

        def work(db: sqlite3.Connection) -> int:
            if not met:
                met.append(1)
                raise sqlite3_error("SQLITE_CORRUPT")
            return int(db.execute("SELECT count(*) FROM results").fetchone()[0])

        assert database.read(work) == 1
        assert database.fault == ""
        assert list(scene.path.parent.glob("*.damaged-*")) == []
        database.close()

    def test_a_spare_that_cannot_be_removed_is_sent_once(
        self, scene: Scene, web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene.run()
        postmark.script = [SERVER_ERROR]
        web.on("/", answer(500))
        with monkeypatch.context() as patch:
            self.read_only(scene, patch)
            scene.run()
        place = spare_path(scene.path, scene.environ, make=False)
        real = Path.unlink

        def unlink(path: Path, missing_ok: bool = False) -> None:
            if path == place:
                raise PermissionError(1, "Operation not permitted")
            real(path, missing_ok)

        monkeypatch.setattr(Path, "unlink", unlink)
        assert "cannot be removed: Operation not permitted" in scene.run().faults[0]
        scene.run()
        self.read_only(scene, monkeypatch)
        scene.run()
        assert len([one for one in postmark.subjects if "shop error" in one]) == 1


def sqlite3_error(name: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorname = name
    return error
