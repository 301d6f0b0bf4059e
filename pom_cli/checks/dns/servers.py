"""Servers to ask, as numeric addresses: those that the config or resolv.conf names, and how people call them."""

import os
from pathlib import Path

from pom_cli.toml.table import host_port

Server = tuple[str, int]  # numeric address and port


def server(text: str) -> Server:
    """`"1.1.1.1"`, `"127.0.0.1:5353"`, `"[::1]:53"`; the address is returned in its canonical form.

    Raises ValueError for a host name: who would look it up?
    """
    from ipaddress import ip_address

    host, port = host_port(text, 53)
    return str(ip_address(host)), port


def system_resolvers(path: str = "/etc/resolv.conf") -> tuple[Server, ...]:
    """The name servers of resolv.conf(5); 127.0.0.1 if it lists none."""
    try:
        lines = Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return tuple((address, 53) for address in dict.fromkeys(named) if _is_address(address)) or (("127.0.0.1", 53),)


def _is_address(text: str) -> bool:
    try:
        server(text)
    except ValueError:
        return False
    return True


def called(address: Server) -> str:
    """A server for people: its address, and its port unless that is 53."""
    host, port = address
    if port == 53:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason(error: OSError) -> str:
    """The system's words for an error, for the middle of a sentence."""
    text = os.strerror(error.errno) if error.errno else str(error)
    return text[:1].lower() + text[1:]
