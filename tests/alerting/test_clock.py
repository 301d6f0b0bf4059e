"""Is this host's clock right: judged by what most others say, and never by one alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
from scene import START, Scene
from web_server import WebServer, answer

from pom_cli.alerting.clock import Clock, condition
from pom_cli.net.dates import skew_s

NOW_S = datetime(2026, 10, 25, 18, 13, 20, tzinfo=UTC).timestamp()
TODAY = "Sun, 25 Oct 2026 18:13:20 GMT"  # the same


@pytest.mark.parametrize(
    ("skews", "told"),
    [
        ([], None),
        ([0.0], "operational"),
        ([7200.0], None),
        ([7200.0, 7200.0], "this host's clock is 2 h behind a; b"),
        ([-7200.0, -7190.0, 0.0], "this host's clock is 1 h 59 min ahead of a; b"),
        ([-7200.0, 0.0], None),
        ([-7200.0, 0.0, 1.0], "operational"),
        ([-7200.0, 86400.0], None),
        ([-7200.0, -7200.0, 0.0, 0.0], None),
        ([119.0, 120.0], "operational"),
        ([121.0, 121.0], "this host's clock is 2 min 1 s behind a; b"),
    ],
)
def test_two_that_agree_and_are_the_most_contradict_this_clock(skews: list[float], told: str | None) -> None:
    found = condition([Clock(name, skew) for name, skew in zip("abcd", skews, strict=False)])
    assert (found and (found.summary if found.status == "degraded" else found.status.value)) == told


def test_this_machine_s_own_servers_are_no_witnesses_for_its_clock() -> None:
    wrong = [Clock("a", 7200), Clock("b", 7200)]
    own = [Clock(name, 0, here=True) for name in ("here", "there", "too")]
    found = condition([*wrong, *own])
    assert found is not None
    assert found.status == "degraded"


@pytest.mark.parametrize(
    ("headers", "skew"),
    [
        ({"Date": TODAY}, 0),
        ({"DATE": "Sun, 25 Oct 2026 20:13:20 GMT"}, 7200),
        ({"date": "Sunday, 25-Oct-26 18:13:20 GMT"}, 0),
        ({"date": "Sun Oct 25 18:13:20 2026"}, 0),
        ({"Date": "Sun, 25 Oct 2026 17:13:20 GMT", "Age": "3600"}, 0),
        ({"Date": "now"}, None),
        ({"Date": ""}, None),
        ({"Date": TODAY, "Age": "old"}, None),
        ({"Date": "Sun, 25 Oct 99999 18:13:20 GMT"}, None),
        ({}, None),
    ],
)
def test_a_date_header_is_a_clock(headers: dict[str, str], skew: int | None) -> None:
    assert skew_s(headers.items(), NOW_S) == skew


OLD = "Tue, 24 Nov 2020 06:00:00 GMT"


def test_what_most_servers_say_is_mailed_with_what_to_do_and_its_end(tmp_path: Path, web: WebServer) -> None:
    with WebServer() as other:
        one = '[targets.{}]\nurl = "{}"\nhealth = {{ attempts = 1, timeout = "1s" }}\n'
        scene = Scene(tmp_path, one.format("shop", web.url()) + one.format("blog", other.url()))
        for server in (web, other):
            server.on("/", answer(200, headers={"Date": OLD}))
        first = scene.run(only=("shop",))
        assert first.notices == [], "one alone may be wrong itself"
        (notice,) = scene.run().notices
        assert (notice.target, notice.alert, notice.reason) == ("", "clock-wrong", "new")
        assert "timedatectl" in str(scene.rows("SELECT body FROM messages"))
        for server in (web, other):
            server.on("/", answer(200, headers={"Date": formatdate(usegmt=True)}))
        assert [notice.reason for notice in scene.run().notices] == ["recovered"]
        assert scene.now == START + timedelta(minutes=15)
