"""pom alerts: what is held is shown; a test says where it went, and where it did not."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Pom
from web_server import WebServer, answer

from pom_cli import cli


def test_what_is_over_and_was_not_said_to_be_is_shown(pom: Pom, web: WebServer, tmp_path: Path) -> None:
    config = (
        f'[instance]\ndata_dir = "{tmp_path / "data"}"\n[offline]\nwitnesses = []\n'
        f'[targets.shop]\nurl = "{web.url()}"\nhealth = {{ attempts = 1 }}\n'
    )
    web.on("/", answer(500))
    pom("check", config=config)
    pom("silence", "shop", "--for", "5m", config=config)
    web.on("/", answer(200))
    assert "held (silence): shop health; will be sent afterwards" in pom("check", config=config).out
    assert "held (silence): shop health: over, and not notified yet\n" in pom("alerts", config=config).out
    pom("silence", "shop", "--lift", config=config)
    pom("check", config=config)
    assert pom("alerts", config=config).out == "no open alerts, nothing undelivered\n"


def test_what_is_held_is_shown_of_what_is_named_and_by_the_run_that_judged_it(
    pom: Pom, web: WebServer, tmp_path: Path
) -> None:
    target = f'url = "{web.url()}"\nhealth = {{ attempts = 1 }}\nroutes = {{ paths = ["/login"], attempts = 1 }}\n'
    head = f'[instance]\ndata_dir = "{tmp_path / "data"}"\n[offline]\nwitnesses = []\n'
    config = f"{head}[targets.shop]\n{target}"
    web.on("/", answer(500))
    web.on("/login", answer(200))
    pom("check", config=config)
    pom("silence", "shop", "--for", "5m", config=config)
    web.on("/", answer(200))
    assert "held (silence): shop health" in pom("check", "health", config=config).out
    assert "held" not in pom("check", "routes", config=config).out, "health was not looked at"
    assert "held" not in pom("alerts", config=f"{head}[targets.blog]\n{target}").out


@pytest.mark.parametrize(("channels", "warned"), [("", True), ('channels = ["console"]\n', False)])
def test_a_test_that_was_only_printed_says_that_nobody_in_to_is_told(
    channels: str, warned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pom.toml"
    path.write_text(
        f'[instance]\ndata_dir = "{tmp_path / "data"}"\n[alerts]\nto = ["ops@example.com"]\n{channels}'
        '[targets.shop]\nurl = "http://127.0.0.1:9"\n'
    )
    assert cli.run(["--config", str(path), "alerts", "test"]) == 0
    told = capsys.readouterr()
    assert "test message" in told.out
    warning = "pom: warning: alerts.to: nobody is notified: POM_POSTMARK_TOKEN is neither in the environ"
    assert (warning in told.err) is warned
