"""A broken config stops no monitoring: a timer's run goes by the last that loaded well, says so, and ends with 2."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from certificates import authority, issue
from conftest import Pom
from postmark_server import PostmarkServer
from scene import START
from web_server import WebServer, answer

from pom_cli import config, session
from pom_cli.alerting import config_broken
from pom_cli.errors import ConfigError, UsageError
from pom_cli.net import net
from pom_cli.web.application import Application, Request
from pom_cli.web.reader import Source

Write = Callable[[str], Path]


@pytest.fixture
def good(tmp_path: Path, web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A config that loads, as an installed one: its data folder is the one that systemd names."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("POM_POSTMARK_TOKEN", "token")
    beats = itertools.count()
    monkeypatch.setattr(session, "now", lambda: START + next(beats) * timedelta(minutes=6))
    return f"""
[instance]
name = "hetzner"
[alerts]
to = ["ops@example.com"]
cooldown = "0s"
postmark = {{ url = "{postmark.url}" }}
[offline]
witnesses = []
[targets.shop]
url = "{web.url()}"
health = {{ attempts = 1 }}
"""


BROKEN = '[targets.shop]\nurl = "https://example.com"\nintervall = "5m"\n'


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (BROKEN, "targets.shop.intervall: unknown key (its value: '5m'); did you mean 'interval'?"),
        ("[targets.shop\n", "not TOML"),
        ("", "nothing to watch"),
        ("\x00", "not TOML"),
    ],
)
def test_a_timers_run_works_with_the_copy_alerts_and_ends_with_2(
    pom: Pom, good: str, postmark: PostmarkServer, broken: str, why: str
) -> None:
    assert pom("check", "--due", "health", config=good).code == 0
    ran = pom("check", "--due", "health", config=broken)
    assert ran.code == 2
    assert "shop health: operational" in ran.out, "it was looked at all the same"
    assert why in ran.err
    assert "working with the last one that loaded well" in ran.err
    assert [subject.startswith("[PoM hetzner] config broken: ") for subject in postmark.subjects] == [True]
    assert why in postmark.accepted[0]["TextBody"]
    assert "config check" in postmark.accepted[0]["TextBody"], "and what to do about it"


def test_the_mistakes_are_told_once_and_their_end_too(pom: Pom, good: str, postmark: PostmarkServer) -> None:
    pom("check", "--due", config=good)
    for _ in range(3):
        assert pom("check", "--due", config=BROKEN).code == 2
    assert pom("check", "--due", config=good).code == 0
    assert _kinds(postmark) == ["config broken", "config OK again"]


def test_a_run_with_nothing_due_tells_of_it_all_the_same(pom: Pom, good: str, postmark: PostmarkServer) -> None:
    hourly = f'{good}interval = "30d"\n'
    pom("check", "--due", config=hourly)
    assert pom("check", "--due", config=BROKEN).code == 2
    assert pom("check", "--due", config=hourly).code == 0
    assert _kinds(postmark) == ["config broken", "config OK again"]


def _kinds(postmark: PostmarkServer) -> list[str]:
    """What each mail is about, without its reason and its times."""
    return [re.sub(r"^\[PoM hetzner\] |(:| after) .*", "", subject) for subject in postmark.subjects]


def test_an_outage_meanwhile_is_told_in_the_same_message(
    pom: Pom, good: str, web: WebServer, postmark: PostmarkServer
) -> None:
    pom("check", "--due", config=good)
    web.on("/", answer(500))
    assert pom("check", "--due", config=BROKEN).code == 2
    assert len(postmark.accepted) == 1
    assert "config-broken" in postmark.accepted[0]["TextBody"]
    assert "shop health" in postmark.accepted[0]["Subject"] + postmark.accepted[0]["TextBody"]


def test_prune_works_with_the_copy_too_and_tells_of_it(pom: Pom, good: str, postmark: PostmarkServer) -> None:
    pom("check", "--due", config=good)
    ran = pom("prune", config=BROKEN)
    assert (ran.code, ran.out.startswith("deleted ")) == (2, True)
    assert len(postmark.accepted) == 1
    assert pom("prune", config=good).code == 0
    assert len(postmark.accepted) == 2


def test_a_run_by_hand_shows_the_mistakes_and_does_nothing_else(pom: Pom, good: str, postmark: PostmarkServer) -> None:
    pom("check", "--due", config=good)
    ran = pom("check", config=BROKEN)
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean 'interval'?" in ran.err
    assert postmark.accepted == []


def test_a_run_by_hand_keeps_the_config_too(pom: Pom, good: str, postmark: PostmarkServer) -> None:
    assert pom("check", config=good).code == 0
    ran = pom("check", "--due", config=BROKEN)
    assert ran.code == 2
    assert "notice: config-broken: operational → error (new)" in ran.out
    assert len(postmark.accepted) == 1


def test_what_a_run_by_hand_tries_out_beside_the_file_in_use_is_not_kept(
    pom: Pom, good: str, config_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POM_CONFIG", str(config_file(good)))
    pom("check", "--due")
    trial = tmp_path / "trial.toml"
    trial.write_text(f"# on trial\n{good}")
    pom("--config", trial, "check")
    assert (tmp_path / "data" / config_broken.COPY).read_text() == good


def test_the_timer_of_the_tests_works_with_the_copy_too(pom: Pom, good: str, postmark: PostmarkServer) -> None:
    text = good + '[targets.shop.tests]\ncommand = "true"\n'
    pom("check", "--due", "health", config=text)
    ran = pom("test", config=BROKEN)
    assert ran.code == 2
    assert "shop: exit 0" in ran.out
    assert "config broken" in _kinds(postmark)


def test_a_run_by_hand_with_another_file_does_not_end_the_alert(
    pom: Pom, good: str, config_file: Write, tmp_path: Path, postmark: PostmarkServer
) -> None:
    pom("check", "--due", config=good)
    pom("check", "--due", config=BROKEN)
    trial = tmp_path / "trial.toml"
    trial.write_text(good)
    assert pom("--config", trial, "check").code == 0
    assert len(postmark.accepted) == 1


def test_without_a_copy_the_mistakes_are_all_there_is(pom: Pom, good: str) -> None:
    ran = pom("check", "--due", config=BROKEN)
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean 'interval'?" in ran.err


def test_a_config_that_is_gone_or_closed_counts_as_broken(
    pom: Pom, good: str, config_file: Write, postmark: PostmarkServer
) -> None:
    pom("check", "--due", config=good)
    path = config_file("")
    path.unlink()
    ran = pom("--config", path, "check", "--due")
    assert ran.code == 2
    assert "no such file" in postmark.accepted[0]["TextBody"]
    path.mkdir()
    ran = pom("--config", path, "check", "--due")
    assert (ran.code, "shop health: operational" in ran.out) == (2, True)


def test_the_copy_is_written_only_where_the_text_changed_and_is_not_for_everybody(
    pom: Pom, good: str, tmp_path: Path
) -> None:
    pom("check", "--due", config=good)
    copy = tmp_path / "data" / config_broken.COPY
    first = copy.stat()
    assert copy.read_text() == good
    assert first.st_mode & 0o777 == 0o640
    pom("check", "--due", config=good)
    assert copy.stat().st_ino == first.st_ino
    pom("check", "--due", config=good + "# changed\n")
    assert copy.read_text().endswith("# changed\n")
    assert [one.name for one in copy.parent.iterdir() if "last-good" in one.name] == [config_broken.COPY]


def test_a_broken_config_never_becomes_the_copy(pom: Pom, good: str, tmp_path: Path) -> None:
    pom("check", "--due", config=good)
    pom("check", "--due", config=BROKEN)
    assert (tmp_path / "data" / config_broken.COPY).read_text() == good


def test_a_data_dir_that_only_the_config_knows_is_no_hindrance(
    pom: Pom, good: str, tmp_path: Path, postmark: PostmarkServer
) -> None:
    (tmp_path / "data").mkdir()  # by systemd
    elsewhere = good.replace("[alerts]", f'data_dir = "{tmp_path / "elsewhere"}"\n[alerts]', 1)
    pom("check", "--due", config=elsewhere)
    assert pom("check", "--due", config=BROKEN).code == 2
    assert (tmp_path / "elsewhere" / "pom.db").exists()
    assert not (tmp_path / "data" / "pom.db").exists()
    assert len(postmark.accepted) == 1


def test_a_copy_that_cannot_be_kept_stops_nothing(pom: Pom, good: str, tmp_path: Path) -> None:
    (tmp_path / "data" / config_broken.COPY).mkdir(parents=True)
    ran = pom("check", "--due", config=good)
    assert ran.code == 0
    assert "last-good.toml: cannot be kept" in ran.err


def test_with_json_standard_output_is_json_alone(pom: Pom, good: str) -> None:
    pom("check", "--due", config=good)
    ran = pom("check", "--due", "--json", config=BROKEN)
    assert ran.code == 2
    assert [notice["alert"] for notice in json.loads(ran.out)["notices"]] == ["config-broken"]


def test_secrets_and_paths_are_those_of_the_file_and_not_of_the_copy(
    good: str, config_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POM_POSTMARK_TOKEN")
    path = config_file(good)
    path.with_name("env").write_text("POM_POSTMARK_TOKEN=beside-the-config\n")
    assert config_broken.keep(config_broken.load(path, os.environ), os.environ) == ""
    path.write_text("broken")
    loaded = config_broken.load(path, os.environ)
    assert loaded.broken
    assert loaded.path == path
    assert loaded.secrets.get("POM_POSTMARK_TOKEN") == "beside-the-config"


def test_a_copy_that_does_not_load_does_not_hide_the_files_own_mistakes(
    good: str, config_file: Write, tmp_path: Path
) -> None:
    path = config_file(BROKEN)
    (tmp_path / "data").mkdir()
    for content in (b"also broken", b"\xff\xfe"):
        (tmp_path / "data" / config_broken.COPY).write_bytes(content)
        with pytest.raises(ConfigError, match="intervall"):
            config_broken.load(path, os.environ)
    path.unlink()
    with pytest.raises(UsageError, match="no such file"):
        config_broken.load(path, os.environ)


def test_only_a_timers_run_says_anything_of_its_config(good: str, config_file: Write) -> None:
    path = config_file(good)
    assert config_broken.cases(config.load(path, os.environ)) == []
    again = config_broken.cases(config_broken.load(path, os.environ))
    assert [case.condition.status.value for case in again] == ["operational"]


def test_the_api_goes_on_and_says_degraded_while_the_config_is_broken(pom: Pom, good: str, tmp_path: Path) -> None:
    pom("check", "--due", config=good)
    path = tmp_path / "conf" / "pom.toml"

    def health() -> tuple[int, str]:
        """As a `pom serve` that is started now answers."""
        loaded = config_broken.load(path, os.environ)
        application = Application(loaded, "id", Source(tmp_path / "data" / "pom.db", print), print, START.timestamp)
        found = application.answer(Request("GET", "/api/health", "192.0.2.7"))
        return found.status, json.loads(found.body)["status"]

    pom("check", "--due", config=BROKEN)
    assert health() == (200, "degraded")
    pom("check", "--due", config=good)
    assert health() == (200, "operational")


@pytest.mark.parametrize("breaking", ["[targets.shop\n", "attempts = 1\n"])
def test_the_copy_in_a_data_dir_that_only_the_config_names_is_found_by_the_broken_file(
    pom: Pom, good: str, config_file: Write, tmp_path: Path, breaking: str
) -> None:
    text = f'[instance]\ndata_dir = "{tmp_path / "elsewhere"}"\n{good.replace("[instance]", "")}'
    assert pom("check", "--due", config=text).code in (0, 1)
    broken = pom("check", "--due", config=text + breaking)
    assert broken.code == 2
    assert "config-broken" in broken.out + broken.err


def test_an_authoritys_file_that_is_gone_stops_the_checks_of_no_other_target(
    pom: Pom, good: str, tmp_path: Path
) -> None:
    ca = authority().write_public(tmp_path / "ca.pem")
    with WebServer(tls=issue(authority())) as inner:
        inner.on("/", answer(200))
        tls = f'tls = {{ ca_file = "{ca}", interval = "1m" }}'
        text = f'{good}\n[targets.inner]\nurl = "{inner.url()}"\n{tls}\n'
        assert pom("check", "--due", config=text).code == 0
        ca.unlink()
        net._tls_context.cache_clear()  # each run is a process of its own
        ran = pom("check", "--due", "tls", "health", "--json", config=text)
    assert ran.code == 2
    found = {(one["target"], one["kind"]): one["status"] for one in json.loads(ran.out)["results"]}
    assert found[("inner", "tls")] == "unknown"
    assert found[("shop", "health")] == "operational"
