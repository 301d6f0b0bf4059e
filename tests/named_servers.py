"""Names for servers on loopback: `https://shop.test` then leads to one of them, whatever its port."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import pytest

from pom_cli.net import net
from pom_cli.net.faults import Fault, NoAnswer


def name_servers(monkeypatch: pytest.MonkeyPatch, places: Mapping[tuple[str, int], int]) -> None:
    """From now on each (host, port) leads to a port of 127.0.0.1. Other names do not resolve; addresses are as ever."""
    real = net.resolve

    def resolve(host: str, port: int, deadline: net.Deadline) -> list[net.Address]:
        if (host, port) in places:
            return [net.Address(socket.AF_INET, ("127.0.0.1", places[host, port]))]
        if host.replace(".", "").isdigit() or ":" in host or host == "localhost":
            return real(host, port, deadline)
        raise NoAnswer(Fault("dns", "name does not resolve"))

    monkeypatch.setattr(net, "resolve", resolve)
