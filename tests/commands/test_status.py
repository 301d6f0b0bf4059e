"""pom status, pom alerts and pom prune, as an operator types them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Pom
from postmark_server import SERVER_ERROR, PostmarkServer
from web_server import WebServer, answer

from pom_cli import cli, session

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        server.on("/", answer(200))
        server.on("/blog", answer(200))
        yield server


@pytest.fixture
def postmark() -> Iterator[PostmarkServer]:
    with PostmarkServer(token="right-token") as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, web: WebServer, postmark: PostmarkServer) -> Path:
    path = tmp_path / "pom.toml"
    path.write_text(
        f'[instance]\nname = "hetzner"\ndata_dir = "{tmp_path / "data"}"\n[offline]\nwitnesses = []\n'
        f'[alerts]\nto = ["ops@example.com"]\npostmark = {{ url = "{postmark.url}" }}\n'
        f'[targets.shop]\nurl = "{web.url()}"\nhealth = {{ attempts = 1 }}\n'
        f'[targets.blog]\nurl = "{web.url("/blog")}"\nhealth = {{ attempts = 1 }}\n'
    )
    return path


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("POM_POSTMARK_TOKEN", "right-token")

    def run_(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["--config", str(config), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_


def status(run: Run) -> dict[str, Any]:
    return json.loads(run("status", "--json")[1])


def test_before_anything_was_checked_nothing_is_known(run: Run) -> None:
    code, out, _ = run("status")
    assert code == 1
    assert "shop: unknown" in out


def test_the_first_line_says_whether_anything_is_wrong_since_when_and_who_knows(run: Run, web: WebServer) -> None:
    run("check")
    code, out, _ = run("status")
    assert (code, out.splitlines()[0]) == (0, "hetzner: all 2 operational")
    web.on("/", answer(500))
    run("check")
    code, out, _ = run("status")
    assert code == 1
    first, *others = out.splitlines()
    assert re.fullmatch(
        r"hetzner: 1 of 2 not operational: shop error since \d\d:\d\d \([+-]\d\d:\d\d\); 1 open alert, notified", first
    )
    assert others[0].startswith("shop: error since "), "the worst stands first"
    assert others[1].startswith("blog: operational since ")
    assert others[2].startswith("alert: shop health: error since ")


def test_an_open_alert_says_how_old_it_is_and_who_was_told(run: Run, web: WebServer) -> None:
    run("check")
    web.on("/", answer(500))
    run("check")
    for command in ("status", "alerts"):
        line = next(line for line in run(command)[1].splitlines() if line.startswith("alert: "))
        assert re.fullmatch(
            r"alert: shop health: error since 2026-\S+ \S+ \S+ \(\d+ s\), notified ops@example\.com at 2\S+ \S+ \S+: 500.*",  # noqa: E501
            line,
        )


def test_nobody_is_said_to_be_told_before_the_message_is_delivered(
    run: Run, web: WebServer, postmark: PostmarkServer
) -> None:
    run("check")
    web.on("/", answer(500))
    postmark.script.append(SERVER_ERROR)
    run("check")
    for command in ("status", "alerts"):
        assert "nobody notified yet (its notice is not delivered)" in run(command)[1]
    assert run("status")[1].splitlines()[0].endswith("; 1 open alert, nobody notified yet")
    assert "undelivered: 1" in run("status")[1]


def test_the_first_line_names_an_alert_that_is_about_no_target(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(config.read_text() + '[peers.astra]\nurl = "http://127.0.0.1:9"\nmisses = 1\n')
    monkeypatch.setenv("POM_API_TOKEN", "a-token")
    run("check")
    run("heartbeat")
    first = run("status")[1].splitlines()[0]
    assert re.fullmatch(
        r"hetzner: all 2 operational; 1 open alert \(astra peer-missing since 2\S+ \S+ \S+\), notified", first
    )


def test_the_first_line_names_the_worst_first(run: Run, config: Path, web: WebServer) -> None:
    more = "".join(f'[targets.t{n}]\nurl = "{web.url(f"/t{n}")}"\nhealth = {{ attempts = 1 }}\n' for n in range(3))
    config.write_text(config.read_text() + more + '[targets.gone]\nurl = "http://127.0.0.1:9"\n')
    run("check")
    first = run("status")[1].splitlines()[0]
    assert re.search(r": gone unreachable since [\d:]+; t0 error since [\d:]+; t1 error since [\d:]+; 1 more \(", first)


def test_the_first_line_says_that_what_it_tells_is_old(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("check")
    later = session.now() + timedelta(hours=3)
    monkeypatch.setattr(session, "now", lambda: later)
    code, out, _ = run("status")
    lines = out.splitlines()
    assert lines[0] == "hetzner: all 2 operational; overdue: health"
    assert lines[-1] == "overdue: health; are the timers running? See pom doctor"
    assert (code, run("status", "--json")[0]) == (1, 1), "that all was well is not that all is well"


def test_an_instance_that_watches_peers_alone_says_so(pom: Pom, tmp_path: Path) -> None:
    data = f'[instance]\nname = "hetzner"\ndata_dir = "{tmp_path / "data"}"\n'
    ran = pom("status", config=data + '[peers.astra]\nurl = "http://127.0.0.1:9"\n')
    assert (ran.code, ran.out.splitlines()[0]) == (0, "hetzner: no targets to watch")


def test_an_alert_that_is_held_says_by_what(run: Run, web: WebServer) -> None:
    run("check")
    run("silence", "shop", "--for", "1h")
    web.on("/", answer(500))
    run("check")
    out = run("status")[1]
    assert "; 1 open alert, nobody notified yet; silenced: shop until " in out.splitlines()[0]
    assert "nobody notified yet (held: silence): 500" in out


def test_json_has_the_shape_of_the_api(run: Run, web: WebServer) -> None:
    web.on("/", answer(500))
    run("check")
    found = status(run)
    assert set(found) == {
        "instance", "generated_at", "status", "offline", "targets", "alerts", "undelivered", "silences", "crashed",
            "peers",
    }  # fmt: skip
    assert (found["instance"], found["status"], found["offline"]) == ("hetzner", "error", False)
    shop = next(target for target in found["targets"] if target["name"] == "shop")
    assert {"name", "url", "status", "since", "checks", "uptime", "latency", "incident"} <= set(shop)
    assert set(shop["checks"][0]) == {
        "kind", "subject", "status", "since", "checked_at", "latency_ms", "summary", "detail"
    }  # fmt: skip
    assert set(shop["uptime"]) == {"24h", "7d", "30d"}
    assert set(shop["uptime"]["24h"]) == {"percent", "coverage", "maintenance"}
    assert set(shop["latency"]) == {"median_ms", "p95_ms", "baseline_ms", "drift"}
    assert set(shop["incident"]) == {
        "target", "alert", "started_at", "ended_at", "duration_s", "worst", "summary", "notices",
        "covered", "deployed"
    }  # fmt: skip
    assert shop["incident"]["notices"][0]["recipients"] == ["ops@example.com"]
    assert set(found["alerts"][0]) == {
        "target", "alert", "status", "since", "announced_at", "subjects", "summary", "ack"
    }  # fmt: skip


def test_some_targets_only(run: Run) -> None:
    run("check")
    assert run("status", "blog")[1].splitlines()[0] == "hetzner: blog operational"
    assert [target["name"] for target in json.loads(run("status", "blog", "--json")[1])["targets"]] == ["blog"]
    assert run("status", "blok")[0] == 2


def test_a_target_that_is_taken_out_of_the_config_disappears_at_once(run: Run, config: Path, web: WebServer) -> None:
    web.on("/", answer(500))
    run("check")
    text = config.read_text()
    config.write_text(text[: text.index("[targets.shop]")] + text[text.index("[targets.blog]") :])
    found = status(run)
    assert [target["name"] for target in found["targets"]] == ["blog"]
    assert found["alerts"] == []
    assert run("status")[0] == 0


def test_on_a_terminal_it_is_a_table_that_fits_and_has_colour(run: Run, config: Path, web: WebServer) -> None:
    web.on("/", answer(500))
    run("check")
    for columns in (200, 120, 80, 60, 40):
        text = on_a_terminal([sys.executable, "-m", "pom_cli", "--config", str(config), "status"], columns)
        assert "\x1b[" in text
        shop, blog = (line for line in plain(text) if re.match(r"(shop|blog)\b.*(operational|error)(?!, )", line))
        assert re.match(r"shop:? +error\b", shop)
        assert re.match(r"blog:? +operational\b", blog)
        assert "…" not in shop + blog, "nothing is cut off"


def test_the_table_has_the_days_sparkline_and_tests_as_soon_as_there_is_room(run: Run, config: Path) -> None:
    config.write_text(config.read_text() + "[targets.shop.tests]\n")
    run("check")
    run("test", "record", "shop", "--passed", "42", "--failed", "0")
    for columns, bars in ((200, True), (110, True), (80, False)):
        text = plain(on_a_terminal([sys.executable, "-m", "pom_cli", "--config", str(config), "status"], columns))
        head, shop = text[1], next(line for line in text if line.startswith("shop"))
        assert ("24 hours" in head, "▁" in shop) == (bars, bars)
        assert head.split()[-1] == "tests" and shop.rstrip().endswith(" 42 passed")


def test_watching_keeps_the_first_line_in_sight_and_follows_the_window(run: Run, config: Path, web: WebServer) -> None:
    web.on("/", answer(500))
    run("check")
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 4, 120, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pom_cli", "--config", str(config), "status", "--watch"],
        **{"stdin": side, "stdout": side, "stderr": side, "env": {**environ, "TERM": "xterm-256color"}},
        start_new_session=True,
    )
    try:
        low = until(main, "more lines")
        assert low.startswith("\x1b[H") and "\x1b[2J" not in low, "it is drawn over what stood there"
        shown = plain(low.replace("\x1b[H", ""))
        assert len(shown) == 3 and shown[0].startswith("hetzner: 1 of 2 not operational")
        fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        process.send_signal(signal.SIGWINCH)  # as a terminal does
        assert "alert: shop health" in until(main, "alert: shop health")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
        os.close(main)
        os.close(side)


def until(terminal: int, text: str) -> str:
    """What is written to a terminal up to the end of the first frame in which this text stands."""
    written = ""
    while not (frame := re.search(rf".*?{text}.*?\x1b\[J", written, re.DOTALL)):
        assert select.select([terminal], [], [], 120)[0], f"never came: {text}"
        written += os.read(terminal, 65536).decode(errors="replace")
    return frame[0]


def plain(text: str) -> list[str]:
    """The lines of what a terminal was sent, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).replace("\r", "").splitlines()


def on_a_terminal(command: list[str], columns: int) -> str:
    """What a command writes to a terminal so many columns wide."""
    main, side = pty.openpty()
    environ = {**os.environ, "COLUMNS": str(columns), "LINES": "50", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=environ)
    os.close(side)
    written = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    os.close(main)
    process.wait(20)
    return written.decode()


def test_what_cannot_be_delivered_is_seen_in_status_alerts_and_the_exit_code(
    run: Run, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POM_POSTMARK_TOKEN", "wrong-token")
    web.on("/", answer(500))
    code, _, err = run("check")
    assert code == 3
    assert "alerts are not delivered: postmark to ops@example.com" in err
    assert "wrong-token" not in err
    assert run("status")[0] == 3
    assert status(run)["undelivered"] == 1
    code, out, _ = run("alerts")
    assert code == 3
    assert "given up: ops@example.com by postmark" in out
    monkeypatch.setenv("POM_POSTMARK_TOKEN", "right-token")
    code, out, _ = run("alerts", "retry")
    assert code == 0
    assert "still undelivered: 0" in out
    assert run("status")[0] == 1


def test_alerts_test_sends_one_real_message_through_the_real_path(run: Run, postmark: PostmarkServer) -> None:
    code, out, _ = run("alerts", "test")
    assert code == 0
    assert out.startswith("delivered ")
    assert postmark.subjects == ["[PoM hetzner] test message"]
    assert json.loads(run("alerts", "--json")[1]) == {"alerts": [], "silences": [], "outbox": []}


def test_alerts_test_says_where_it_cannot_arrive(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POM_POSTMARK_TOKEN", "wrong-token")
    code, out, _ = run("alerts", "test")
    assert code == 3
    assert out.startswith("given up: ops@example.com by postmark")


def test_prune_says_rows_and_bytes(run: Run) -> None:
    run("check")
    code, out, _ = run("prune")
    assert code == 0
    assert out.startswith("deleted 0 rows, freed 0 bytes in ")
    assert json.loads(run("prune", "--json")[1]) == {"rows": 0, "bytes": 0}
