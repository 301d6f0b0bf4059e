"""What the config tells the runbook about a target."""

from __future__ import annotations

from pathlib import Path

import pytest

from pom_cli import config
from pom_cli.messages import facts


def test_the_config_is_named_so_that_it_is_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    toml = '[targets.shop]\nurl = "http://127.0.0.1"\n[peers.astra]\nurl = "http://127.0.0.2:9100"\n'
    loaded = config.parse(toml, Path("pom.toml"), {"HOME": str(tmp_path)})
    for name in ("shop", ""):
        known = facts.about(loaded, name)
        assert known["config"] == str(tmp_path / "pom.toml")
        assert known["env"] == str(tmp_path / "env")
        assert known["data_dir"] == str(loaded.instance.data_dir)
    assert facts.about(loaded, "astra").keys().isdisjoint({"config", "env", "data_dir"}), "a peer has its own"
    assert facts.about(loaded, "astra")["env_here"] == str(tmp_path / "env")


def test_the_headers_of_a_preflight_are_those_that_a_browser_would_ask_for(tmp_path: Path) -> None:
    toml = """
    [targets.shop]
    url = "http://127.0.0.1"
    cors = { origin = "https://app.example.com", headers = ["X-Trace", "accept", "authorization"] }
    [targets.blog]
    url = "http://127.0.0.1"
    cors = { origin = "https://app.example.com" }
    """
    loaded = config.parse(toml, tmp_path / "pom.toml", {"HOME": str(tmp_path)})
    assert facts.about(loaded, "shop")["headers"] == "authorization,x-trace"
    assert "headers" not in facts.about(loaded, "blog")


def test_the_name_to_try_is_that_of_a_target_which_has_one(tmp_path: Path) -> None:
    address = '[targets.a]\nurl = "http://192.0.2.7"\n[targets.b]\nurl = "http://[2001:db8::7]"\n'
    for more, host in (("", None), ('[targets.c]\nurl = "http://example.com"\n', "example.com")):
        loaded = config.parse(address + more, tmp_path / "pom.toml", {"HOME": str(tmp_path)})
        assert facts.about(loaded, "").get("host") == host


def test_tests_that_are_run_elsewhere_are_said_to_be(tmp_path: Path) -> None:
    toml = '[targets.shop]\nurl = "http://127.0.0.1"\ntests = {}\n[targets.blog]\nurl = "http://127.0.0.1"\n'
    toml += 'tests = { command = "make test" }\n'
    loaded = config.parse(toml, tmp_path / "pom.toml", {"HOME": str(tmp_path)})
    assert facts.about(loaded, "shop")["tests_elsewhere"] == "yes"
    assert "tests_elsewhere" not in facts.about(loaded, "blog")


def test_who_is_asked_where_a_peer_runs_the_tests_is_called_by_the_peers_name(tmp_path: Path) -> None:
    toml = """
    [instance]
    name = "hetzner"
    [targets.shop]
    url = "http://127.0.0.1"
    label = "The Shop"
    tests = { ssh = "max@192.0.2.7", command = "make test" }
    [peers.astra]
    url = "http://192.0.2.7:9100"
    ssh = "max@192.0.2.7"
    """
    loaded = config.parse(toml, tmp_path / "pom.toml", {"HOME": str(tmp_path)})
    known = facts.about(loaded, "shop")
    assert (known["test_host"], known["label"], known["instances"]) == ("astra", "The Shop", "astra or hetzner")
