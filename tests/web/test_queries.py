"""URIs and query values, decent and hostile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.web.queries import LONGEST, Query, Refused, parse, split

ALL = ("kind", "since", "limit")


@pytest.mark.parametrize(
    ("uri", "segments", "query"),
    [
        ("/api/status", ("api", "status"), ""),
        ("/api/status?since=24h", ("api", "status"), "since=24h"),
        ("/api/status/my%20shop", ("api", "status", "my shop"), ""),
        ("/api/status/a%2fb", ("api", "status", "a/b"), ""),  # an encoded slash separates nothing
        ("/api/%2e%2e/status", ("api", "..", "status"), ""),
        ("/api/../status", ("api", "..", "status"), ""),
        ("//api/status", ("", "api", "status"), ""),
        ("/api/status/", ("api", "status", ""), ""),
        ("/", ("",), ""),
        ("http://pom.example.com/api/status?x", ("api", "status"), "x"),
        ("HTTP://pom.example.com:9100/api/status", ("api", "status"), ""),
        ("http://pom.example.com", ("",), ""),
        ("/api/status#part", ("api", "status"), ""),
        ("/%00%ff%zz", ("\0\ufffd%zz",), ""),
        ("/?", ("",), ""),
    ],
)
def test_a_path_is_taken_as_it_stands(uri: str, segments: tuple[str, ...], query: str) -> None:
    assert split(uri) == (segments, query)


@pytest.mark.parametrize(("uri", "status"), [("*", 404), ("pom:443", 404), ("/" + "x" * LONGEST, 414)])
def test_what_is_no_path_is_refused(uri: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        split(uri)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", Query()),
        ("kind=health&since=24h&limit=10", Query("health", "24h", 10)),
        ("kind=&since=&limit=", Query()),
        ("limit=1", Query(limit=1)),
        ("limit=10000", Query(limit=10_000)),
        ("since=2026-11-24T06:00:00Z", Query(since="2026-11-24T06:00:00Z")),
        ("since=2026-11-24T07:00:00%2B01:00", Query(since="2026-11-24T07:00:00+01:00")),
        ("since=2026-11-24T07:00:00+01:00", Query(since="2026-11-24T07:00:00+01:00")),
        ("_=1730000000&&x", Query()),
        ("%6bind=health", Query("health")),
    ],
)
def test_the_values_of_a_query(query: str, wanted: Query) -> None:
    assert parse(query, ALL) == wanted


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("kind=helth", "kind: 'helth' is not a kind of check; did you mean 'health'?"),
        ("since=yesterday", "since: 'yesterday' is not a duration like \"24h\" or an instant like"),
        ("since=2026-11-24", "since: '2026-11-24' is not a duration"),
        ("since=2026-13-24T06:00:00Z", "since: '2026-13-24T06:00:00Z' is not a duration"),
        ("since=-5m", "since: '-5m' is not a duration"),
        ("limit=0", "limit: '0' is not a whole number from 1 to 10000"),
        ("limit=10001", "limit: '10001' is not"),
        ("limit=1e3", "limit: '1e3' is not"),
        ("limit=1_0", "limit: '1_0' is not"),
        ("limit=%2B5", "limit: '+5' is not"),
        ("limit=%D9%A5", "limit: '٥' is not"),
        ("limit=" + "9" * 1000, "limit: '99"),
        ("limit=1&limit=2", "limit: given twice"),
    ],
)
def test_a_wrong_value_is_told_in_one_line(query: str, complaint: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(query, ALL)
    assert refused.value.status == 400
    assert str(refused.value).startswith(complaint)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_path_without_parameters_takes_no_offence_at_any() -> None:
    assert parse("kind=nonsense&limit=-1", ()) == Query()


@given(st.text())
def test_no_uri_and_no_query_does_worse_than_being_refused(text: str) -> None:
    for work in (split, lambda query: parse(query, ALL), lambda value: parse(f"since={value}&limit={value}", ALL)):
        try:
            work(text)
        except Refused as refused:
            assert refused.status in (400, 404, 414)
