"""The head of an HTTP/1 answer, and how it says where its body ends (RFC 9112). Pure.

It is read as clients read it: a bad line is skipped, and nothing behind it is lost.
"""

import re
from collections.abc import Sequence
from typing import Literal

from pom_cli.frozen import dataclass
from pom_cli.text import clean

UNREADABLE = "no HTTP that can be read"
_STATUS_LINE = re.compile(rb"HTTP/(\d+)\.(\d+)[ \t]+([1-9]\d\d)(?:[ \t](.*))?")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_NOT_IN_A_VALUE = re.compile(rb"[\r\n\0]")  # RFC 9110, section 5.5: each becomes a space
_BODILESS = (204, 304)
_LONGEST = 18  # digits of a length that is counted; more is beyond every limit all the same

Ending = Literal["none", "length", "chunked", "close"]


class NotHttp(Exception):
    """What came is no answer of HTTP/1. The text says why."""


@dataclass(frozen=True)
class Head:
    """A status line and its fields, names as they came, values without the blanks around them, as Latin-1."""

    minor: int  # of HTTP/1.minor
    status: int
    reason: str
    fields: list[tuple[str, str]]

    @property
    def interim(self) -> bool:
        """Whether another answer follows (RFC 9110, section 15.2); 101 ends what HTTP can read."""
        return self.status < 200 and self.status != 101

    def items(self, name: str) -> list[str]:
        """The elements of a list, which may be spread over many fields (RFC 9110, 5.3 and 5.6.1)."""
        values = (value for key, value in self.fields if key.lower() == name)
        return [item for value in values for part in value.split(",") if (item := part.strip(" \t"))]


@dataclass(frozen=True)
class Framing:
    """How the body ends, and the codings that the transfer added to it, in the order in which they were applied."""

    ending: Ending
    length: int = 0
    codings: tuple[str, ...] = ()
    flaw: str | None = None  # why the end cannot be determined


def parse(lines: Sequence[bytes]) -> Head:
    """The lines of a head without the empty one at its end. Raises NotHttp."""
    minor, status, reason = status_line(lines[0])
    return Head(minor, status, reason, _fields(lines[1:]))


def status_line(line: bytes) -> tuple[int, int, str]:
    """Minor version, status and reason. Raises NotHttp."""
    text = line.rstrip(b"\r\n")
    match = _STATUS_LINE.fullmatch(text)
    if not match:
        raise NotHttp(f"no HTTP: it says {clean(text.decode('latin-1'), 60)!r}")
    if match[1] != b"1":
        raise NotHttp(f"{UNREADABLE}: {clean(text[:20].split()[0].decode('latin-1'))}")
    return int(match[2][:2]), int(match[3]), (match[4] or b"").decode("latin-1")


def _fields(lines: Sequence[bytes]) -> list[tuple[str, str]]:
    found: list[tuple[bytes, bytes]] = []
    skipped = True  # a folded line behind one that was skipped, or behind the status line, is skipped as well
    for raw in lines:
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        if line[:1] in (b" ", b"\t"):  # RFC 9112, section 5.2: a folded line is part of the value before it
            if not skipped:
                name, value = found.pop()
                found.append((name, value + b" " + line.strip(b" \t")))
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")  # RFC 9112, section 5.1: blanks before the colon are taken away
        skipped = not (colon and _TOKEN.fullmatch(name))
        if not skipped:
            found.append((name, value))
    return [(name.decode("ascii"), _value(value)) for name, value in found]


def _value(raw: bytes) -> str:
    return _NOT_IN_A_VALUE.sub(b" ", raw).decode("latin-1").strip(" \t")


def framing(head: Head, method: str) -> Framing:
    """Where the body ends: the rules of RFC 9112, section 6.3, in their order."""
    if method == "HEAD" or head.status < 200 or head.status in _BODILESS:
        return Framing("none")
    # "identity" (RFC 2616) means no coding.
    codings = [item.partition(";")[0].strip(" \t").lower() for item in head.items("transfer-encoding")]
    codings = [coding for coding in codings if coding != "identity"]
    if codings:
        last = codings.pop() if codings[-1] == "chunked" else ""
        flaw = "its Transfer-Encoding cannot be read" if "chunked" in codings else None
        return Framing("chunked" if last else "close", codings=tuple(codings), flaw=flaw)
    if not any(name.lower() == "content-length" for name, _ in head.fields):
        return Framing("close")
    lengths = {item.lstrip("0") if _is_number(item) else None for item in head.items("content-length")}
    if len(lengths) != 1 or None in lengths:
        return Framing("close", flaw="its Content-Length cannot be read")
    return Framing("length", int((lengths.pop() or "0")[: _LONGEST + 1]))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def stays_open(head: Head) -> bool:
    """Whether the server means to take another request over this connection (RFC 9112, section 9.3)."""
    options = {item.lower() for item in head.items("connection")}
    if "close" in options or head.status == 101:
        return False
    faulty = head.minor == 0 and bool(head.items("transfer-encoding"))  # RFC 9112, section 6.1
    return not faulty and (head.minor > 0 or "keep-alive" in options)
