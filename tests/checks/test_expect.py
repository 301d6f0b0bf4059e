import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.expect import Expected, mismatch, parse
from pom_cli.toml.table import Table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def differs(body: str | bytes, truncated: bool = False, **expected: Any) -> str | None:
    return mismatch(body.encode() if isinstance(body, str) else body, truncated, Expected(**expected))


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('{"status": "operational"}', {"status": "operational"}),
        ('{"status": "operational", "version": "1.2"}', {"status": "operational"}),
        ('{"database": {"ok": true, "lag": 3}}', {"database": {"ok": True}}),
        ('{"nodes": ["a", "b"]}', {"nodes": ["a", "b"]}),
        ('{"count": 3}', {"count": 3}),
        ('{"count": 3.0}', {"count": 3}),
        ('\ufeff{"status": "operational"}', {"status": "operational"}),
    ],
)
def test_a_body_may_hold_more_than_is_wanted(body: str, wanted: dict[str, Any]) -> None:
    assert differs(body, json=wanted) is None


@pytest.mark.parametrize(
    ("body", "wanted", "told"),
    [
        (
            '{"status": "starting"}',
            {"status": "operational"},
            'the body lacks status = "operational" (it says "starting")',
        ),
        ("{}", {"status": "operational"}, 'the body lacks status = "operational"'),
        ('{"db": {"ok": false}}', {"db": {"ok": True}}, "the body lacks db.ok = true (it says false)"),
        ('{"db": 1}', {"db": {"ok": True}}, "the body lacks db as a table (it says 1)"),
        ("{}", {"db": {"ok": True}}, "the body lacks db"),
        ('{"ok": 1}', {"ok": True}, "the body lacks ok = true (it says 1)"),
        ('{"count": true}', {"count": 1}, "the body lacks count = 1 (it says true)"),
        ('{"nodes": ["a"]}', {"nodes": ["a", "b"]}, 'the body lacks nodes = ["a", "b"] (it says ["a"])'),
        ('{"n": [{"a": 1, "b": 2}]}', {"n": [{"a": 1}]}, 'the body lacks n = [{"a": 1}] (it says [{"a": 1, "b": 2}])'),
        ("[]", {"status": "operational"}, "the body lacks a table"),
        ("<html>", {"status": "operational"}, "the body is not JSON"),
        (b"\xff\xfe\xff", {"status": "operational"}, "the body is not JSON"),
        ("[" * 100_000, {"status": "operational"}, "the body is not JSON"),
        ("1" * 10_000, {"status": "operational"}, "the body is not JSON"),
        (" \n", {"status": "operational"}, "the body is empty"),
        ('{"status": NaN}', {"status": 1}, "the body is not JSON"),
    ],
)  # fmt: skip
def test_a_body_that_lacks_something_is_told_what(body: str | bytes, wanted: dict[str, Any], told: str) -> None:
    assert differs(body, json=wanted) == told


def test_what_the_body_says_is_cut_and_printable() -> None:
    told = differs('{"status": "\\u001b[2J' + "x" * 5000 + '"}', json={"status": "operational"})
    assert told is not None
    assert told.isprintable()
    assert len(told) < 150


def test_a_text_that_may_stand_behind_what_was_read_is_not_called_missing() -> None:
    assert differs("x" * 99, truncated=True, text="ok") == 'the text "ok" is not in the first MiB, and no more is read'
    assert differs("ok" + "x" * 99, truncated=True, text="ok") is None


@pytest.mark.parametrize("expected", [{"json": {"a": 1}}, {"text": "ok"}])
def test_a_body_that_cannot_be_decoded_is_called_just_that(expected: dict[str, Any]) -> None:
    told = mismatch(b"\x0b\x02\x80", False, Expected(**expected), coding="br")
    assert told == "its body is encoded with br, which was not asked for and cannot be read here"
    assert mismatch(b"\x0b\x02\x80", False, Expected(), coding="br") is None


def test_a_truncated_body_is_not_taken_for_broken_json() -> None:
    assert differs('{"status": "opera', truncated=True, json={"a": 1}) == "the body is longer than 1 MiB"


@pytest.mark.parametrize("body", ["All systems go", b"\xff All systems go"])
def test_a_text_may_stand_anywhere(body: str | bytes) -> None:
    assert differs(body, text="systems go") is None


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_text_beyond_ascii_is_found_in_either_encoding(encoding: str) -> None:
    assert differs("Größe".encode(encoding), text="Größe") is None


@pytest.mark.parametrize("said", ["text/html; charset=windows-1251", 'text/html;Charset="CP1251"', "charset = cp1251"])
def test_a_text_is_found_in_the_charset_that_the_content_type_names(said: str) -> None:
    body, wanted = "Всё работает".encode("cp1251"), Expected(text="работает")
    assert mismatch(body, False, wanted, said) is None
    assert mismatch(body, False, wanted, "text/html") == 'the body lacks the text "работает"'


@pytest.mark.parametrize("charset", ["nonsense", "base64", "ascii", "undefined", "", "utf-8\x00"])
def test_a_charset_of_no_use_changes_nothing(charset: str) -> None:
    assert mismatch("Größe".encode(), False, Expected(text="Größe"), f"text/html; charset={charset}") is None
    assert mismatch(b"", False, Expected(text="Größe"), f"text/html; charset={charset}") is not None


@pytest.mark.parametrize("body", ["", "nothing", "???"])
def test_a_text_that_is_not_there_is_named(body: str) -> None:
    assert differs(body, text="日本語") == 'the body lacks the text "日本語"'


def test_json_and_text_must_both_hold() -> None:
    assert differs('{"a": 1}', json={"a": 1}, text="b") == 'the body lacks the text "b"'
    assert differs('{"a": 1, "b": 2}', json={"a": 1}, text="b") is None


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.dictionaries(st.text(max_size=3), JSON, max_size=2))
def test_every_table_contains_itself_and_stays_so_when_it_grows(wanted: dict[str, Any], more: dict[str, Any]) -> None:
    import json

    assert differs(json.dumps({**more, **wanted}), json=wanted) is None


class TestParse:
    def read(self, data: dict[str, Any]) -> tuple[Expected, list[str]]:
        table = Table(data, "targets.shop.health", [])
        return parse(table), table.problems

    def test_nothing_said_expects_nothing(self) -> None:
        assert self.read({}) == (Expected(), [])

    def test_all_three_are_read(self) -> None:
        data = {"expect": {"status": "ok"}, "expect_text": "ok", "expect_status": [200, 204]}
        assert self.read(data) == (Expected({"status": "ok"}, "ok", (200, 204)), [])

    @pytest.mark.parametrize(
        ("key", "value", "right"),
        [
            ("expect", "ok", 'a table of JSON values like { status = "operational" }'),
            ("expect", {"on": date(2026, 1, 2)}, 'a table of JSON values like { status = "operational" }'),
            ("expect", {"n": math.nan}, 'a table of JSON values like { status = "operational" }'),
            ("expect_text", 5, "a text"),
            ("expect_status", 200, "a list of HTTP statuses like [200, 204]"),
            ("expect_status", [99], "a list of HTTP statuses like [200, 204]"),
            ("expect_status", [True], "a list of HTTP statuses like [200, 204]"),
        ],
    )
    def test_a_mistake_is_named(self, key: str, value: Any, right: str) -> None:
        expected, problems = self.read({key: value})
        assert expected == Expected()
        assert len(problems) == 1
        assert problems[0].startswith(f"targets.shop.health.{key}: ")
        assert problems[0].endswith(f" is not {right}")
