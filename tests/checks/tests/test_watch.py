"""The one line that tells on a terminal how a test run goes."""

from datetime import timedelta

import pytest

from pom_cli.checks.tests.watch import told_of


@pytest.mark.parametrize(
    ("count", "newest", "told"),
    [
        (0, "", "shop: running for 5 s, no lines"),
        (1, "test one", "shop: running for 5 s, 1 line; test one"),
        (12, "test b", "shop: running for 5 s, 12 lines; test b"),
        (2, "", "shop: running for 5 s, 2 lines"),
    ],
)
def test_the_line_counts_what_came_and_ends_with_the_newest(count: int, newest: str, told: str) -> None:
    assert told_of("shop", timedelta(seconds=5), count, newest) == told
