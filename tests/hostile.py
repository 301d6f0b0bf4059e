"""Answers that mean harm, for every parser alike: deep, wide, long, binary, huge numbers, XML, patterns."""

import random
from collections.abc import Iterator

# What can be taken apart in very many ways, each long enough for a pattern that tries them all.
_PUMPS = (" ", "\t", "\u3000", ". ", "...", ": ", "：", "ﷺ", "=", "[", "]", "()", "<br", "* ", "1/", "01/02/", "the ",
          "no match ", "not found ", "limit exceed", "expires ", "until ", "://", "#1 ", "<>", "a.b ", "?a=", "@:",
          "\x1b[", 'href="', "&#", "&amp;", "%", "\\", "\\u", '"', "é", "\ufeff", "\u202e", "\x00")  # fmt: skip
_LABELS = ("", "Expiry Date: ", "Expiry Date: 2027-01-01", "Domain: ", "Status: ", "FAILED a.py::", "1 passed, ")
_DEEP = ("[", '{"a":', '[{"a":', '{"status":[', "[[],", '["\\"[",', "<testsuite>", "<a b='c'>", "(", "a.", "- ")
_NUMBERS = ("9" * 5000, "9" * 200_000, "-" + "9" * 5000, "1e999", "1e-999999999", "0." + "1" * 100_000,
            "1e" + "9" * 5000, "NaN", "-Infinity", "0x" + "f" * 9999, "1e999, " * 999)  # fmt: skip
_FRAMES = ("{}", '{{"status": {}}}', '{{"status": "operational", "name": "x", "version": {}}}', "[{}]", "a = {}",
           '{{"name": "x", "version": "1", "targets": {}}}', '{{"events": {}}}', '{{"events": [{{"eventDate": {}}}]}}',
           '{{"ErrorCode": {}}}', '[{{"ErrorCode": {}, "MessageID": {}}}]', "<testsuite tests='{}'/>")  # fmt: skip
_XML = ("<!DOCTYPE testsuite [<!ENTITY e0 'x'>{}]><testsuite name='&e9999;'/>".format(
            "".join(f"<!ENTITY e{one + 1} '&e{one};'>" for one in range(9999))),
        "<!DOCTYPE a [<!ELEMENT a {}b{}>]><a/>".format("(" * 50_000, ")" * 50_000),
        "<testsuite {}/>".format(" ".join(f"a{one}='1'" for one in range(20_000))),
        "<testsuite>{}</testsuite>".format("<testcase name='&#x202e;'><failure/></testcase>" * 5000),
        "<testsuite><![CDATA[" + "]" * 100_000, "<!--" + "-" * 100_000, "<?xml version='1.0' encoding='utf-7'?><a/>",
        "<" + "a:" * 50_000 + "/>")  # fmt: skip


def bodies(count: int, seed: int = 17) -> list[bytes]:
    """So many bodies, none empty: first every shape once, then odd mixtures of them."""
    found = list(_shapes())
    chance = random.Random(seed)
    while len(found) < count:
        first, second = chance.choice(found[:300]), chance.choice(found[:300])
        cut, other = chance.randrange(len(first) + 1), chance.randrange(len(second) + 1)
        found.append((first[:cut] + second[other:])[:300_000] or b"\x00")
    return found[:count]


def _shapes() -> Iterator[bytes]:
    for opening in _DEEP:
        closing = "".join({"[": "]", "{": "}", "<": "</testsuite>"}.get(one, "") for one in reversed(opening))
        for depth in (101, 20_000):
            yield (opening * depth).encode()
            yield (opening * depth + "1" + closing * depth).encode()
    for frame in _FRAMES:
        for value in (
            *_NUMBERS,
            "[" * 30_000,
            '{"a":' * 30_000,
            "[" * 101 + "]" * 101,
            '"\\ud800"',
            "[[1]]",
            "[null]",
            "1",
        ):
            yield frame.format(value, value).encode()
    for label in _LABELS:
        for pump in _PUMPS:
            yield "\r\n".join([(label + pump * 500)[:500]] * 60).encode("utf-8", "replace")
    yield from (xml.encode() for xml in _XML)
    yield from (("[" * 50_000).encode(codec) for codec in ("utf-16", "utf-16-be", "utf-32"))
    yield b"[" + b"[],{}," * 40_000 + b"1]"
    yield b"{" + b",".join(b'"%d":{}' % one for one in range(30_000)) + b"}"
    yield from (random.Random(size).randbytes(size) for size in (1, 7, 999, 100_000))
    yield from (bytes([byte]) * 100_000 for byte in (0, 0x1B, 0x80, 0xFF))
