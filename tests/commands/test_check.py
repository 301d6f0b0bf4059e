"""pom check, as a timer or an operator types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import web_server
from web_server import WebServer, answer

from pom_cli import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, web: WebServer, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("check", ...)` on a config of two targets: exit code, standard output, standard error."""
    path = tmp_path / "pom.toml"
    path.write_text(
        f'[instance]\nname = "hetzner"\ndata_dir = "{tmp_path / "data"}"\n[offline]\nwitnesses = []\n'
        f'[targets.shop]\nurl = "{web.url()}"\nhealth = {{ attempts = 1 }}\n'
        f'[targets.blog]\nurl = "{web.url("/blog")}"\nhealth = {{ attempts = 1 }}\n'
    )
    web.on("/blog", answer(200))

    def run_(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["--config", str(path), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_


def found(output: str) -> dict[str, Any]:
    return json.loads(output)


def test_a_plain_line_a_result_and_0_where_all_is_well(run: Run) -> None:
    code, out, err = run("check")
    assert code == 0
    assert [line.split(", ")[:2] for line in out.splitlines()] == [
        ["shop health: operational", "200 OK"],
        ["blog health: operational", "200 OK"],
    ]
    assert err == ""


def test_what_cannot_be_checked_is_said(run: Run, web: WebServer) -> None:
    for words, told in (
        (["tls"], "no tls on any target"),
        (["tls", "cors", "shop", "blog"], "no tls or cors on shop, blog"),
        (["tls", web.url()], f"no tls on {web.url()}"),
    ):
        assert run("check", *words) == (0, "", f"nothing to check: {told}\n")
    code, out, err = run("check", "health", "tls", web.url())
    assert (code, out.count("\n"), err) == (0, 1, "")


def test_1_where_something_is_not_operational_and_the_console_tells_it(run: Run, web: WebServer) -> None:
    web.on("/", answer(500))
    code, out, _ = run("check", "health", "shop")
    assert code == 1
    assert "[PoM hetzner] shop error: 500 Internal Server Error" in out
    assert "shop health: error, 500 Internal Server Error" in out
    assert "notice: shop health: operational → error (new)" in out


def test_with_json_standard_output_is_json_alone_and_the_console_goes_to_standard_error(
    run: Run, web: WebServer
) -> None:
    web.on("/", answer(500))
    code, out, err = run("check", "--json")
    report = found(out)
    assert code == 1
    assert "[PoM hetzner] shop error" in err
    assert [(one["target"], one["kind"], one["subject"], one["status"]) for one in report["results"]] == [
        ("shop", "health", "", "error"),
        ("blog", "health", "", "operational"),
    ]
    assert set(report["results"][0]) == {
        "target", "kind", "subject", "status", "summary", "latency_ms", "checked_at", "detail"
    }  # fmt: skip
    assert report["results"][0]["detail"]["http_status"] == 500
    assert set(report["notices"][0]) == {
        "id", "target", "alert", "reason", "from", "to", "since", "at", "subjects", "summary"
    }  # fmt: skip
    assert report["undelivered"] == 0


@pytest.mark.parametrize(
    ("words", "targets"),
    [
        ([], ["shop", "blog"]),
        (["health"], ["shop", "blog"]),
        (["blog"], ["blog"]),
        (["blog", "health"], ["blog"]),
        (["blog", "shop", "blog"], ["blog", "shop"]),
    ],
)
def test_kinds_and_targets_in_any_order_choose_what_is_checked(run: Run, words: list[str], targets: list[str]) -> None:
    _, out, _ = run("check", *words, "--json")
    assert [one["target"] for one in found(out)["results"] if one["kind"] == "health"] == targets


def test_an_unknown_word_is_one_clear_line_with_the_nearest_right_one(run: Run) -> None:
    code, out, err = run("check", "shopp")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "pom: 'shopp' is neither a kind of check, nor a target, nor a URL; did you mean 'shop'?"
    ]


def test_a_url_is_checked_ad_hoc_without_a_config_and_nothing_is_stored(
    tmp_path: Path, web: WebServer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.iterdir())
    code = cli.run(["--config", str(tmp_path / "absent.toml"), "check", web.url()])
    assert code == 0
    assert capsys.readouterr().out.startswith(f"{web.url()} health: operational, 200 OK")
    assert sorted(tmp_path.iterdir()) == before
    web.on("/", answer(500))
    assert cli.run(["check", web.url(), "--json"]) == 1
    report = found(capsys.readouterr().out)
    assert [(one["kind"], one["status"]) for one in report["results"]] == [("health", "error")]
    assert (report["notices"], report["undelivered"]) == ([], 0)


@pytest.mark.parametrize("url", ["http://", "ftp://example.com", "https://user:password@example.com/", "http://a b/"])
def test_what_is_no_url_is_refused_without_a_traceback(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["check", url]) == 2
    error = capsys.readouterr().err
    assert "is not a URL like https://example.com" in error
    assert len(error.splitlines()) == 1
    assert "password" not in error


def test_a_kind_that_a_url_does_not_allow_is_told(run: Run, web: WebServer) -> None:
    code, out, err = run("check", "tls", "routes", web.url())
    assert (code, out) == (0, "")
    assert err == f"nothing to check: no tls or routes on {web.url()}\n"


def test_a_dry_run_stores_nothing_and_alerts_nobody(run: Run, web: WebServer, tmp_path: Path) -> None:
    web.on("/", answer(500))
    code, out, _ = run("check", "--dry-run")
    assert code == 1
    assert "[PoM" not in out
    assert not (tmp_path / "data").exists()


def test_due_skips_what_was_seen_within_its_interval_and_by_hand_nothing_is_skipped(run: Run, web: WebServer) -> None:
    assert len(found(run("check", "--due", "--json")[1])["results"]) == 2
    web.on("/", answer(500))
    code, out, _ = run("check", "--due", "--json")
    assert (code, found(out)["results"]) == (0, [])
    assert len(found(run("check", "--json")[1])["results"]) == 2


def test_due_looks_at_a_target_that_was_never_seen(run: Run) -> None:
    run("check", "shop")
    assert [one["target"] for one in found(run("check", "--due", "--json")[1])["results"]] == ["blog"]


def test_text_from_a_server_cannot_break_out_of_its_line(run: Run, web: WebServer) -> None:
    web.on("/", [web_server.head(503, reason="\x1b[31mred\x07").replace(b"Scripted", b"\x1b[2J")])
    _, out, _ = run("check", "shop")
    assert "\x1b" not in out
    assert "\x07" not in out


def test_a_database_that_cannot_be_used_is_3_and_the_check_is_still_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pom.db").mkdir()
    code, out, err = run("check")
    assert code == 3
    assert "shop health: operational" in out
    assert err.startswith("pom: ")
    assert "Traceback" not in err


def test_no_config_is_2_and_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--config", str(tmp_path / "absent.toml"), "check"]) == 2
    assert "pom init URL" in capsys.readouterr().err


def test_what_is_wrong_and_not_spoken_of_says_why(run: Run, web: WebServer) -> None:
    for status in (500, 200):
        web.on("/", answer(status))
        run("check")
    web.on("/", answer(500))
    held = "held (cooldown): shop health; will be sent afterwards if still failing"
    assert held in run("check")[1].splitlines()
    assert not [line for line in run("check", "blog")[1].splitlines() if line.startswith("held")]
