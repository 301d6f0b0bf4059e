"""Servers' addresses, as the config and resolv.conf write them and as people read them."""

from pathlib import Path

import pytest

from pom_cli.checks.dns.servers import called, server, system_resolvers


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.1.1.1", ("1.1.1.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_a_server_has_an_address_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert server(text) == address
    assert called(address) == text


@pytest.mark.parametrize("text", ["dns.example.com", "", "1.1.1", "1.1.1.1:0", "1.1.1.1:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        server(text)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ["192.0.2.1", "2001:db8::1"]),
        ("# nameserver 192.0.2.9\nsearch example.com\nnameserver\t192.0.2.1 # ours\n", ["192.0.2.1"]),
        ("nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver dns.example.com\nnameserver\n", ["192.0.2.1"]),
        ("nameserver fe80::1%eth0\n", ["fe80::1%eth0"]),
        ("options edns0\n", ["127.0.0.1"]),
        ("", ["127.0.0.1"]),
    ],
)
def test_the_systems_resolvers_are_those_of_resolv_conf(tmp_path: Path, text: str, addresses: list[str]) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text)
    assert system_resolvers(str(path)) == tuple((address, 53) for address in addresses)


def test_without_a_resolv_conf_this_host_is_asked(tmp_path: Path) -> None:
    assert system_resolvers(str(tmp_path / "absent")) == (("127.0.0.1", 53),)
