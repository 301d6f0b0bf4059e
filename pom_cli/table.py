"""Reading one TOML table: every mistake is noted with its dotted path, the value seen and what would be right."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from pom_cli.times import duration

T = TypeVar("T")
_HOST = re.compile(r"[\w.-]+|\[[0-9A-Fa-f:.%]+\]")
_SECRET = re.compile(r"token|password|authorization|cookie|secret|api.?key", re.IGNORECASE)


@dataclass
class Table:
    """One table of the config. Each reader marks its key as known; `finish` then names the unknown ones."""

    data: Mapping[str, Any]
    path: str
    problems: list[str]
    known: set[str] = field(default_factory=set)
    effective: dict[str, Any] = field(default_factory=dict)  # every key asked for, with the value that holds

    def problem(self, key: str, expected: str) -> None:
        """Note that the value at `key` is wrong; `expected` continues the sentence `'soon' is not …`."""
        value = self.data.get(key)
        shown = "(hidden)" if _SECRET.search(key) else _shown(value)
        self.problems.append(f"{self.at(key)}: {shown} is not {expected}")

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def missing(self, key: str, expected: str) -> None:
        """Note that a key which has no default is absent."""
        self.problems.append(f"{self.at(key)}: missing; it must be {expected}")

    def read(self, key: str, default: T, parse: Callable[[Any], T], expected: str) -> T:
        """The parsed value of `key`, or `default` where it is absent or wrong. `parse` refuses by ValueError."""
        self.known.add(key)
        self.effective[key] = self.data.get(key, default)
        if key not in self.data:
            return default
        try:
            return parse(self.data[key])
        except (ValueError, TypeError):
            self.problem(key, expected)
            return default

    def text(self, key: str, default: str = "", expected: str = "a text") -> str:
        return self.read(key, default, _text, expected)

    def line(self, key: str, default: str = "", expected: str = "a text on one line") -> str:
        return self.read(key, default, _line, expected)

    def boolean(self, key: str, default: bool) -> bool:
        return self.read(key, default, _exactly(bool), "true or false")

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        return self.read(key, default, _within(int, low, high), f"a whole number from {low} to {high}")

    def number(self, key: str, default: float, low: float, high: float) -> float:
        return self.read(key, default, _within(float, low, high), f"a number from {low:g} to {high:g}")

    def duration(self, key: str, default: timedelta, like: str, low: str = "1ms", high: str = "3650d") -> timedelta:
        """A duration such as `"10s"`; `like` is an example for the message."""

        def parse(value: Any) -> timedelta:
            span = duration(_text(value))
            if not duration(low) <= span <= duration(high):
                raise ValueError
            return span

        try:
            in_form = key not in self.data or bool(duration(_text(self.data[key])) or True)
        except (ValueError, TypeError):
            in_form = False
        expected = f"between {low} and {high}" if in_form else f'a duration like "{like}"'
        return self.read(key, default, parse, expected)

    def url(self, key: str, default: str = "", expected: str = "a URL like https://example.com") -> str:
        return self.read(key, default, http_url, expected)

    def choice(self, key: str, default: str, choices: Iterable[str]) -> str:
        allowed = tuple(choices)

        def parse(value: Any) -> str:
            if value not in allowed:
                raise ValueError
            return str(value)

        expected = "one of " + ", ".join(allowed) + nearest(self.data.get(key), allowed)
        return self.read(key, default, parse, expected)

    def texts(self, key: str, default: tuple[str, ...] = (), expected: str = "a list of texts") -> tuple[str, ...]:
        return self.items(key, default, _line, expected)

    def items(self, key: str, default: tuple[T, ...], parse: Callable[[Any], T], expected: str) -> tuple[T, ...]:
        """A list, each item through `parse`."""

        def each(value: Any) -> tuple[T, ...]:
            if not isinstance(value, list):
                raise ValueError
            return tuple(parse(item) for item in value)

        return self.read(key, default, each, expected)

    def date(self, key: str) -> date | None:
        def parse(value: Any) -> date | None:
            if isinstance(value, datetime) or not isinstance(value, date):
                raise ValueError
            return value

        return self.read(key, None, parse, "a date like 2027-03-01 (without quotes)")

    def mapping(self, key: str) -> dict[str, str]:
        """A table of texts, such as HTTP headers."""

        def parse(value: Any) -> dict[str, str]:
            return {_line(name): _line(item) for name, item in value.items()} if isinstance(value, dict) else _refuse()

        return self.read(key, {}, parse, "a table of texts")

    def table(self, key: str) -> "Table":
        """The table at `key`, an empty one where it is absent."""
        found = Table(self.read(key, {}, _mapping, "a table"), self.at(key), self.problems)
        self.effective[key] = found.effective
        return found

    def tables(self, key: str) -> list["Table"]:
        """A list of tables; a text in it stands for a table with that text under `""`."""
        values: list[Any] = self.read(key, [], _exactly(list), "a list")
        found = []
        for number, value in enumerate(values):
            place = f"{self.at(key)}[{number}]"
            if isinstance(value, dict):
                found.append(Table(value, place, self.problems))
            elif isinstance(value, str):
                found.append(Table({"": value}, place, self.problems))
            else:
                self.problems.append(f"{place}: {_shown(value)} is not a table")
        return found

    def finish(self) -> None:
        """Name every key that nobody asked for, with the nearest right one."""
        for key in self.data:
            if key not in self.known:
                self.problems.append(f"{self.at(key)}: unknown key" + nearest(key, self.known))


def nearest(word: Any, names: Iterable[str]) -> str:
    """`"; did you mean 'timeout'?"`, or the names themselves where none is near."""
    listed = sorted(name for name in names if name)
    close = difflib.get_close_matches(str(word), listed, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(listed)}" if listed else ""


def http_url(value: Any) -> str:
    """An http or https URL with a host and no user, password or fragment. Raises ValueError for anything else."""
    text = _line(value)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(text)
    if re.search(r"[\s\"<>\\]", text) or parts.port == 0:
        raise ValueError(text)
    idna(parts.hostname)
    return text


def split_url(text: str) -> SplitResult:
    """`urlsplit` for text from outside: what it cannot read is a ValueError and nothing else."""
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError for a port that is none
    return parts


def idna(host: str) -> str:
    """The host name as it goes over the wire (IDNA). Raises ValueError where no host can be called so."""
    if host.isascii():
        return host
    return host.encode("idna").decode("ascii")


def host_port(value: Any, default_port: int | None = None) -> tuple[str, int]:
    """`"host:port"` or `"[::1]:port"`; the port may be absent where there is a default. Raises ValueError."""
    text = _line(value)
    if text.count(":") > 1 and not text.startswith("["):
        host, port = text, ""
    else:
        host, _, port = text.rpartition(":") if re.search(r":\d*$", text) else (text, "", "")
        if not _HOST.fullmatch(host):
            raise ValueError(text)
    number = int(port) if port else default_port
    if not host or number is None or not 0 < number < 65536:
        raise ValueError(text)
    return host.strip("[]"), number


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _refuse() -> Any:
    raise ValueError


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse()


def _line(value: Any) -> str:
    """A text that cannot break out of a header, a mail or a terminal line."""
    text = _text(value)
    return text if text and text.isprintable() else _refuse()


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else _refuse()


def _exactly(kind: type[T]) -> Callable[[Any], T]:
    def parse(value: Any) -> T:
        return value if type(value) is kind else _refuse()

    return parse


def _within(kind: Callable[[Any], T], low: float, high: float) -> Callable[[Any], T]:
    def parse(value: Any) -> T:
        wrong = isinstance(value, bool) or not isinstance(value, int if kind is int else int | float)
        return _refuse() if wrong or not low <= value <= high else kind(value)

    return parse
