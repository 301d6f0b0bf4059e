"""So many a minute and client, by a clock that the test turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.web.access import MINUTE, Limit, client


def test_a_minute_s_share_is_exactly_that_and_the_next_minute_brings_the_next() -> None:
    limit = Limit(3)
    assert [limit.spend("a", at) for at in (0, 10, 20)] == [0, 0, 0]
    assert limit.spend("a", 30) == 30
    assert limit.spend("a", 59.5) == 1
    assert limit.spend("a", 60) == 0


def test_waiting_as_long_as_it_says_is_enough() -> None:
    limit = Limit(1)
    limit.spend("a", 0.3)
    wait = limit.spend("a", 12.7)
    assert wait > 0
    assert limit.spend("a", 12.7 + wait) == 0


def test_clients_do_not_share() -> None:
    limit = Limit(1)
    assert limit.spend("a", 0) == limit.spend("b", 0) == 0
    assert limit.spend("a", 1) > 0


def test_none_is_no_limit() -> None:
    limit = Limit(0)
    assert not any(limit.spend("a", 0) for _ in range(1000))


def test_it_forgets_the_oldest_rather_than_grow() -> None:
    limit = Limit(1, clients=100)
    for number in range(1000):
        assert limit.spend(f"client-{number}", 0) == 0
    assert limit.spend("client-999", 0) > 0
    assert limit.spend("client-0", 0) == 0
    assert len(limit._minutes) == 100


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 30)), max_size=200), st.integers(1, 5))
def test_no_client_gets_more_than_twice_its_share_in_any_minute(steps: list[tuple[str, float]], most: int) -> None:
    limit, now = Limit(most), 0.0
    let: dict[str, list[float]] = {}
    for name, pause in steps:
        now += pause
        if limit.spend(name, now) == 0:
            let.setdefault(name, []).append(now)
    for times in let.values():
        for begin in times:
            assert sum(1 for at in times if begin <= at < begin + MINUTE) <= 2 * most


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_ipv6_host_is_its_network(address: str, who: str) -> None:
    assert client(address) == who
