"""Hosts, ports and URLs as the config, the command line and other machines write them: checked, never looked up."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pom_cli.idn import to_ascii
from pom_cli.text import one_line

SSH = r"(?a)(?!-)[\w.@:%\[\]-]+"

_LONGEST = 253  # characters of a host name (RFC 1035, section 2.3.4, as text)
# Underscores are not for host names (RFC 952), but the DNS has them and browsers take them.
_NAME = re.compile(r"(?:(?!-)[a-z0-9_-]{1,63}\.)*(?!-)[a-z0-9_-]{1,63}\.?")
_PLACEHOLDER = "..."  # pages write https://... where the reader has a host to put; it loads, and resolves to nothing
_URL = re.compile(r"(https?)://(\[[^\]%]*\]|[^\s/?#:@%\[\]\\<>\"]+)(?::([0-9]*))?(?:[/?][^\s#\\<>\"]*)?", re.IGNORECASE)


def http_url(value: Any) -> str:
    """An http or https URL with a host and no user, password or fragment. Raises ValueError for anything else."""
    text = one_line(value)
    origin(text)
    return text


def typed_url(text: str) -> str:
    """The URL that a person means: as it is, or for a bare `host[:port][/path]` with the scheme in front.

    https for names; http for addresses, this machine and port 80. Raises ValueError where it can be no URL.
    """
    if "://" in text:
        return http_url(text)
    _, name, port = origin(f"http://{text}")
    plain = (port == 80 and ":80" in text) or name[:1].isdigit() or ":" in name or is_loopback(name)
    return http_url(f"{'http' if plain else 'https'}://{text}")


def is_address_like(word: str) -> bool:
    """Whether a word of a command line can only be meant as a host or a URL."""
    return "://" in word or any(mark in word for mark in ".:/") or word == "localhost"


def base_url(value: Any) -> str:
    """An `http_url` that a path can be put behind: without a query. Raises ValueError for anything else."""
    text = http_url(value)
    if "?" in text:
        raise ValueError("a path cannot follow a query")
    return text.rstrip("/")


@lru_cache(256)  # each URL of a config is asked for more than once
def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an http or https URL, the host as `host` gives it. Raises ValueError."""
    found = _URL.fullmatch(url)
    if not found:
        raise ValueError("not a URL that can be asked")
    scheme = found[1].lower()
    port = int(found[3] or {"https": 443, "http": 80}[scheme])
    if not 0 < port < 65536:
        raise ValueError("not a port")
    return scheme, host(found[2]), port


def split_url(text: str) -> SplitResult:
    """`urlsplit` for text from outside: what it cannot read is a ValueError and nothing else."""
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError for an invalid port
    return parts


def host_port(value: Any, default_port: int | None = None) -> tuple[str, int]:
    """`"host:port"` or `"[::1]:port"`; the port may be absent where there is a default. Raises ValueError."""
    text = one_line(value)
    name, colon, digits = text.rpartition(":")
    bare = ":" in name and not name.startswith("[")  # an IPv6 address without a port
    if bare or not colon or text.endswith("]"):
        name, digits = text, ""
    elif not (digits.isascii() and digits.isdecimal()):
        raise ValueError("not a port")
    number = int(digits) if digits else default_port
    if number is None or not 0 < number < 65536:
        raise ValueError("not a port")
    return host(name), number


@lru_cache(256)  # a config names the same host again and again
def host(text: str) -> str:
    """A host in wire format: lower case, IDNA, an IPv6 address without its brackets. Raises ValueError."""
    if text.startswith("[") or ":" in text:
        from ipaddress import IPv6Address

        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        IPv6Address(bare)
        return bare.lower()
    if text == _PLACEHOLDER:
        return text
    name = to_ascii(text).lower()
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise ValueError("not a host name")
    last = name.removesuffix(".").rpartition(".")[2]
    if last.isdecimal() or last.startswith("0x"):
        # Resolvers read 127.1 and 0x7f000001 as addresses; who writes them has more likely made a mistake.
        from ipaddress import IPv4Address

        IPv4Address(name)
    return name


def is_loopback(name: str) -> bool:
    """Is this host (as `host` gives it) this very machine, by its address or by its name (RFC 6761, 6.3)."""
    if name[:1].isdigit() or ":" in name:
        from ipaddress import ip_address

        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False
    return name == "localhost" or name.endswith(".localhost")


# Python's own `is_private` counts the ranges of documentation, too, and not 100.64.0.0/10 (RFC 6598), where VPNs are.
_PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10", "::1/128"),
)
_PRIVATE_NAMES = (".internal", ".local", ".home.arpa", ".ts.net")


def is_public(name: str) -> bool:
    """Is this host (as `host` gives it) an address of the open internet, or a name that may be one."""
    from ipaddress import ip_address, ip_network

    try:
        address = ip_address(name)
    except ValueError:
        return "." in name and not is_loopback(name) and not name.endswith(_PRIVATE_NAMES)
    plain = getattr(address, "ipv4_mapped", None) or address
    return not any(plain in ip_network(one) for one in _PRIVATE)
