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
        assert facts.about(loaded, name)["config"] == str(tmp_path / "pom.toml")
    assert "config" not in facts.about(loaded, "astra"), "a peer has a config of its own"


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
