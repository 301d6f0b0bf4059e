"""A day's totals: split at midnight, summed up look by look, kept for longer than the hours, and taken over once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scene import Scene
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.store import days, handover, prune, tally
from pom_cli.store.days import Totals
from pom_cli.store.tally import DAY_MS, HOUR_MS

MIN = 60_000
TOML = '[offline]\nwitnesses = []\n[targets.shop]\nurl = "{}"\nhealth = {{ attempts = 1, expect_text = "ok" }}\n'


def test_a_span_over_midnight_belongs_to_both_days() -> None:
    spans = tally.held("degraded", DAY_MS - 10 * MIN, DAY_MS + 5 * MIN, HOUR_MS)  # type: ignore[arg-type]
    assert days.of_spans(spans) == {
        0: Totals(10 * MIN, 10 * MIN, 10 * MIN), 1: Totals(5 * MIN, 5 * MIN, 5 * MIN)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "totals"),
    [
        (200, "ok", Totals(5 * MIN, 5 * MIN)),
        (200, "other", Totals(5 * MIN, 5 * MIN, 5 * MIN)),
        (500, "ok", Totals(5 * MIN)),
    ],
)
def test_each_look_adds_the_time_since_the_one_before(tmp_path: Path, status: int, body: str, totals: Totals) -> None:
    with WebServer() as web:
        web.on("/", answer(status, body.encode()))
        scene = Scene(tmp_path, TOML.format(web.url()))
        scene.run()
        scene.run("5m")
    db = store.open_(scene.path)
    try:
        (series,) = db.execute("SELECT id FROM series WHERE kind = 'health'").fetchone()
        assert list(days.load(db, 0, {series: []})[series].values()) == [totals]
    finally:
        db.close()


def test_they_outlive_the_hours_and_are_gone_after_400_days(tmp_path: Path) -> None:
    path, now = tmp_path / "pom.db", datetime(2026, 11, 24, tzinfo=UTC)
    today = round(now.timestamp() * 1000) // DAY_MS
    db = store.open_(path)
    db.execute("INSERT INTO series VALUES (1, 'shop', 'health', '')")
    for ago in (1, 90, 399, 402):
        spans = [tally.Span((today - ago) * 24, HOUR_MS, HOUR_MS)]
        days.add(db, 1, spans)
        tally.Tally(spans[0].hour, HOUR_MS, HOUR_MS).store(db, 1)
    db.close()
    prune.prune(path, now, timedelta(days=30), lambda _: True, lambda *_: True, lambda: None)
    db = store.open_(path)
    try:
        assert sorted(today - day for day in days.load(db, 0, {1: []})[1]) == [1, 90, 399]
        assert db.execute("SELECT count(*) FROM hours").fetchone() == (1,)
        prune.prune(path, now, timedelta(days=30), lambda _: False, lambda *_: True, lambda: None)
        assert db.execute("SELECT count(*) FROM days").fetchone() == (0,)
    finally:
        db.close()


def test_what_a_spare_saw_of_a_day_is_taken_over_once(tmp_path: Path) -> None:
    main, spare = store.open_(tmp_path / "pom.db"), store.open_(tmp_path / "spare.db")
    main.execute("INSERT INTO series VALUES (1, 'shop', 'health', '')")
    days.add(main, 1, [tally.Span(0, 10 * MIN, 10 * MIN)])
    handover.seed(spare, tmp_path / "pom.db")
    days.add(spare, 1, [tally.Span(1, 5 * MIN, 0)])
    for _ in range(2):
        handover.adopt(main, spare, datetime(2026, 11, 24, tzinfo=UTC))
    assert days.load(main, 0, {1: []}) == {1: {0: Totals(15 * MIN, 10 * MIN)}}
    main.close()
    spare.close()
