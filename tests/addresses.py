"""Addresses on loopback that answer nothing, and names that resolve to what a test wants."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def dead_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that never answers: its queue of connections is full, so that the kernel drops what comes."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.bind((host, 0))
        listener.listen(0)
        place = listener.getsockname()
        with socket.create_connection(place[:2], 5):
            yield place[1]


def names(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], list[tuple[int, tuple[Any, ...]]]]) -> None:
    """Let every name, but no IP address, resolve to this."""
    real = socket.getaddrinfo

    def fake(host: bytes, port: int, type: int = 0, flags: int = 0) -> list[Any]:
        if host in (b"127.0.0.1", b"::1"):
            return real(host, port, type=type, flags=flags)
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, type, 6, "", place) for family, place in answer()]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
