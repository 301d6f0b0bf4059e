"""Data from outside: what is read, and that nothing hostile does more than not to be read."""

import codecs
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pom_cli.outside import DEEPEST, Unreadable, from_json, from_toml, read_xml

MANY = 200_000  # more levels than any stack has room for


def xml(content: bytes) -> list[str]:
    seen: list[str] = []
    read_xml(content, lambda tag, _: seen.append(tag), lambda tag: None)
    return seen


def on_a_small_stack(work: Callable[[], Any]) -> Any:
    """What `work` returns or raises in a thread such as the checks run in."""
    told: list[Any] = []

    def run() -> None:
        try:
            told.append(work())
        except Unreadable as error:
            told.append(error)

    before = threading.stack_size(1 << 18)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    return told[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, true, null, "\\u00e9"]}', {"a": [1, 2.5, True, None, "é"]}),
        ('{"a": "é"}'.encode(), {"a": "é"}),
        (codecs.BOM_UTF8 + b'{"a": 1}', {"a": 1}),
        ('{"a": "é"}'.encode("utf-16"), {"a": "é"}),
        ('{"a": "é"}'.encode("utf-32-be"), {"a": "é"}),
        ("9" * 4000, int("9" * 4000)),
        ("[" * DEEPEST + "]" * DEEPEST, None),
        ("[" + "[{}], " * 1000 + "1]", [[{}]] * 1000 + [1]),
        ('["' + "[{" * 1000 + '", "\\"[\\\\", ' + '"[", ' * 1000 + "1]", None),
    ],
)
def test_honest_json_is_read(text: str | bytes, value: Any) -> None:
    assert from_json(text) == value or value is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested more than 100 levels deep"),
        ("[" * MANY, "nested more than 100 levels deep"),
        ('{"a":' * MANY, "nested more than 100 levels deep"),
        ('["\\"", ' * MANY, "nested more than 100 levels deep"),
        (("[" * MANY).encode("utf-16"), "nested more than 100 levels deep"),
        ('"' + '\\"[' * MANY, "Unterminated string"),
        ("[" * 99 + '"[' + "\\" * MANY, ""),
        ("]" * MANY + "[" * MANY, "Expecting value"),
        ("9" * MANY, "Exceeds the limit"),
        ("NaN", "NaN is not a number in JSON"),
        ('{"a": -Infinity}', "-Infinity is not a number in JSON"),
        (b"\xff\xfe\xff", ""),
        (b"\x00" * MANY, "Expecting value"),
        (b"", "Expecting value"),
        ("\ufeff{}", "Unexpected UTF-8 BOM"),
    ],
)  # fmt: skip
def test_hostile_json_is_refused_on_a_small_stack(text: str | bytes, why: str) -> None:
    told = on_a_small_stack(lambda: from_json(text))
    assert isinstance(told, Unreadable)
    assert why in str(told)


def test_what_is_read_can_be_walked_and_written_on_a_small_stack() -> None:
    import json

    text = '{"a":[' * (DEEPEST // 2) + "]}" * (DEEPEST // 2)
    assert on_a_small_stack(lambda: json.dumps(from_json(text), separators=(",", ":"))) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = " + "[" * MANY, "nested more than 100 levels deep"),
        ("a = " + "{a=" * MANY, "nested more than 100 levels deep"),
        ("a = " + "[" * DEEPEST + "]" * DEEPEST, "nested more than 100 levels deep"),
        ("a" + ".a" * DEEPEST + " = 1", "nested more than 100 levels deep"),
        ("[a" + ".a" * DEEPEST + "]", "nested more than 100 levels deep"),
        ("a = " + "9" * MANY, "Exceeds the limit"),
        ("a = \x00", "Invalid value"),
    ],
)
def test_hostile_toml_is_refused(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        from_toml(text)


def test_honest_toml_is_read() -> None:
    assert from_toml("a = [[1], {b = 2}]\n[c.d]\ne = 3") == {"a": [[1], {"b": 2}], "c": {"d": {"e": 3}}}
    assert from_toml("a" + ".a" * (DEEPEST - 2) + " = 1")


CHAIN = b"".join(b'<!ENTITY e%d "&e%d;">' % (number + 1, number) for number in range(100_000))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<a>" * MANY, "nested more than 100 levels deep"),
        (b"<a>" * MANY + b"</a>" * MANY, "nested more than 100 levels deep"),
        (b'<!DOCTYPE a [<!ENTITY e0 "x">' + CHAIN + b"]><a>&e100000;</a>", "it declares a document type"),
        (b"<!DOCTYPE a [<!ELEMENT a " + b"(" * MANY + b"b" + b")" * MANY + b">]><a/>", "a document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "it declares a document type"),
        ('<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16"), "it declares a document type"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "unknown encoding"),
        (b"<a>&e;</a>", "undefined entity"),
        (b"\x00" * MANY, "not well-formed"),
        (b"", "no element found"),
    ],
)
def test_hostile_xml_is_refused_on_a_small_stack(content: bytes, why: str) -> None:
    told = on_a_small_stack(lambda: xml(content))
    assert isinstance(told, Unreadable)
    assert why in str(told)


def test_honest_xml_is_read() -> None:
    assert xml(b"<a><b x='1'/><c>text</c></a>") == ["a", "b", "c"]
    assert len(xml(b"<a>" * DEEPEST + b"</a>" * DEEPEST)) == DEEPEST
    assert len(xml(b"<a>" + b"<b/>" * 10_000 + b"</a>")) == 10_001
