import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli import config
from pom_cli.errors import ConfigError
from pom_cli.toml.table import Table, nearest, shown

HUGE = 16**5000  # Python refuses to write it out in decimals
READERS: dict[str, Callable[[Table], Any]] = {
    "text": lambda table: table.text("key", "usual"),
    "line": lambda table: table.line("key", "usual"),
    "boolean": lambda table: table.boolean("key", True),
    "integer": lambda table: table.integer("key", 2, 1, 10),
    "number": lambda table: table.number("key", 2.0, 1.1, 100),
    "duration": lambda table: table.duration("key", timedelta(seconds=10), "10s", low="1s", high="5m"),
    "url": lambda table: table.url("key", "https://usual.example"),
    "address": lambda table: table.address("key", "127.0.0.1:9100"),
    "choice": lambda table: table.choice("key", "alert", ("alert", "ignore")),
    "texts": lambda table: table.texts("key", ("usual",)),
    "date": lambda table: table.date("key"),
    "subtable": lambda table: table.table("key").data,
    "tables": lambda table: [(one.path, one.data) for one in table.tables("key")],
}


def read(reader: str, **data: Any) -> tuple[Any, list[str]]:
    """What a reader gives for `key`, and what it complains of."""
    table = Table(data, "targets.shop", [])
    return READERS[reader](table), table.problems


@pytest.mark.parametrize(
    ("reader", "value", "found"),
    [
        ("text", "", ""),
        ("text", "two\nlines", "two\nlines"),
        ("line", "one line", "one line"),
        ("boolean", False, False),
        ("integer", 1, 1),
        ("integer", 10, 10),
        ("number", 2, 2.0),
        ("number", 1.1, 1.1),
        ("duration", "1m30s", timedelta(seconds=90)),
        ("duration", "5m", timedelta(minutes=5)),
        ("url", "http://[::1]:80/a", "http://[::1]:80/a"),
        ("address", "[::]:9100", ("::", 9100)),
        ("choice", "ignore", "ignore"),
        ("texts", [], ()),
        ("texts", ["a", "b"], ("a", "b")),
        ("date", date(2027, 3, 1), date(2027, 3, 1)),
        ("subtable", {"a": 1}, {"a": 1}),
        ("tables", ["/", {"path": "/x"}],
         [("targets.shop.key[0]", {"": "/"}), ("targets.shop.key[1]", {"path": "/x"})]),
    ],
)  # fmt: skip
def test_a_right_value_is_read(reader: str, value: Any, found: Any) -> None:
    assert read(reader, key=value) == (found, [])


@pytest.mark.parametrize(
    ("reader", "usual"),
    [
        ("text", "usual"),
        ("line", "usual"),
        ("boolean", True),
        ("integer", 2),
        ("number", 2.0),
        ("duration", timedelta(seconds=10)),
        ("url", "https://usual.example"),
        ("address", ("127.0.0.1", 9100)),
        ("choice", "alert"),
        ("texts", ("usual",)),
        ("date", None),
        ("subtable", {}),
        ("tables", []),
    ],
)
def test_an_absent_key_has_its_default(reader: str, usual: Any) -> None:
    assert read(reader) == (usual, [])


@pytest.mark.parametrize(
    ("reader", "value", "message"),
    [
        ("text", 3, "3 is not a text"),
        ("text", True, "true is not a text"),
        ("line", "", "'' is not a text on one line"),
        ("line", "a\nb", r"'a\nb' is not a text on one line"),
        ("line", "\x1b[2J", r"'\x1b[2J' is not a text on one line"),
        ("boolean", 1, "1 is not true or false"),
        ("boolean", "yes", "'yes' is not true or false"),
        ("integer", True, "true is not a whole number from 1 to 10"),
        ("integer", 2.0, "2.0 is not a whole number from 1 to 10"),
        ("integer", "2", "'2' is not a whole number from 1 to 10"),
        ("integer", 0, "0 is not a whole number from 1 to 10"),
        pytest.param("integer", HUGE, "a number of very many digits is not a whole number from 1 to 10", id="huge"),
        ("number", math.nan, "nan is not a number from 1.1 to 100"),
        ("number", math.inf, "inf is not a number from 1.1 to 100"),
        ("number", False, "false is not a number from 1.1 to 100"),
        pytest.param("number", HUGE, "a number of very many digits is not a number from 1.1 to 100", id="huge too"),
        ("duration", "soon", "'soon' is not a duration like \"10s\""),
        ("duration", "", "'' is not a duration like \"10s\""),
        ("duration", 10, '10 is not a duration like "10s"'),
        ("duration", time(7, 32), '07:32:00 is not a duration like "10s"'),
        ("duration", "500ms", "'500ms' is not between 1s and 5m"),
        ("duration", "6m", "'6m' is not between 1s and 5m"),
        ("duration", "9" * 400 + "d", f"'{'9' * 78}… is not a duration like \"10s\""),
        ("url", "example.com", "'example.com' is not a URL like https://example.com"),
        ("url", "https://me:hush@example.com",
         "'https://(hidden)@example.com' is not a URL like https://example.com without user and password"),
        ("url", ["https://example.com"], "['https://example.com'] is not a URL like https://example.com"),
        ("address", "9100", "'9100' is not an address like \"127.0.0.1:9100\""),
        ("address", "127.0.0.1:70000", "'127.0.0.1:70000' is not an address like \"127.0.0.1:9100\""),
        ("choice", "allert", "'allert' is not one of alert, ignore; did you mean 'alert'?"),
        ("choice", [], "[] is not one of alert, ignore"),
        ("texts", "a", "'a' is not a list of texts"),
        ("texts", ["a", 1], "['a', 1] is not a list of texts"),
        ("texts", {"a": 1}, "{a = 1} is not a list of texts"),
        ("date", "2027-03-01", "'2027-03-01' is not a date like 2027-03-01 (without quotes)"),
        ("date", datetime(2027, 3, 1), "2027-03-01 00:00:00 is not a date like 2027-03-01 (without quotes)"),  # noqa: DTZ001
        ("subtable", [{"a": 1}], "[{a = 1}] is not a table"),
        ("subtable", "x", "'x' is not a table"),
        ("tables", {"a": 1}, "{a = 1} is not a list"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_what_would_be_right(reader: str, value: Any, message: str) -> None:
    found, problems = read(reader, key=value)
    assert problems == [f"targets.shop.key: {message}"]
    assert found == read(reader)[0]


def test_a_wrong_item_of_a_list_of_tables_is_told_by_its_number() -> None:
    assert read("tables", key=["/", 5])[1] == ["targets.shop.key[1]: 5 is not a table"]


def test_of_what_stands_in_the_place_of_a_table_nothing_more_is_said() -> None:
    table = Table({"ops": "root"}, "targets.shop", [])
    ops = table.table("ops")
    ops.missing("ssh", "a destination")
    assert table.problems == ["targets.shop.ops: 'root' is not a table"]


def test_an_unknown_key_is_told_with_the_nearest_right_one() -> None:
    table = Table({"timeut": "10s", "zzz": 1, "api_token": "hush"}, "targets.shop.health", [])
    table.duration("timeout", timedelta(seconds=10), "10s")
    table.line("path", "/")
    table.finish()
    assert table.problems == [
        "targets.shop.health.timeut: unknown key (its value: '10s'); did you mean 'timeout'?",
        "targets.shop.health.zzz: unknown key (its value: 1); known here: path, timeout",
        "targets.shop.health.api_token: unknown key; secrets go into the environment or the env file",
    ]


@pytest.mark.parametrize("key", ["passwrd", "tokn", "zzz"])
def test_a_text_under_a_key_that_resembles_none_may_be_a_secret_and_is_not_shown(key: str) -> None:
    table = Table({key: "hush"}, "alerts", [])
    table.texts("to")
    table.finish()
    assert len(table.problems) == 1
    assert "hush" not in table.problems[0]


def test_of_an_unknown_table_and_of_a_webhooks_url_nothing_is_shown() -> None:
    table = Table({"webhok": {"url": "https://example.com/hush"}}, "alerts", [])
    table.known.add("webhook")
    table.finish()
    hook = Table({"ulr": "https://example.com/hush"}, "alerts.webhook", [])
    hook.known.add("url")
    hook.finish()
    assert "hush" not in table.problems[0] + hook.problems[0]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("url", "targets.url"),
        ("shop.example.com", 'targets."shop.example.com"'),
        ("", 'targets.""'),
        ('a"b', r'targets."a\"b"'),
        ("bücher", 'targets."bücher"'),
        ("a\nb\x1b", 'targets."a b"'),
        ("x" * 100, f'targets."{"x" * 63}…"'),
    ],
)
def test_a_path_is_quoted_as_in_toml_and_stays_on_one_line(key: str, path: str) -> None:
    assert Table({}, "targets", []).at(key) == path
    assert Table({}, "", []).at(key) == path.removeprefix("targets.")


@pytest.mark.parametrize(
    ("value", "key", "text"),
    [
        ("hush", "smtp_password", "(hidden)"),
        ({"password": "hush", "port": 25}, "smtp", "{password = (hidden), port = 25}"),
        ({"Authorization": "hush", "Accept": 1}, "headers", "{Authorization = (hidden), Accept = (hidden)}"),
        ("Authorization: hush", "headers", "(hidden)"),
        (["authorization"], "headers", "['authorization']"),
        (["Authorization: hush"], "headers", "[(hidden)]"),
        ([{"token": "hush"}], "records", "[{token = (hidden)}]"),
        ("https://u:hush@h/?token=hush", "url", "'https://(hidden)@h/?token=(hidden)'"),
        ([[[[["deep"]]]]], "", "[[[[…]]]]"),
        ({"a": {"b": {"c": {"d": 1}}}}, "", "{a = {b = {c = {…}}}}"),
        ("x" * 100, "", "'" + "x" * 78 + "…"),
        (["x"] * 100, "", "['x', " + "'x', " * 14 + "'x'…"),
        ({}, "", "{}"),
    ],
)  # fmt: skip
def test_a_value_is_shown_short_and_without_secrets(value: Any, key: str, text: str) -> None:
    assert shown(value, key) == text


@pytest.mark.parametrize(
    ("word", "names", "told"),
    [
        ("chekc", ["check", "status"], "; did you mean 'check'?"),
        ("zzz", ["check", "status"], "; known here: check, status"),
        ("check", ["check", "status"], ""),
        ("zzz", [], ""),
        (5, ["check"], "; known here: check"),
        (["check"], ["check"], "; known here: check"),
        ("zzz", [f"n{number:02}" for number in range(20)],
         "; known here: n00, n01, n02, n03, n04, n05, n06, n07, n08, n09, n10, n11, …"),
    ],
)  # fmt: skip
def test_the_nearest_name_is_proposed(word: Any, names: list[str], told: str) -> None:
    assert nearest(word, names) == told


def test_every_key_asked_for_is_kept_with_the_value_that_holds() -> None:
    table = Table({"path": "/x"}, "", [])
    table.line("path", "/")
    table.line("name", "usual")
    table.line("empty")
    table.date("never")
    table.table("sub").integer("port", 25, 1, 65535)
    assert table.effective == {"path": "/x", "name": "usual", "sub": {"port": 25}}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes() | st.times(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.slow
@given(VALUES, st.sampled_from(sorted(READERS)))
def test_no_value_is_too_odd_to_be_read_and_a_message_is_one_short_line(value: Any, reader: str) -> None:
    _, problems = read(reader, key=value)
    for problem in problems:
        assert len(problem) < 250 and problem.isprintable()


@pytest.mark.slow
@given(VALUES, st.sampled_from(["password", "api_token", "Authorization"]))
def test_the_value_of_a_secret_is_never_shown(value: Any, key: str) -> None:
    assert shown(value, key) == "(hidden)"
    assert shown({key: value}, "smtp") == f"{{{key} = (hidden)}}"


@pytest.mark.parametrize(
    "toml",
    [
        '[alerts]\nwebhook_url = "https://hooks.example.com/hush"',
        '[alerts]\nwebhooks = ["https://hooks.example.com/hush"]',
        '[alerts]\nwebhook = "https://hooks.example.com/hush"',
        '[alerts]\nwebhook = ["https://hooks.example.com/hush"]',
        '[alerts.webhook]\nurls = ["https://hooks.example.com/hush"]',
        '[alerts]\npostmark_key = "hush"',
        '[targets.shop.health]\nheader = "X-Key: hush"',
        '[targets.shop.health]\nheader = ["X-Key: hush"]',
    ],
)
def test_a_secret_in_the_place_of_a_table_is_not_shown(toml: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config.parse(toml, Path("/x/pom.toml"), {"HOME": "/home/ops"})
    assert "hush" not in str(refused.value)
