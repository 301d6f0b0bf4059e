"""pom silence and pom runbook, as an operator types them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from pwd import getpwuid

import pytest
from conftest import Pom

from pom_cli import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    path = tmp_path / "pom.toml"
    path.write_text(
        f'[instance]\ndata_dir = "{tmp_path / "data"}"\n'
        '[targets.makenotwork]\nurl = "https://makenot.work"\nhealth = { path = "/api/health" }\n'
        'ops = { ssh = "root@192.0.2.10", unit = "makenotwork", database = "makenotwork" }\n'
        '[targets.makenotwork.runbook]\nroute = ["Call Ada."]\nhealth = { add = ["Then call Ada."] }\n'
        '[peers.astra]\nurl = "http://192.0.2.7:9100"\nssh = "max@192.0.2.7"\n'
    )

    def run_(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["--config", str(path), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_


def test_a_silence_is_set_listed_and_lifted(run: Run) -> None:
    code, out, _ = run("silence", "makenotwork", "--for", "30m", "--reason", "database upgrade")
    assert code == 0
    assert out.startswith("makenotwork silenced until ")
    assert "database upgrade" in out
    run("silence", "makenotwork", "--for", "1h", "--kind", "tls")
    listed = json.loads(run("silence", "--list", "--json")[1])["silences"]
    assert [(one["target"], one["kind"], one["reason"]) for one in listed] == [
        ("makenotwork", "", "database upgrade"),
        ("makenotwork", "tls", ""),
    ]
    assert run("silence", "makenotwork", "--lift")[1].count("lifted: ") == 2
    assert run("silence", "--list")[1] == "no active silences\n"


def test_a_window_of_the_config_is_listed_while_it_is_open_and_cannot_be_lifted(pom: Pom, tmp_path: Path) -> None:
    config = (
        f'[instance]\ndata_dir = "{tmp_path / "data"}"\n[targets.shop]\nurl = "http://127.0.0.1:9"\n'
        '[[silences]]\ntarget = "*"\nkind = "tls"\nfrom = "00:00"\nto = "00:00"\nzone = "UTC"\n'
        '[[silences]]\ntarget = "shop"\ndays = ["mon"]\nfrom = "00:00"\nto = "00:00"\nzone = "UTC"\n'
    )
    (one, *rest) = json.loads(pom("silence", "--list", "--json", config=config).out)["silences"]
    assert {(each["target"], each["kind"]) for each in rest} <= {("shop", "")}  # there on Mondays
    assert (one["target"], one["kind"], one["reason"]) == ("*", "tls", "[[silences]] of the config")
    assert one["since"].endswith("T00:00:00Z")
    assert one["until"].endswith("T00:00:00Z")
    assert json.loads(pom("silence", "shop", "--list", "--json", config=config).out)["silences"] == [one, *rest]
    assert pom("silence", "--lift", config=config).out == "no silence to lift\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["makenotwork", "--for", "soon"], "--for: 'soon' is not a duration like \"30m\""),
        (["makenotwork", "--for", "900d"], "--for: '900d' is not between 1s and 90d"),
        (["makenotwerk", "--for", "5m"], "'makenotwerk' is neither a target nor a peer; did you mean 'makenotwork'?"),
        (["makenotwork", "--for", "5m", "--kind", "tsl"], "--kind: 'tsl' is not a kind of check; did you mean 'tls'?"),
        (["makenotwork"], "name a TARGET and --for DURATION, or use --list or --lift"),
        (["makenotwork", "--for", "5m", "--list"], "--for, --list and --lift do not go together"),
        (["makenotwork", "--for", "5m", "--lift"], "--for, --list and --lift do not go together"),
        (["--list", "--lift"], "--for, --list and --lift do not go together"),
    ],
)
def test_wrong_use_is_one_clear_line(run: Run, arguments: list[str], complaint: str) -> None:
    code, out, err = run("silence", *arguments)
    assert (code, out) == (2, "")
    assert complaint in err


def test_the_runbook_is_filled_in_for_a_target(run: Run) -> None:
    code, out, _ = run("runbook", "health", "makenotwork")
    assert code == 0
    assert "curl -v https://makenot.work/api/health" in out
    assert "ssh root@192.0.2.10 systemctl restart makenotwork" in out
    assert out.rstrip().endswith("Then call Ada."), "the operator's own step follows"


def test_the_operators_own_steps_stand_instead_of_the_usual_ones(run: Run) -> None:
    assert json.loads(run("runbook", "route", "makenotwork", "--json")[1])["steps"] == ["Call Ada."]


def test_the_runbook_for_a_peer_names_that_peers_own_commands(run: Run) -> None:
    out = run("runbook", "peer-missing", "astra")[1]
    assert "ssh max@192.0.2.7" in out
    assert "tailscale ping 192.0.2.7" in out


@pytest.mark.parametrize("target", [[], ["makenotwork"], ["astra"]])
def test_no_section_has_a_hole(run: Run, target: list[str]) -> None:
    from pom_cli.messages.runbook import ALERTS

    for alert in ALERTS:
        code, out, _ = run("runbook", alert, *target)
        assert code == 0
        assert not any(hole in out for hole in ("{", "}", "None", "<", ">  "))


def test_an_unknown_alert_names_the_nearest(run: Run) -> None:
    code, _, err = run("runbook", "helth")
    assert code == 2
    assert "did you mean 'health'?" in err


class TestSeen:
    """A silence that runs is seen wherever somebody looks."""

    @pytest.mark.parametrize("sudo", ["", "max"])
    def test_by_whom_and_where(self, run: Run, monkeypatch: pytest.MonkeyPatch, sudo: str) -> None:
        monkeypatch.setenv("SUDO_USER", sudo)
        who = sudo or getpwuid(os.getuid()).pw_name
        run("silence", "makenotwork", "--for", "30m", "--reason", "database upgrade")
        code, out, _ = run("status")
        assert code == 1
        assert re.search(rf"silenced: makenotwork until .*, by {who} on \S+: database upgrade$", out.splitlines()[0])
        assert "makenotwork: unknown, silenced until " in out
        (one,) = json.loads(run("status", "--json")[1])["silences"]
        assert (one["target"], one["by"], one["reason"]) == ("makenotwork", who, "database upgrade")
        assert json.loads(run("alerts", "--json")[1])["silences"] == [one]
        assert run("alerts")[1].startswith("makenotwork silenced until ")

    def test_everything_can_be_silenced_and_is_lifted_by_its_own_name_alone(self, run: Run) -> None:
        assert run("silence", "*", "--for", "30m")[0] == 0
        assert "silenced: everything until " in run("status")[1]
        assert run("silence", "makenotwork", "--lift")[1] == "no silence to lift\n"
        assert run("silence", "*", "--lift")[1].startswith("lifted: everything silenced until ")
        assert "silenced" not in run("status")[1]

    def test_one_kind_is_named(self, run: Run) -> None:
        run("silence", "makenotwork", "--for", "30m", "--kind", "tls")
        assert "silenced: makenotwork tls until" in run("status")[1]

    def test_a_window_of_the_config_is_seen_too(self, pom: Pom, tmp_path: Path) -> None:
        config = (
            f'[instance]\ndata_dir = "{tmp_path / "data"}"\n[targets.shop]\nurl = "http://127.0.0.1:9"\n'
            '[[silences]]\ntarget = "*"\nfrom = "00:00"\nto = "00:00"\nzone = "UTC"\n'
        )
        config += "[offline]\nwitnesses = []\n"
        assert "[[silences]] of the config" in pom("status", config=config).out.splitlines()[0]
        assert pom("silence", "shop", "--for", "1h", config=config).code == 0
        doctor = pom("doctor", config=config).out
        assert "shop silenced until" in doctor
