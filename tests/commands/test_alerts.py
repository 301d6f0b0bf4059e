"""pom alerts test, as the one who has just written a config types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pom_cli import cli


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
    warning = "pom: warning: alerts.to: nobody there is told of anything: POM_POSTMARK_TOKEN is neither in the environ"
    assert (warning in told.err) is warned
