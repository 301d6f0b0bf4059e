"""Reading one TOML table: every mistake is noted with its dotted path, the value seen and what would be right."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from pom_cli.text import HIDDEN, clean, host_alone, names_a_secret, one_line, without_passwords
from pom_cli.times import duration

# What others name next to Table; it lives in address.py.
from pom_cli.toml.address import host_port as host_port
from pom_cli.toml.address import http_url as http_url
from pom_cli.toml.address import split_url as split_url

T = TypeVar("T")
_NAMED_AT_MOST = 12  # of the names that a message lists
_LONGEST = 80  # characters of a value in a message
_WEBHOOK = "alerts.webhook"  # its URL is as good as a password


@dataclass
class Table:
    """One table of the config. Each reader marks its key as known; `finish` then names the unknown ones."""

    data: Mapping[str, Any]
    path: str
    problems: list[str]
    known: set[str] = field(default_factory=set)
    effective: dict[str, Any] = field(default_factory=dict)  # every key asked for, with its effective value
    files: bool = True  # must the files that it refers to exist

    def problem(self, key: str, expected: str) -> None:
        """Note that the value at `key` is wrong; `expected` continues the sentence `'soon' is not …`."""
        value = self.data.get(key)
        if _WEBHOOK in (self.path, self.at(key)):
            value = host_alone(value) if isinstance(value, str) else HIDDEN if isinstance(value, list) else value
        self.problems.append(f"{self.at(key)}: {shown(value, key)} is not {expected}")

    def at(self, key: str) -> str:
        """The dotted path of a key, quoted where TOML would have it quoted."""
        name = key if _is_bare(key) else _quoted(key)
        return f"{self.path}.{name}" if self.path else name

    def missing(self, key: str, expected: str) -> None:
        """Note that a key which has no default is absent."""
        self.problems.append(f"{self.at(key)}: missing; it must be {expected}")

    def read(self, key: str, default: T, parse: Callable[[Any], T], expected: str) -> T:
        """The parsed value of `key`, or `default` where it is absent or wrong. `parse` refuses by ValueError."""
        self.known.add(key)
        if key not in self.data:
            if default is not None and default != "":  # TOML cannot write these, they stand for an absent key
                self.effective[key] = default
            return default
        self.effective[key] = self.data[key]
        try:
            return parse(self.data[key])
        except (ValueError, TypeError, ArithmeticError):
            self.problem(key, expected)
            return default

    def text(self, key: str, default: str = "", expected: str = "a text") -> str:
        return self.read(key, default, _exactly(str), expected)

    def line(self, key: str, default: str = "", expected: str = "a text on one line") -> str:
        return self.read(key, default, one_line, expected)

    def matching(self, key: str, default: str, pattern: str, expected: str) -> str:
        """A text on one line that matches the pattern as a whole."""
        return self.read(key, default, matching(pattern), expected)

    def boolean(self, key: str, default: bool) -> bool:
        return self.read(key, default, _exactly(bool), "true or false")

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        return self.read(key, default, _within(int, low, high), f"a whole number from {low} to {high}")

    def number(self, key: str, default: float, low: float, high: float) -> float:
        return self.read(key, default, _within(float, low, high), f"a number from {low:g} to {high:g}")

    def duration(self, key: str, default: timedelta, like: str, low: str = "1ms", high: str = "3650d") -> timedelta:
        """A duration such as `"10s"`; `like` is an example for the message."""
        span = _span(self.data.get(key))
        expected = f'a duration like "{like}"' if span is None else f"between {low} and {high}"

        def parse(value: Any) -> timedelta:
            if span is None or not duration(low) <= span <= duration(high):
                raise ValueError(expected)
            return span

        return self.read(key, default, parse, expected)

    def url(
        self,
        key: str,
        default: str = "",
        expected: str = "a URL like https://example.com",
        parse: Callable[[Any], str] = http_url,
    ) -> str:
        hint = " without user and password" if "@" in str(self.data.get(key, "")) else ""
        return self.read(key, default, parse, expected + hint)

    def address(self, key: str, default: str) -> tuple[str, int]:
        """A host with a port; the default serves as the example."""
        found = self.read(key, host_port(default), host_port, f'an address like "{default}"')
        self.effective[key] = self.data.get(key, default)
        return found

    def choice(self, key: str, default: str, choices: Iterable[str]) -> str:
        allowed = tuple(choices)

        def parse(value: Any) -> str:
            if value not in allowed:
                raise ValueError
            return str(value)

        expected = "one of " + ", ".join(allowed) + likely(self.data.get(key, default), allowed)
        return self.read(key, default, parse, expected)

    def texts(self, key: str, default: tuple[str, ...] = (), expected: str = "a list of texts") -> tuple[str, ...]:
        return self.items(key, default, one_line, expected)

    def items(self, key: str, default: tuple[T, ...], parse: Callable[[Any], T], expected: str) -> tuple[T, ...]:
        """A list, each item through `parse`."""

        def each(value: Any) -> tuple[T, ...]:
            return tuple(parse(item) for item in _exactly(list)(value))

        return self.read(key, default, each, expected)

    def date(self, key: str) -> date | None:
        def parse(value: Any) -> date | None:
            if isinstance(value, datetime) or not isinstance(value, date):
                raise ValueError
            return value

        return self.read(key, None, parse, "a date like 2027-03-01 (without quotes)")

    def table(self, key: str, expected: str = "a table") -> "Table":
        """The table at `key`, an empty one where it is absent."""
        nothing: dict[str, Any] = {}
        value = self.read(key, nothing, _exactly(dict), expected)
        # If the value is not a table, report only that.
        misplaced = key in self.data and not isinstance(self.data[key], dict)
        found = Table(value, self.at(key), [] if misplaced else self.problems, files=self.files)
        self.effective[key] = found.effective
        return found

    def tables(self, key: str) -> list["Table"]:
        """A list of tables; a text in it stands for a table with that text under `""`."""
        found, nothing = [], list[Any]()
        for number, value in enumerate(self.read(key, nothing, _exactly(list), "a list")):
            place = f"{self.at(key)}[{number}]"
            if isinstance(value, dict | str):
                data = value if isinstance(value, dict) else {"": value}
                found.append(Table(data, place, self.problems, files=self.files))
            else:
                self.problems.append(f"{place}: {shown(value)} is not a table")
        return found

    def finish(self) -> None:
        """Name every key that nobody asked for, with the nearest right one."""
        for key in self.data:
            if key not in self.known:
                hint = "; secrets go into the environment or the env file" if names_a_secret(key) else ""
                self.problems.append(f"{self.at(key)}: unknown key{self._given(key)}{hint or nearest(key, self.known)}")

    def _given(self, key: str) -> str:
        """` (its value: '5m')`, unless that may be a secret: free text counts as one, but under a known key's slip.

        Not even then where that key holds a table, such as headers or a way out; what stands inside of a table is not
        looked into. A webhook's whole URL is a secret.
        """
        value, meant = self.data[key], closest(key, self.known, 0.75)
        plain = meant and self.path != _WEBHOOK and not isinstance(self.effective.get(meant), dict)
        if names_a_secret(key) or isinstance(value, dict) or (isinstance(value, str | list) and not plain):
            return ""
        return f" (its value: {shown(value, key)})"


def nearest(word: Any, names: Iterable[str]) -> str:
    """`"; did you mean 'timeout'?"`, the names themselves where none is near, nothing where it is one of them."""
    listed = sorted(name for name in names if name)
    if word in listed or not listed:
        return ""
    meant = likely(word, listed)
    if meant:
        return meant
    more = ", …" if len(listed) > _NAMED_AT_MOST else ""
    return f"; known here: {', '.join(clean(name, 64) for name in listed[:_NAMED_AT_MOST])}{more}"


def likely(word: Any, names: Iterable[str]) -> str:
    """`"; did you mean 'timeout'?"` where a name is near, else nothing."""
    meant = closest(word, names)
    return f"; did you mean {shown(meant)}?" if meant else ""


def closest(word: Any, names: Iterable[str], least: float = 0.6) -> str:
    """The other name that is nearest to it (1 is the same), "" where none is near."""
    listed = sorted(name for name in names if name)
    if not isinstance(word, str) or not word or word in listed:
        return ""
    import difflib

    return next(iter(difflib.get_close_matches(word[:_LONGEST], listed, 1, least)), "")


def shown(value: Any, key: str = "") -> str:
    """A value as a message shows it: nearly as in TOML, on one line, cut, without what may be a secret."""
    text = _shown(value, key, 3)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _shown(value: Any, key: str, depth: int) -> str:
    if names_a_secret(key) or (key == "headers" and isinstance(value, str) and ":" in value):
        return HIDDEN
    if isinstance(value, str):
        return repr(without_passwords(value)[:_LONGEST])
    if isinstance(value, dict | list) and (not depth or not value):
        return ("{…}" if value else "{}") if isinstance(value, dict) else ("[…]" if value else "[]")
    if isinstance(value, dict):
        inner = [
            f"{clean(name, 20)} = {HIDDEN if key == 'headers' else _shown(item, name, depth - 1)}"
            for name, item in list(value.items())[:_LONGEST]
        ]
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item, key, depth - 1) for item in value[:_LONGEST]) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of very many digits"
    return str(value)


def _is_bare(key: str) -> bool:
    return key.isascii() and key.replace("-", "a").replace("_", "a").isalnum() and len(key) <= 64


def _quoted(key: str) -> str:
    import json

    return json.dumps(clean(key, 64), ensure_ascii=False)


def matching(pattern: str) -> Callable[[Any], str]:
    """A parser for texts on one line that match the pattern as a whole."""

    def parse(value: Any) -> str:
        if not re.fullmatch(pattern, one_line(value)):
            raise ValueError
        return str(value)

    return parse


def _span(value: Any) -> timedelta | None:
    try:
        return duration(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _exactly(kind: type[T]) -> Callable[[Any], T]:
    def parse(value: Any) -> T:
        if type(value) is not kind:
            raise ValueError
        return value

    return parse


def _within(kind: Callable[[Any], T], low: float, high: float) -> Callable[[Any], T]:
    def parse(value: Any) -> T:
        wrong = isinstance(value, bool) or not isinstance(value, int if kind is int else int | float)
        if wrong or not low <= value <= high:
            raise ValueError
        return kind(value)

    return parse
