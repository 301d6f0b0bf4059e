import io
import os
import sys
from pathlib import Path

import pytest

from pom_cli.channels import console
from pom_cli.model import Mail, Outcome
from pom_cli.toml.table import Table

MAIL = Mail("0f8c-1", "console", "[PoM a] shop: operational → error", "down\n  - /login\n")


def send(*mails: Mail, stream: str = "stdout") -> list[Outcome]:
    return console.send(mails, console.Settings(stream), "pom@example.com", "", 10)


def test_subject_empty_line_and_body_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert send(MAIL) == [Outcome("0f8c-1", provider_id="console")]
    assert capsys.readouterr() == ("[PoM a] shop: operational → error\n\ndown\n  - /login\n\n", "")


def test_it_prints_to_standard_error_where_standard_output_is_for_json(capsys: pytest.CaptureFixture[str]) -> None:
    send(MAIL, stream="stderr")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("[PoM a] shop")


def test_nothing_that_a_terminal_obeys_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    send(Mail("0f8c-1", "console", "a\x1b]0;t\x07b\nc", "\x1b[2Jx\r\ny\x9b31m\u202ez\n\tw"))
    assert capsys.readouterr().out == "a ]0;t b c\n\n [2Jx\ny 31m z\n w\n\n"


def test_a_character_that_the_stream_cannot_write_loses_no_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, "ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert send(MAIL)[0].provider_id == "console"
        assert b"operational ? error" in raw.getvalue()


def test_a_full_disk_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    first, second = send(MAIL, Mail("0f8c-2", "console", "s", "b"))
    assert first == Outcome("0f8c-1", error="stdout: no space left on device")
    assert second.error and not second.permanent
    stream.detach().close()


def test_a_reader_that_is_gone_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    assert send(MAIL) == [Outcome("0f8c-1", error="stdout: broken pipe")]
    stream.detach().close()


def test_a_stream_that_was_closed_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stream = (tmp_path / "out").open("w")
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    assert send(MAIL) == [Outcome("0f8c-1", error="stdout: closed")]


def test_a_process_started_without_the_stream_does_not_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert send(MAIL) == [Outcome("0f8c-1", error="stdout is closed")]


def test_the_config_has_nothing_to_set() -> None:
    problems: list[str] = []
    assert console.parse(Table({"stream_name": "stderr"}, "alerts.console", problems)) == console.Settings("stdout")
    assert problems == ["alerts.console.stream_name: unknown key"]


def test_there_is_one_row_whoever_else_is_told() -> None:
    assert console.recipients(console.Settings(), ["a@example.com", "b@example.com"]) == ("console",)
