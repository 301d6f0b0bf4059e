import json
import os

import pytest

from pom_cli import config, session
from pom_cli.errors import UsageError
from pom_cli.toml.paths import ETC

TOML = "".join(f'[targets.{name}]\nurl = "https://{name}.example"\n' for name in ("shop", "blog"))


@pytest.fixture
def loaded() -> config.Config:
    return config.parse(TOML, ETC, os.environ)


@pytest.mark.parametrize(
    ("names", "found"),
    [((), ["shop", "blog"]), (("blog",), ["blog"]), (("blog", "shop", "blog"), ["blog", "shop"])],
)
def test_targets_are_picked_by_name_all_for_none(
    names: tuple[str, ...], found: list[str], loaded: config.Config
) -> None:
    assert [target.name for target in session.targets(loaded, names)] == found


def test_a_name_that_is_no_target_is_wrong_use(loaded: config.Config) -> None:
    with pytest.raises(UsageError, match=r"^'blgo' is not a target; did you mean 'blog'\?$"):
        session.targets(loaded, ["shop", "blgo"])


def test_a_complaint_is_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    session.complain(["bad\nthing\x1b[2J", "x" * 2000])
    captured = capsys.readouterr()
    first, second = captured.err.splitlines()
    assert (captured.out, first, len(second)) == ("", "pom: bad thing [2J", len("pom: ") + 1000)


def test_json_is_one_line_that_every_encoding_can_carry(capsys: pytest.CaptureFixture[str]) -> None:
    session.print_json({"summary": "é → ü"})
    out = capsys.readouterr().out
    assert out.isascii() and out.count("\n") == 1
    assert json.loads(out) == {"summary": "é → ü"}


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        session.print_json({"latency_ms": float("nan")})
    assert capsys.readouterr().out == ""


def test_a_closed_output_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert not session.on_terminal()
