"""A clock that was ahead for a while: what was stored then holds nothing back once the clock is right."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from postmark_server import SERVER_ERROR, PostmarkServer
from scene import START, Scene
from web_server import WebServer, answer

from pom_cli import jobs, store
from pom_cli.alerting.decide import Decision, Policy, announce, decide
from pom_cli.model import ERROR, OPERATIONAL, Announced, Condition, Silence, SuiteRun
from pom_cli.report import overview
from pom_cli.store import handover, outbox, prune, steady, testruns
from pom_cli.store.spare import Database
from pom_cli.times import AHEAD, duration, holds, to_ms

AHEADS = ("90s", "2h", "400d")


@pytest.fixture
def scene(tmp_path: Path, postmark: PostmarkServer, web: WebServer) -> Scene:
    toml = (
        '[alerts]\nto = ["ops@example.com"]\nfrom = "pom@example.com"\n'
        f'postmark = {{ url = "{postmark.url}" }}\n[offline]\nwitnesses = []\n'
        f'[targets.shop]\nurl = "{web.url()}"\nhealth = {{ attempts = 1, timeout = "1s" }}\n'
        'tests = { command = "true" }\n'
    )
    return Scene(tmp_path, toml, {"POM_POSTMARK_TOKEN": "token"})


def status(scene: Scene) -> dict[str, object]:
    database = Database(scene.path, scene.environ)
    try:
        (target,) = database.read(lambda db: overview.status(db, scene.config, scene.now))["targets"]
        return dict(target)
    finally:
        database.close()


@pytest.mark.parametrize("late", [timedelta(seconds=-5), timedelta(0), timedelta(days=400)])
def test_what_was_so_in_the_past_holds(late: timedelta) -> None:
    assert holds(START - late, START)
    assert holds(START + AHEAD, START)
    assert not holds(START + AHEAD + timedelta(seconds=1), START)


@pytest.mark.parametrize("ahead", AHEADS)
def test_after_a_run_under_a_clock_ahead_the_next_one_finds_mails_and_shows(
    scene: Scene, web: WebServer, postmark: PostmarkServer, ahead: str
) -> None:
    scene.run(ahead)
    scene.now = START
    web.on("/", answer(500))
    assert [notice.reason for notice in scene.run("1s").notices] == ["new"]
    assert len(postmark.accepted) == 1
    shown = status(scene)
    assert (shown["status"], shown["since"]) == ("error", "2026-11-24T06:00:01Z")
    web.on("/", answer(200))
    assert [notice.reason for notice in scene.run("1m").notices] == ["recovered"]


def test_what_goes_on_from_a_future_began_by_now(scene: Scene) -> None:
    scene.run("2h")
    scene.now = START
    scene.run("1m")
    assert status(scene)["since"] == "2026-11-24T06:01:00Z"


def test_what_was_seen_in_a_future_is_due(scene: Scene) -> None:
    scene.run("4m")
    database = Database(scene.path, scene.environ)
    try:
        wanted = jobs.jobs_of(scene.config.targets.values(), ("health",))
        assert jobs.due(scene.config, wanted, database, START) == wanted
        assert jobs.due(scene.config, wanted, database, scene.now - timedelta(seconds=20)) == []
    finally:
        database.close()


def test_uptime_goes_on_by_the_hour_that_it_is(scene: Scene, web: WebServer) -> None:
    for _ in range(6):
        scene.run("5m")
    scene.run("400d")
    scene.now = START + timedelta(minutes=30)
    web.on("/", answer(500))
    for _ in range(12):
        scene.run("5m")
    hours = scene.rows("SELECT hour FROM hours ORDER BY hour")
    assert [hour for (hour,) in hours] == [int(START.timestamp()) // 3600]
    uptime = status(scene)["uptime"]
    assert isinstance(uptime, dict)
    # The 11 minutes for which a status counts were up before the clock was put right.
    assert uptime["24h"]["percent"] == pytest.approx(100 * 36 / 91, abs=0.01)


@pytest.mark.parametrize("ahead", AHEADS)
def test_a_retry_and_a_lease_of_the_future_are_tried(
    scene: Scene, web: WebServer, postmark: PostmarkServer, ahead: str
) -> None:
    web.on("/", answer(500))
    postmark.script = [SERVER_ERROR]
    scene.run(ahead)
    assert scene.rows("SELECT state, attempts FROM outbox") == [("queued", 1)]
    scene.now = START
    database = Database(scene.path, scene.environ)
    try:
        held = database.write(lambda db: outbox.claim(db, "dead", scene.now + duration(ahead) + duration("2m")))
        assert held
    finally:
        database.close()
    scene.run("1s")
    assert len(postmark.accepted) == 1


def test_a_wait_that_began_in_the_past_is_waited_out(scene: Scene, web: WebServer, postmark: PostmarkServer) -> None:
    web.on("/", answer(500))
    postmark.script = [SERVER_ERROR]
    scene.run("1m")
    scene.run("10s")
    assert scene.rows("SELECT attempts FROM outbox") == [(1,)]


@pytest.mark.parametrize("ahead", AHEADS)
def test_a_cooldown_and_a_reminder_of_the_future_hold_nothing_back(ahead: str) -> None:
    then = START + duration(ahead)
    policy = Policy(duration("5m"), (duration("1h"),))
    over = Announced(last_at=then)
    assert decide(Condition("shop", "health", ERROR, ""), over, policy, START) == Decision("new")
    bad = Condition("shop", "health", ERROR, "")
    told = announce(bad, Announced(ERROR, first_at=then, last_at=then), Decision("same"), START)
    assert decide(bad, told, policy, START + duration("59m")) == Decision("same")
    assert decide(bad, told, policy, START + duration("1h1m")) == Decision("reminder")


@pytest.mark.parametrize("ahead", AHEADS)
def test_a_silence_lifted_in_the_future_is_lifted(ahead: str) -> None:
    one = Silence("1", "shop", "", START, START + duration("500d"), lifted_at=START + duration(ahead))
    assert not one.covers(START)


def test_a_test_run_of_the_future_gives_way_to_the_one_that_is_made_next(scene: Scene) -> None:
    def found(number: int, failed: int) -> str:
        database = Database(scene.path, scene.environ)
        run = SuiteRun(number, "shop", scene.now, scene.now, passed=3, failed=failed)
        database.write(lambda db: testruns.add(db, run))
        database.close()
        (result,) = scene.run("1s", kinds=("tests",)).results
        return f"{result.finding.status}: {result.finding.summary}"

    scene.now = START + timedelta(hours=2)
    assert found(1, 0) == f"{OPERATIONAL}: 3 tests passed"
    scene.now = START
    assert found(2, 1).startswith(f"{ERROR}: 1 of 4 tests failed")
    scene.run("1s", kinds=("tests",))


def test_a_test_run_of_the_future_alone_is_no_fresh_one(scene: Scene) -> None:
    database = Database(scene.path, scene.environ)
    then = START + timedelta(days=400)
    database.write(lambda db: testruns.add(db, SuiteRun(1, "shop", then, then, passed=3)))
    database.close()
    (result,) = scene.run("1s", kinds=("tests",)).results
    assert "dated in the future" in result.finding.summary


@pytest.mark.parametrize(("ahead", "wins"), [("2h", True), ("400d", True), ("20s", False)])
def test_what_the_spare_saw_goes_before_a_future_in_the_main_file(
    scene: Scene, web: WebServer, ahead: str, wins: bool
) -> None:
    (scene.folder / "other").mkdir()
    spare = Scene(scene.folder / "other", scene.toml)
    scene.run(ahead)
    web.on("/", answer(500))
    spare.run("1s")
    main, other = store.open_(scene.path), store.open_(spare.path)
    with store.transaction(main):
        handover.adopt(main, other, spare.now)
    main.close()
    other.close()
    scene.now = spare.now
    assert status(scene)["status"] == ("error" if wins else "operational")


class TestPrune:
    """Deleting by a clock that may be ahead."""

    def prune(self, scene: Scene) -> int:
        return prune.prune(
            scene.path, scene.now, timedelta(days=30), lambda _key: True, lambda *_names: True, lambda: None
        ).rows

    def live(self, scene: Scene, days: int) -> None:
        """Days on which something ran every six hours."""
        for _ in range(days * 4):
            scene.run("6h")

    @pytest.mark.parametrize("ahead", ["31d", "60d", "4000d"])
    def test_under_a_clock_ahead_nothing_goes_and_that_is_said(self, scene: Scene, ahead: str) -> None:
        scene.run()
        before = scene.rows("SELECT * FROM results")
        scene.now += duration(ahead)
        with pytest.raises(prune.ClockDoubtError, match="nothing deleted: the newest result is from 2026-11-24"):
            self.prune(scene)
        assert scene.rows("SELECT * FROM results") == before

    def test_a_run_under_that_clock_is_no_proof_of_it(self, scene: Scene) -> None:
        self.live(scene, 8)
        scene.run("60d")
        with pytest.raises(prune.ClockDoubtError, match="nothing ran for 60 d until now"):
            self.prune(scene)

    def test_after_a_day_of_runs_it_is(self, scene: Scene) -> None:
        self.live(scene, 8)
        scene.run("60d")
        self.live(scene, 2)
        assert self.prune(scene) >= 32

    @pytest.mark.parametrize(("days", "rows"), [(31, 4), (35, 20)])
    def test_a_clock_that_was_steady_deletes_every_day_as_it_does(self, scene: Scene, days: int, rows: int) -> None:
        self.live(scene, days)
        assert len(scene.rows("SELECT * FROM results WHERE at < ?", to_ms(scene.now - timedelta(days=30)))) >= rows - 4
        assert self.prune(scene) >= rows - 4

    def test_while_others_say_that_the_clock_is_wrong_nothing_goes(self, scene: Scene) -> None:
        self.live(scene, 32)
        db = store.open_(scene.path)
        db.execute(
            "INSERT INTO alerts (target, alert, status, summary, subjects, since, held, told_subjects)"
            " VALUES ('', 'clock-wrong', 2, 'this host''s clock is 2 h ahead', '[]', 1, '', '[]')"
        )
        db.close()
        with pytest.raises(prune.ClockDoubtError, match="2 h ahead; check it with timedatectl"):
            self.prune(scene)

    @pytest.mark.parametrize(
        ("hours", "now", "doubted"),
        [
            ([], 1000, False),
            ([0, 1, 2], 3, False),
            (list(range(24 * 10)), 24 * 45, True),
            (list(range(24 * 10)), 24 * 30 + 24, False),
            (list(range(24 * 2)), 24 * 60, False),
            ([*range(24 * 10), *range(24 * 50, 24 * 50 + 23)], 24 * 50 + 23, True),
            ([*range(24 * 10), *range(24 * 50, 24 * 51)], 24 * 51, False),
        ],
    )
    def test_a_leap_is_a_gap_that_would_cost_days(self, hours: list[int], now: int, doubted: bool) -> None:
        assert bool(steady.leap(hours, now, 24 * 30)) == doubted
