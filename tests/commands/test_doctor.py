"""pom doctor: each fault is named with its fix, nothing is sent, and what cannot be tried is said to be skipped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Pom, Ran
from peer_words import refuses, signing_with
from postmark_server import PostmarkServer
from smtp_server import SmtpServer
from web_server import WebServer, answer
from web_server import json as json_answer

from pom_cli import doctor
from pom_cli.doctor import files, units
from pom_cli.doctor.units import SERVICE, TIMERS
from pom_cli.toml import paths


@pytest.fixture
def good(tmp_path: Path, web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("POM_POSTMARK_TOKEN", "token")
    monkeypatch.setenv("POM_API_TOKEN", "secret")
    return f"""
[instance]
name = "hetzner"
data_dir = "{tmp_path / "data"}"
[serve]
listen = "127.0.0.1:1"
[alerts]
to = ["ops@example.com"]
postmark = {{ url = "{postmark.url}" }}
[offline]
witnesses = []
[targets.shop]
url = "{web.url()}"
health = {{ attempts = 1 }}
"""


def told(ran: Ran, name: str) -> list[str]:
    """The lines of one examination."""
    return [line for line in ran.out.splitlines() if line.split(": ")[1] == name]


def test_a_sound_installation_is_0_and_no_mail_is_sent(pom: Pom, good: str, postmark: PostmarkServer) -> None:
    assert pom("check", config=good).code == 0
    ran = pom("doctor", config=good)
    assert ran.code == 0, ran.out
    assert "ok: credentials: postmark: login works" in ran.out
    assert "integrity check passed" in told(ran, "database")[0]
    assert told(ran, "checks") == ["ok: checks: all on time: health"]
    assert told(ran, "timers")[0].startswith("skipped: timers: ")
    assert told(ran, "peers")[0].startswith("skipped: peers: ")
    assert {line.split(": ")[0] for line in ran.out.splitlines()} <= {"ok", "skipped", "warning"}
    assert postmark.accepted == []


def test_every_examination_speaks(pom: Pom, good: str) -> None:
    ran = pom("doctor", config=good)
    assert {line.split(": ")[1] for line in ran.out.splitlines()} == set(doctor.EXAMINATIONS)


def test_every_fault_has_a_fix_and_the_exit_code_is_1(pom: Pom, good: str) -> None:
    ran = pom("doctor", config=good)  # nothing has run yet
    assert ran.code == 1
    faults = [line for line in ran.out.splitlines() if line.startswith("fault: ")]
    assert faults
    assert all(line.rpartition("; fix: ")[2] for line in faults)
    assert told(ran, "database")[0].endswith("nothing has run yet; fix: pom check")


def test_with_json(pom: Pom, good: str) -> None:
    pom("check", config=good)
    report = json.loads(pom("doctor", "--json", config=good).out)
    assert report["ok"] is True
    assert all(set(check) == {"name", "status", "summary", "fix"} for check in report["checks"])


def test_each_mistake_of_the_config_is_a_fault(pom: Pom, good: str) -> None:
    ran = pom("doctor", config=good + 'intervall = "5m"\n[peers.astra]\n')
    assert ran.code == 1
    assert len([line for line in told(ran, "config") if line.startswith("fault: ")]) == 2
    assert "did you mean 'interval'?" in ran.out
    assert "config check" in told(ran, "config")[0]


def test_with_a_broken_config_the_rest_is_examined_by_the_copy_that_stands_in(
    pom: Pom, good: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "data"))
    pom("check", "--due", config=good)
    ran = pom("doctor", config="broken")
    assert ran.code == 1
    assert "last config that loaded" in ran.out
    assert "integrity check passed" in told(ran, "database")[0]


def test_warnings_are_shown_and_are_no_fault(pom: Pom, good: str) -> None:
    short = f'{good}interval = "1m"\n'
    pom("check", config=short)
    ran = pom("doctor", config=short)
    assert (ran.code, "warning: config: targets.shop.interval" in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("token", "why"), [("wrong-token", "Postmark error 10"), ("no token", "POM_POSTMARK_TOKEN is not a token")]
)
def test_a_postmark_token_that_is_refused_is_a_fault(
    pom: Pom, good: str, monkeypatch: pytest.MonkeyPatch, token: str, why: str
) -> None:
    monkeypatch.setenv("POM_POSTMARK_TOKEN", token)
    ran = pom("doctor", config=good)
    [line] = told(ran, "credentials")
    assert line.startswith(f"fault: credentials: postmark: {why}")
    assert "pom alerts test" in line
    assert token not in ran.out


@pytest.mark.parametrize(("password", "status"), [("right", "ok"), ("wrong", "fault")])
def test_a_mail_server_is_tried_up_to_the_login(
    pom: Pom, good: str, monkeypatch: pytest.MonkeyPatch, password: str, status: str
) -> None:
    monkeypatch.setenv("POM_SMTP_PASSWORD", password)
    with SmtpServer(login=("pom", "right")) as server:
        smtp = f'smtp = {{ host = "127.0.0.1", port = {server.port}, username = "pom" }}\nchannels = ["smtp"]\n'
        ran = pom("doctor", config=good.replace("[offline]", f"{smtp}[offline]"))
    assert told(ran, "credentials")[0].startswith(f"{status}: credentials: smtp: ")
    assert (server.received, "MAIL" in " ".join(server.commands)) == ([], False)


def test_a_mail_server_that_is_not_there_is_a_fault(pom: Pom, good: str) -> None:
    smtp = 'smtp = { host = "127.0.0.1", port = 1 }\nchannels = ["smtp"]\n'
    ran = pom("doctor", config=good.replace("[offline]", f"{smtp}[offline]"))
    assert told(ran, "credentials")[0].startswith("fault: credentials: smtp: 127.0.0.1: ")


def test_what_only_a_message_can_tell_is_skipped(pom: Pom, good: str) -> None:
    channels = 'webhook = { url = "http://127.0.0.1:1/" }\nchannels = ["webhook", "console"]\n'
    lines = told(pom("doctor", config=good.replace("[offline]", f"{channels}[offline]")), "credentials")
    assert [line.partition(": only")[0] for line in lines] == [
        "skipped: credentials: webhook",
        "skipped: credentials: console",
    ]


def test_nobody_to_tell_is_a_fault(pom: Pom, good: str) -> None:
    ran = pom("doctor", config=good.replace("[offline]", "channels = []\n[offline]"))
    assert told(ran, "credentials")[0].startswith("fault: ")


def peer(web: WebServer, **changed: Any) -> None:
    from datetime import UTC, datetime

    said = {"name": "astra", "id": None, "version": "0.1.0", "time": datetime.now(UTC).isoformat()} | changed
    web.sign = signing_with("secret")
    web.on("/api/peer", json_answer(json.dumps(said).encode()))


def test_peers_are_asked_and_their_clock_compared(pom: Pom, good: str, web: WebServer) -> None:
    config = f'{good}[peers.astra]\nurl = "{web.url().rstrip("/")}"\n[peers.gone]\nurl = "http://127.0.0.1:1"\n'
    peer(web)
    lines = told(pom("doctor", config=config), "peers")
    assert [line.split(" ")[0:3] for line in lines] == [["ok:", "peers:", "astra"], ["fault:", "peers:", "gone"]]
    assert "PoM 0.1.0, its clock within" in lines[0]
    assert lines[1].endswith("pom runbook peer-missing gone")
    peer(web, time="2020-01-01T00:00:00+00:00")
    assert told(pom("doctor", config=config), "peers")[0].startswith("fault: peers: astra: its clock differs")
    web.on("/api/peer", refuses())
    assert "; fix: POM_API_TOKEN must be the same on both hosts" in told(pom("doctor", config=config), "peers")[0]


def test_a_witness_that_does_not_answer_is_warned_of(pom: Pom, good: str, web: WebServer) -> None:
    assert told(pom("doctor", config=good), "witnesses")[0].startswith("skipped: witnesses: none configured")
    for place, line in (
        (f"127.0.0.1:{web.port}", f"ok: witnesses: 127.0.0.1:{web.port} answers"),
        ("127.0.0.1:1", "warning: witnesses: none of 127.0.0.1:1 answers: a total outage would look like our own"),
    ):
        config = good.replace("witnesses = []", f'witnesses = ["{place}"]')
        assert told(pom("doctor", config=config), "witnesses")[0].startswith(line)


def test_the_own_api_is_asked(pom: Pom, good: str, web: WebServer) -> None:
    own = good.replace('"127.0.0.1:1"', f'"127.0.0.1:{web.port}"')
    web.on("/api/health", json_answer(b"{}"))
    assert told(pom("doctor", config=own), "api")[1].startswith("ok: api: http://127.0.0.1:")
    web.on("/api/health", answer(503))
    assert told(pom("doctor", config=own), "api")[1].startswith("fault: api: ")


def test_a_damaged_database_is_a_fault_and_is_left_as_it_is(pom: Pom, good: str, tmp_path: Path) -> None:
    pom("check", config=good)
    path = tmp_path / "data" / "pom.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    before = path.read_bytes()
    ran = pom("doctor", config=good)
    assert ran.code == 1
    assert told(ran, "database")[0].startswith("fault: ")
    assert path.read_bytes() == before
    path.write_bytes(b"this is no database" * 100)
    assert "restore a backup" in told(pom("doctor", config=good), "database")[0]


def test_a_database_that_was_set_aside_is_a_fault(pom: Pom, good: str, tmp_path: Path) -> None:
    pom("check", config=good)
    (tmp_path / "data" / "pom.db.damaged-20261124T060000.000000Z").touch()
    lines = told(pom("doctor", config=good), "database")
    assert [line.split(": ")[0] for line in lines] == ["ok", "fault"]


def test_checks_that_do_not_run_are_a_fault(pom: Pom, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from pom_cli import session

    pom("check", config=good)
    now = session.now() + timedelta(hours=1)
    monkeypatch.setattr(session, "now", lambda: now)
    ran = pom("doctor", config=good)
    assert "overdue: health of shop last ran" in told(ran, "checks")[0]
    assert ran.code == 1


def test_an_env_file_that_everybody_may_read_is_a_fault(
    pom: Pom, good: str, config_file: Callable[[str], Path]
) -> None:
    env = config_file(good).with_name("env")
    env.write_text("POM_API_TOKEN=from-the-file\n")
    env.chmod(0o644)
    line = next(line for line in told(pom("doctor", config=good), "files") if "/env" in line)
    assert line.startswith("fault: ")
    assert line.endswith(f"chmod 640 {env}")
    env.chmod(0o640)
    line = next(line for line in told(pom("doctor", config=good), "files") if "/env" in line)
    assert line.startswith("ok: ")


@pytest.mark.parametrize("name", ["conf/pom.toml", "conf", "conf/env", "data"])
def test_what_everybody_may_write_is_a_fault(
    pom: Pom, good: str, config_file: Callable[[str], Path], name: str
) -> None:
    path = config_file(good).parents[1] / name
    pom("doctor", config=good)
    path.mkdir(exist_ok=True) if name == "data" else path.touch()
    mode = path.stat().st_mode & 0o777
    assert not any("everybody may write" in line for line in told(pom("doctor", config=good), "files"))
    path.chmod(mode | 0o002)
    lines = told(pom("doctor", config=good), "files")
    path.chmod(mode)
    assert any(line.startswith(f"fault: files: {path}: everybody may write it") for line in lines)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_env_file_of_another_user_is_a_fault(pom: Pom, good: str, config_file: Callable[[str], Path]) -> None:
    env = config_file(good).with_name("env")
    env.write_text("")
    os.chown(env, 12345, 12345)
    line = next(line for line in told(pom("doctor", config=good), "files") if "belongs to user 12345" in line)
    assert line.startswith(f"fault: files: {env}: ")


def test_a_full_disk_is_a_fault(pom: Pom, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LEAST_BYTES", 1 << 62)
    pom("check", config=good)
    assert told(pom("doctor", config=good), "disk")[0].startswith("fault: ")


def test_a_bug_in_one_examination_is_3_and_keeps_no_other_from_being_made(
    pom: Pom, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(files, "disk", broken)
    pom("check", config=good)
    ran = pom("doctor", config=good)
    assert ran.code == 3
    assert ran.complaints == ["pom: the examination of disk failed: RuntimeError: a bug"]
    assert told(ran, "database")


def test_an_installed_config_is_known_by_its_place(
    pom: Pom, good: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "USER", "no-such-user")
    monkeypatch.delenv("POM_API_TOKEN")
    paths.ETC.parent.mkdir(parents=True)
    paths.ETC.write_text(good)
    ran = pom("doctor")
    assert told(ran, "files")[0].startswith("fault: files: there is no user no-such-user")
    assert "POM_API_TOKEN is not set" in told(ran, "api")[0]
    assert told(ran, "api")[1].endswith("systemctl status pom")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_user_pom_could_not_write_is_named_with_the_fix(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "pom.db").touch(0o644)
    os.chown(data, 12345, 12345)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)  # the folder's owner can reach it
    user = files.Account("pom", 12345, frozenset({12345}))
    [point] = files._data_modes(data, user)
    assert (point.status, point.fix) == ("fault", f"chown -R pom:pom {data}")
    assert "cannot write pom.db" in point.told
    os.chown(data / "pom.db", 12345, 12345)
    assert files._data_modes(data, user)[0].status == "ok"


@pytest.mark.parametrize(
    ("mode", "owner", "group", "bits", "allowed"),
    [
        (0o640, 7, 9, 4, True),  # its own
        (0o640, 1, 9, 4, True),  # its group's
        (0o640, 1, 9, 2, False),
        (0o640, 1, 2, 4, False),
        (0o644, 1, 2, 4, True),  # everybody's
        (0o044, 7, 2, 4, False),  # the owner's bits alone count for the owner
        (0o750, 1, 9, 5, True),
        (0o750, 1, 9, 7, False),
    ],
)
def test_what_a_mode_allows(mode: int, owner: int, group: int, bits: int, allowed: bool) -> None:
    status = os.stat_result((mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert files.may(status, files.Account("pom", 7, frozenset({9})), bits) is allowed


def sound_units() -> dict[str, dict[str, str]]:
    unit = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "Result": "success"}
    services = {
        name.replace(".timer", ".service"): {**unit, "ActiveState": "inactive", "UnitFileState": "static"}
        for name in TIMERS
    }
    return {name: dict(unit) for name in (SERVICE, *TIMERS)} | services


def test_units_that_are_all_well_are_one_line() -> None:
    [point] = units.judged(sound_units())
    assert point.status == "ok"


@pytest.mark.parametrize(
    ("unit", "changed", "told", "fix"),
    [
        ("pom-check-hourly.timer", {"ActiveState": "inactive"}, "inactive", "systemctl start pom-check-hourly.timer"),
        ("pom.service", {"ActiveState": "failed"}, "failed", "systemctl start pom"),
        ("pom.service", {"UnitFileState": "disabled"}, "reboot", "systemctl enable pom"),
        ("pom-prune.timer", {"LoadState": "not-found"}, "not installed", "./deploy.sh HOST"),
        (
            "pom-check-hourly.service",
            {"ActiveState": "failed", "Result": "exit-code"},
            "failed (exit-code)",
            "journalctl -u pom-check-hourly.service",
        ),
        ("pom-heartbeat.service", {"NeedDaemonReload": "yes"}, "changed", "systemctl daemon-reload"),
    ],
)
def test_each_fault_of_a_unit_has_its_fix(unit: str, changed: dict[str, str], told: str, fix: str) -> None:
    found = sound_units()
    found[unit] |= changed
    [point] = units.judged(found)
    assert point.status == "fault"
    assert told in point.told
    assert fix in point.fix
