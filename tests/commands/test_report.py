"""pom report, printed and mailed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from api_server import load, see
from conftest import Pom
from postmark_server import PostmarkServer

from pom_cli import store
from pom_cli.model import ERROR, UNREACHABLE
from pom_cli.report.weekly import lines
from pom_cli.store import results
from pom_cli.times import moment

TARGETS = """
[targets.shop]
label = "The shop"
url = "http://127.0.0.1:9/"
whois = { domain = "example.com" }
[targets.blog]
url = "http://127.0.0.1:9/blog"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A shop that was down for five minutes, and whose domain ends soon; a blog that is down."""
    loaded = load(tmp_path, TARGETS)
    for status, ago in ((ERROR, "900s"), (None, "600s"), (None, "300s")):
        see(loaded, "shop", *([status] if status else []), ago=ago)
    see(loaded, "blog", UNREACHABLE, ago="120s", ms=None)
    db = store.open_(tmp_path / "data" / "pom.db")
    db.execute("INSERT INTO series (target, kind, subject) VALUES ('shop', 'whois', '')")
    db.execute(
        "INSERT INTO states (series, status, since, checked_at, summary, known, known_since, detail, verdicts,"
        " answered, drifting) SELECT id, 0, 0, 0, '', 0, 0, '{\"days_left\": 12}', '{}', 1, 0"
        " FROM series WHERE kind = 'whois'"
    )
    assert any(key.kind == "whois" for key in results.load(db))
    db.close()
    return loaded.path


def test_it_tells_how_the_week_went(pom: Pom, path: Path) -> None:
    ran = pom("--config", path, "report")
    told = ran.out.splitlines()
    assert (ran.code, told[2]) == (0, "Uptime:")
    assert re.fullmatch(r"  The shop: up [\d.]+ % \(<1 % known\), 1 incident, now operational", told[3])
    assert re.fullmatch(r"  blog: up 0 % \(<1 % known\), 1 incident, now unreachable", told[4])
    assert told[6] == "Incidents: 2; mean time to recover: health 5 min"
    assert re.fullmatch(r"  blog health: unreachable for 2 min( \d+ s)?, since .*, ongoing: it is unreachable", told[7])
    assert told[8].startswith("  shop health: error for 5 min, ")
    assert told[10:] == [
        "Expires within 45 days:", "  shop: domain in 12 days", "", "Mail: 0 delivered, nothing undelivered"
    ]  # fmt: skip


def test_json_has_the_same_facts(pom: Pom, path: Path) -> None:
    found = json.loads(pom("--config", path, "report", "--json").out)
    assert [(one["name"], one["status"], one["incidents"]) for one in found["targets"]] == [
        ("shop", "operational", 1), ("blog", "unreachable", 1)
    ]  # fmt: skip
    assert found["mean_time_to_recover_s"] == {"health": 300}
    assert found["expiring"] == [{"target": "shop", "kind": "whois", "subject": "", "days_left": 12}]
    assert found["mail"] == {"delivered": 0, "given_up": 0, "slowest_s": None, "undelivered": 0}
    until = moment(found["until"])
    assert until is not None
    assert lines(found, until)[2] == "Uptime:"


def test_before_the_first_check_there_is_nothing_to_tell(pom: Pom, tmp_path: Path) -> None:
    told = pom("--config", load(tmp_path, TARGETS).path, "report", "--since", "30d").out.splitlines()
    assert told[3] == "  The shop: not measured, no incidents, now unknown"
    assert told[6:] == [
        "Incidents: none",
        "",
        "Expires within 45 days: nothing",
        "",
        "Mail: 0 delivered, nothing undelivered",
    ]


def test_by_mail_it_goes_the_way_of_alerts(pom: Pom, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PostmarkServer(token="right-token") as postmark:
        monkeypatch.setenv("POM_POSTMARK_TOKEN", "right-token")
        alerts = f'[alerts]\nto = ["ops@example.com"]\npostmark = {{ url = "{postmark.url}" }}\n'
        path.write_text(path.read_text() + alerts)
        ran = pom("--config", path, "report", "--mail")
        assert (ran.code, postmark.subjects) == (0, ["[PoM hetzner] report: 2 incidents in 7 d"])
        assert pom("--config", path, "report").out.splitlines()[-1].startswith("Mail: 1 delivered, the slowest after ")


def test_a_mail_that_is_refused_is_a_failure(pom: Pom, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PostmarkServer(token="right-token") as postmark:
        monkeypatch.setenv("POM_POSTMARK_TOKEN", "wrong-token")
        alerts = f'[alerts]\nto = ["ops@example.com"]\npostmark = {{ url = "{postmark.url}" }}\n'
        path.write_text(path.read_text() + alerts)
        ran = pom("--config", path, "report", "--mail")
        assert (ran.code, postmark.subjects) == (3, [])
        assert ran.complaints
