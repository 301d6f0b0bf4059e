"""pom serve as systemd runs it: a process with a socket, signals and a journal."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Pom

TOKEN = "right-token"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def configured(folder: Path, port: int, more: str = "") -> Path:
    path = folder / "pom.toml"
    path.write_text(
        f'[instance]\nname = "hetzner"\ndata_dir = "{folder / "data"}"\n[serve]\nlisten = "127.0.0.1:{port}"\n{more}'
        f'[offline]\nwitnesses = []\n[targets.shop]\nurl = "http://127.0.0.1:{port}/api/health"\n'
        "health = { attempts = 1, expect_status = [200, 503] }\n"
    )
    return path


@contextmanager
def serving(path: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "POM_API_TOKEN": TOKEN, **(env or {})}
    command = [sys.executable, "-m", "pom_cli", "--config", str(path), "serve"]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def ask(port: int, path: str, token: str = TOKEN) -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_serves_and_ends_with_0_when_told_to(tmp_path: Path, number: int) -> None:
    port = free_port()
    with serving(configured(tmp_path, port)) as process:
        assert first_line(process) == f"pom: hetzner listens on http://127.0.0.1:{port}\n"
        status, found = ask(port, "/api/health")
        assert (status, found["overdue"]) == (503, ["health"])
        assert found["instance"]["id"] == (tmp_path / "data" / "instance_id").read_text().strip()
        assert ask(port, "/api/status", "wrong")[0] == 401
        with socket.create_connection(("127.0.0.1", port)):  # somebody who says nothing keeps nothing up
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")


def test_it_logs_each_run_that_ends(tmp_path: Path, pom: Pom) -> None:
    port = free_port()
    path = configured(tmp_path, port)
    with serving(path) as process:
        assert first_line(process).startswith("pom: hetzner listens on ")
        assert pom("--config", path, "check").code == 0
        assert first_line(process).startswith("run: check health: all 1 operational, ")
        assert ask(port, "/api/status")[1]["status"] == "operational"
        assert pom("--config", path, "prune").code == 0
        assert first_line(process).startswith("run: prune: ")


def test_systemd_hears_of_it(tmp_path: Path) -> None:
    port = free_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(30)
        listener.bind(str(tmp_path / "notify"))
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        with serving(configured(tmp_path, port), env) as process:
            heard = [listener.recv(1000).decode() for _ in range(4)]
            assert f"READY=1\nSTATUS=listens on http://127.0.0.1:{port}" in heard
            assert heard.count("WATCHDOG=1") == 3  # one before, then one every so often
            process.send_signal(signal.SIGTERM)
            while (word := listener.recv(1000)) == b"WATCHDOG=1":
                pass
            assert word == b"STOPPING=1"
            process.wait(30)


def test_without_a_token_it_serves_health_alone_and_says_so(tmp_path: Path) -> None:
    port = free_port()
    with serving(configured(tmp_path, port), {"POM_API_TOKEN": ""}) as process:
        first_line(process)
        assert ask(port, "/api/health")[0] == 503
        assert ask(port, "/api/status")[0] == 401
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert err == "pom: POM_API_TOKEN is not set: everything but /api/health answers 401\n"


def test_an_address_that_another_process_holds_ends_with_3_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with serving(configured(tmp_path, port)) as process:
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (3, "")
    assert err == f"pom: serve.listen: 127.0.0.1:{port}: another process listens there already\n"


def test_an_address_that_is_not_there_yet_is_waited_for_until_it_is_told_to_stop(tmp_path: Path) -> None:
    path = configured(tmp_path, 9100)
    path.write_text(path.read_text().replace("127.0.0.1:9100", "192.0.2.77:9100", 1))
    with serving(path) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == (
            "pom: serve.listen: 192.0.2.77:9100: this machine does not have that address; trying until it is there\n"
        )
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[serve]\nlisten = 1\n", "pom: serve.listen: 1 is not an address like"), ("[serve", "not TOML")],
)
def test_a_broken_config_ends_with_2(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "pom.toml").write_text(text)
    with serving(tmp_path / "pom.toml") as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert complaint in err


def test_who_goes_away_does_not_matter(tmp_path: Path, pom: Pom) -> None:
    """Neither clients in the middle of it nor the reader of its lines."""
    port = free_port()
    path = configured(tmp_path, port)
    with serving(path) as process:
        first_line(process)
        assert process.stdout is not None
        process.stdout.close()
        assert pom("--config", path, "prune").code == 0
        for sent in (b"", b"GET /api/st", b"GET /api/health HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(sent)
        assert ask(port, "/api/peer")[0] == 200
        assert process.poll() is None
