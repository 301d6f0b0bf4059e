"""Data from outside → Python values: JSON, TOML, XML, with one bound on depth for all of them.

Parsers and encoders written in C recurse. How deep they may is, from Python 3.12 on, a constant that no longer fits
the stack of a thread: deep data then ends the whole process by a signal that nothing can catch. What has passed here
is never deep, so later code may recurse.
"""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

DEEPEST = 100  # levels; honest answers and configs stay below 20
_TOO_DEEP = f"nested more than {DEEPEST} levels deep"
# All of JSON but its brackets; a string without an end is one, too, so that no text takes longer than its length.
_BETWEEN_BRACKETS = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[^][{}"]++'
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


class Unreadable(ValueError):
    """It is not what it should be, is nested too deep, or holds a number of more digits than Python reads."""


def from_json(text: bytes | str) -> Any:
    """The value of a JSON text (RFC 8259), as UTF-8, UTF-16 or UTF-32 where it is bytes. Raises Unreadable."""
    import json

    try:
        told = text if isinstance(text, str) else text.decode(json.detect_encoding(text), "surrogatepass")
        if _depth(told) > DEEPEST:
            raise Unreadable(_TOO_DEEP)
        return json.loads(told, parse_constant=_no_number)
    except ValueError as error:
        raise Unreadable(str(error)) from None


def from_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML document. Raises Unreadable."""
    import tomli

    try:
        data = tomli.loads(text)
    # It bounds the depth of what it reads by itself, but higher; the ValueError is of too many digits, too.
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    except ValueError as error:
        raise Unreadable(str(error)) from None
    level: list[Any] = [data]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _within(value)]
    if level:
        raise Unreadable(_TOO_DEEP)
    return data


def read_xml(content: bytes, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]) -> None:
    """Call `start` and `end` for each element. Raises Unreadable, also for what they raise as a ValueError.

    A document type is refused: entities are declared in it, and expat follows a chain of them by recursion.
    """
    from xml.parsers import expat

    depth = 0

    def starts(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise Unreadable(_TOO_DEEP)
        start(tag, attributes)

    def ends(tag: str) -> None:
        nonlocal depth
        depth -= 1
        end(tag)

    def doctype(*_declared: Any) -> None:
        raise Unreadable("it declares a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = starts, ends, doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last: nobody knows its encoding
        raise Unreadable(str(error)) from None


def _depth(text: str) -> int:
    """How deep a parser of this JSON text gets, before it ends or fails."""
    import re

    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    brackets = re.sub(_BETWEEN_BRACKETS, "", text, flags=re.DOTALL)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _within(value: Any) -> Iterator[Any]:
    """The tables and lists in this table or list."""
    inner = value.values() if isinstance(value, dict) else value
    return (one for one in inner if isinstance(one, dict | list))


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")
