"""What an HTTP answer is expected to be, and how it differs from that. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from pom_cli.frozen import dataclass
from pom_cli.outside import Unreadable, from_json
from pom_cli.text import clean
from pom_cli.times import written
from pom_cli.toml.table import Table

if TYPE_CHECKING:
    from pom_cli.net.exchange import Answer

_CHARSET = r"""(?i)\bcharset\s*=\s*["']?([a-z0-9._:-]+)"""


@dataclass(frozen=True)
class Expected:
    """All that is given must hold; nothing given: any 2xx will do."""

    json: Mapping[str, Any] = field(default_factory=dict)  # the body must contain this
    text: str = ""
    status: tuple[int, ...] = ()
    absent: tuple[str, ...] = ()  # texts that must not be in the body
    headers: Mapping[str, str] = field(default_factory=dict)  # "" for any value
    within: timedelta | None = None

    @property
    def of_body(self) -> bool:
        return bool(self.json or self.text)


class Mismatch(NamedTuple):
    """How an answer differs from what is expected. Doubtful: what it lacks may be where nothing was read."""

    text: str
    doubtful: bool = False


def parse(table: Table) -> Expected:
    """From the keys that begin with `expect`, and `max_latency`, of a check's table."""
    return replace(
        parse_any(table),
        json=table.read("expect", {}, _json_table, 'a table of JSON values like { status = "operational" }'),
        text=table.text("expect_text"),
        status=table.items("expect_status", (), _status, "a list of HTTP statuses like [200, 204]"),
    )


def parse_any(table: Table) -> Expected:
    """The expectations that apply to every kind of HTTP check."""
    limit = "max_latency" in table.data
    longest = table.duration("max_latency", timedelta(seconds=2), "2s", high="1h") if limit else None
    table.known.add("max_latency")
    return Expected(
        absent=table.texts("expect_not", expected='a list of texts like ["Fatal error"]'),
        headers=table.read(
            "expect_headers", {}, _headers, 'a table of headers like { server = "nginx" } ("": any value)'
        ),
        within=longest,
    )


def _headers(value: Any) -> dict[str, str]:
    from pom_cli.net.exchange import is_header

    if not isinstance(value, dict) or not all(
        isinstance(one, str) and is_header(name, one) for name, one in value.items()
    ):
        raise ValueError(value)
    return value


def _status(value: Any) -> int:
    if type(value) is not int or not 200 <= value <= 599:
        raise ValueError(value)
    return value


def _json_table(value: Any) -> dict[str, Any]:
    import json

    if not isinstance(value, dict):
        raise ValueError(value)
    json.dumps(value, allow_nan=False)  # TypeError for a date, ValueError for a NaN: TOML has them, JSON has not
    return value


def differs(answer: "Answer", expected: Expected) -> Mismatch | None:
    """The first thing that is not as expected, None where all is; what is doubtful comes last."""
    content_type = ", ".join(value for name, value in answer.headers if name.lower() == "content-type")
    lacking = mismatch(answer.body, answer.truncated, expected, content_type, answer.coding)
    doubtful = bool(answer.coding or (answer.truncated and not expected.json))
    certain = _headers_differ(answer.headers, expected.headers) or _unwanted(answer.body, expected.absent, content_type)
    certain = certain or (None if doubtful else lacking)
    if not certain and expected.within and answer.total_ms > expected.within / timedelta(milliseconds=1):
        certain = f"slower than {written(expected.within)}"
    return Mismatch(certain) if certain else Mismatch(lacking, doubtful) if lacking else None


def _headers_differ(found: Sequence[tuple[str, str]], wanted: Mapping[str, str]) -> str | None:
    for name, value in wanted.items():
        values = [one for each, one in found if each.lower() == name.lower()]
        if not values:
            return f"the header {clean(name, 40)} is missing"
        if value and value not in values:
            return f"the header {clean(name, 40)} is {_shown(values[0])}, not {_shown(value)}"
    return None


def _unwanted(body: bytes, absent: Sequence[str], content_type: str) -> str | None:
    found = (text for text in absent if any(form in body for form in _forms(text, content_type)))
    return next((f"the body contains {_shown(text)}" for text in found), None)


def mismatch(body: bytes, truncated: bool, expected: Expected, content_type: str = "", coding: str = "") -> str | None:
    """What the body lacks of what is expected, None where it lacks nothing.

    The text is looked for as UTF-8, as Latin-1, and in the charset that the Content-Type names. `coding` is how the
    body is still encoded.
    """
    if coding and (expected.of_body or expected.absent):
        return f"its body is encoded with {coding}, which was not asked for and cannot be read here"
    lacking = _lacks_json(body, truncated, expected.json) if expected.json else None
    if lacking or not expected.text:
        return lacking
    found = any(form in body for form in _forms(expected.text, content_type))
    if found:
        return None
    text = _shown(expected.text)
    if truncated:
        return f"the text {text} is not in the first MiB, and no more is read"
    return f"the body lacks the text {text}"


def _forms(text: str, content_type: str) -> Iterator[bytes]:
    """The text as a body may contain it. It is encoded, since decoding a whole body can take any time (punycode)."""
    declared = re.search(_CHARSET, content_type)
    for charset in ("utf-8", "latin-1", *(declared.groups() if declared else ())):
        with suppress(UnicodeError, LookupError):  # it cannot be written so, or nobody knows that charset
            yield text.encode(charset)


def _lacks_json(body: bytes, truncated: bool, wanted: Mapping[str, Any]) -> str | None:
    if truncated:
        from pom_cli.net.body import MAX_BODY

        return f"the body is longer than {MAX_BODY >> 20} MiB"
    try:
        found = from_json(body)
    except Unreadable:
        return "the body is not JSON" if body.strip() else "the body is empty"
    return _difference(found, wanted, "")


def _difference(found: Any, wanted: Any, path: str) -> str | None:
    """The first place where `found` does not contain `wanted`. Tables may hold more than wanted, lists may not."""
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return f"the body lacks {path or 'a table'}" + (f" as a table (it says {_shown(found)})" if path else "")
        for key, value in wanted.items():
            place = f"{path}.{key}" if path else key
            if key not in found:
                return f"the body lacks {place}" + ("" if isinstance(value, dict) else f" = {_shown(value)}")
            told = _difference(found[key], value, place)
            if told:
                return told
        return None
    return None if _same(found, wanted) else f"the body lacks {path} = {_shown(wanted)} (it says {_shown(found)})"


def _same(found: Any, wanted: Any) -> bool:
    """Equal as JSON: true is not 1, unlike in Python."""
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[key], wanted[key]) for key in wanted)
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def _shown(value: Any) -> str:
    import json

    return clean(json.dumps(value, ensure_ascii=False), 60)
