"""DNS records in the one form in which they are compared: as an operator writes them, and as servers send them."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.idn import to_ascii
from pom_cli.text import clean

Fields = tuple[str | None, ...]  # None, in what is expected only: any value will do


@dataclass(frozen=True)
class Record:
    """What is expected of one record set. No values: it must resolve, to anything."""

    name: str
    type: str
    expected: tuple[Fields, ...] = ()
    match: str = "exact"  # "subset": what is expected, and more; "any": some of what is expected, and nothing else
    either: bool = False  # of type A: an IPv6 address will do as well

    @property
    def subject(self) -> str:
        return f"{self.name} {self.type}"


# What an expected value must be, in words that end the sentence `'x' is not …`.
WANTED = {
    "A": "an IPv4 address",
    "AAAA": "an IPv6 address",
    "MX": 'a mail host, like "10 mail.example.com", or "mail.example.com" for any preference',
    "TXT": "a text, written without the quotes that dig puts around it",
    "CNAME": 'a host name, like "www.example.com"',
    "NS": 'a name server\'s host name, like "ns1.example.com"',
    "CAA": 'flags, a tag and a value, like "0 issue letsencrypt.org"',
    "SOA": 'the first one to seven fields of an SOA record ("*": any), like "ns1.example.com hostmaster.example.com"',
    "SRV": 'priority, weight, port and host, like "10 5 5060 sip.example.com"',
}
MATCHES = ("exact", "subset", "any")
ONE_ONLY = ("CNAME", "SOA")  # a name has at most one of these (RFC 1034 section 3.6.2, RFC 1035 section 3.3.13)

# Patterns are compiled when they are first used: every command reads the config, few meet these.
# A label: none of the marks that betray a URL, a mail address or a list; `\.` and `\046` are as in zone files.
_LABEL = r"(?:[A-Za-z0-9_*/+-]|\\\d{3}|\\[!-/:-~]){1,63}"
_CHUNK = r'"((?:[^"\\]|\\.)*)"'
_ESCAPED = rb"\\(\d{3}|.)"


def expected(kind: str, text: str) -> Fields:
    """What the config expects of a record of this kind. Raises ValueError where no such record can exist."""
    return _EXPECTED[kind](text if kind == "TXT" else text.strip())


def received(kind: str, rdata: Any) -> Fields:
    """The same form of a record from the wire, a dnspython rdata of this kind."""
    return _RECEIVED[kind](rdata)


def agrees(wanted: Fields, found: Fields) -> bool:
    """Is this the record that was meant? What is expected may leave fields of an SOA record open."""
    return len(wanted) == len(found) and all(want in (None, have) for want, have in zip(wanted, found, strict=True))


def written(kind: str, fields: Fields) -> str:
    """A record in the config's notation, which `expected` reads back."""
    texts = ["*" if value is None else value for value in fields if kind != "MX" or value is not None]
    if kind == "CAA" or (kind == "TXT" and texts[0].strip()[:1] in ("", '"')):
        texts[-1] = '"' + re.sub(r'(["\\])', r"\\\1", texts[-1]) + '"'
    return " ".join(texts)


def shown(kind: str, fields: Fields, limit: int = 500) -> str:
    """A record for people, on one line and cut to a sane length."""
    return clean(written(kind, fields), limit)


def name(text: str) -> str:
    """A name in lower case without its final dot, in its ASCII form; the root stays `.`. Raises ValueError."""
    text = to_ascii(text).lower()
    if text == ".":
        return text
    text = text.removesuffix(".")
    labels = re.split(r"(?<!\\)\.", text)
    if len(text) > 253 or not all(re.fullmatch(_LABEL, label) for label in labels) or labels[-1].isdigit():
        raise ValueError(text)
    return text


def _ipv6(text: str) -> Fields:
    if "%" in text:
        raise ValueError(text)
    return (str(IPv6Address(text)),)


def _number(text: str, top: int = 65535) -> str:
    if not (text.isascii() and text.isdigit()) or int(text) > top:
        raise ValueError(text)
    return str(int(text))


def _numbers_and_host(count: int) -> Callable[[str], Fields]:
    def parse(text: str) -> Fields:
        *numbers, host = text.split()
        if len(numbers) != count:
            raise ValueError(text)
        return *(_number(number) for number in numbers), name(host)

    return parse


def _mx(text: str) -> Fields:
    """A host alone leaves its preference open."""
    return (None, name(text)) if len(text.split()) == 1 else _numbers_and_host(1)(text)


def _txt(text: str) -> Fields:
    """Plain text as it is; dig's and zone files' quoted chunks joined (RFC 1035 section 5.1, RFC 7208 section 3.3)."""
    if not text:
        raise ValueError("empty")
    if not re.fullmatch(rf"{_CHUNK}(?:\s*{_CHUNK})*", text.strip()):
        return (text,)
    chunks = [re.sub(_ESCAPED, _unescaped, chunk.encode()) for chunk in re.findall(_CHUNK, text)]
    return (_joined(chunks),)


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1])]) if len(match[1]) == 3 else match[1]


def _caa(text: str) -> Fields:
    flags, tag, value = text.split(None, 2)
    if not (tag.isascii() and tag.isalnum()):
        raise ValueError(text)
    return _caa_fields(_number(flags, 255), tag, _txt(value)[0] or "")


def _caa_fields(flags: str, tag: str, value: str) -> Fields:
    """Tags and issuers' domains know no case, spaces and empty parameters mean nothing, and so "" and ";" are the same:
    nobody may issue (RFC 8659 sections 4.1 and 4.2)."""
    tag = tag.lower()
    if tag in ("issue", "issuewild"):
        issuer, *parameters = (part.strip() for part in value.split(";"))
        value = "; ".join([issuer.lower().removesuffix("."), *filter(None, parameters)]).strip() or ";"
    return flags, tag, value


def _soa(text: str) -> Fields:
    """Any number of leading fields, so that a serial which moves with every edit need not be named."""
    words = text.split()
    if not 1 <= len(words) <= 7:
        raise ValueError(text)
    checks: list[Callable[[str], str]] = [name, name, *[_u32] * 5]
    fields = [None if word == "*" else check(word) for word, check in zip(words, checks, strict=False)]
    return *fields, *[None] * (7 - len(fields))


def _u32(text: str) -> str:
    return _number(text, 2**32 - 1)


_EXPECTED: dict[str, Callable[[str], Fields]] = {
    "A": lambda text: (str(IPv4Address(text)),),
    "AAAA": _ipv6,
    "MX": _mx,
    "TXT": _txt,
    "CNAME": lambda text: (name(text),),
    "NS": lambda text: (name(text),),
    "CAA": _caa,
    "SOA": _soa,
    "SRV": _numbers_and_host(3),
}


def wire_name(owner: Any) -> str:
    """A dnspython name in the form of `name`; text that no config can hold is kept, escaped as in zone files."""
    text: str = owner.to_text(omit_final_dot=True)
    return text.lower()


def _joined(chunks: Sequence[bytes]) -> str:
    return b"".join(chunks).decode("utf-8", "backslashreplace")


_RECEIVED: dict[str, Callable[[Any], Fields]] = {
    "A": lambda rdata: (rdata.address,),
    "AAAA": lambda rdata: (str(IPv6Address(rdata.address)),),
    "MX": lambda rdata: (str(rdata.preference), wire_name(rdata.exchange)),
    "TXT": lambda rdata: (_joined(rdata.strings),),
    "CNAME": lambda rdata: (wire_name(rdata.target),),
    "NS": lambda rdata: (wire_name(rdata.target),),
    "CAA": lambda rdata: _caa_fields(str(rdata.flags), _joined([rdata.tag]), _joined([rdata.value])),
    "SOA": lambda rdata: (
        wire_name(rdata.mname),
        wire_name(rdata.rname),
        *(str(number) for number in (rdata.serial, rdata.refresh, rdata.retry, rdata.expire, rdata.minimum)),
    ),
    "SRV": lambda rdata: (
        *(str(number) for number in (rdata.priority, rdata.weight, rdata.port)),
        wire_name(rdata.target),
    ),
}
TYPES = tuple(_EXPECTED)
