"""What systemd is told, over real datagram sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import uuid4

import pytest

from pom_cli.web.service import notify, watchdog_s


@pytest.mark.parametrize("abstract", [False, True])
def test_a_message_arrives(tmp_path: Path, abstract: bool) -> None:
    name = f"pom-test-{uuid4().hex}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}" if abstract else name)
        assert notify("READY=1", "STATUS=listens", environ={"NOTIFY_SOCKET": f"@{name}" if abstract else name})
        assert listener.recv(1000) == b"READY=1\nSTATUS=listens"


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234", "/nonexistent/notify", "@nobody-listens-here"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": address})
    assert not notify("READY=1", environ={})


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),  # meant for another process
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_how_often_it_wants_to_hear(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_s(environ) == seconds
