"""The status page's figures and sentences."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_pictures import DAY_MS, NOW, days

from pom_cli.web.page import words as page_words
from pom_cli.web.page.data import Uptime

floats = st.floats(0, DAY_MS)


class TestWords:
    @given(floats, st.floats(0, 1))
    def test_a_percentage_is_never_rounded_up_to_all(self, known: float, share: float) -> None:
        uptime = Uptime(DAY_MS, known, known * share)
        told = page_words.percent(uptime)
        if known <= 0:
            assert told == "no data"
        else:
            assert (told == "100%") == (uptime.down_ms < 1)
            assert float(told[:-1]) <= 100 * uptime.up_ms / known + 0.001 or uptime.down_ms < 1

    TABLE = (
        (0, "under a minute"),
        (59, "under a minute"),
        (60, "1 min"),
        (3600, "1 h"),
        (7859, "2 h 10 min"),
        (86400, "1 day"),
        (2 * 86400 + 3 * 3600, "2 days 3 h"),
        (20 * 86400 + 3 * 3600, "20 days"),
    )

    @pytest.mark.parametrize(("seconds", "told"), TABLE)
    def test_how_long_it_lasted(self, seconds: int, told: str) -> None:
        assert page_words.lasted(timedelta(seconds=seconds)) == told

    SHARES = (
        (0, ""),
        (0.001, "under 1% measured"),
        (0.62, "62% measured"),
        (0.994, "99% measured"),
        (0.996, ""),
        (1, ""),
    )

    @pytest.mark.parametrize(("known", "told"), SHARES)
    def test_what_was_not_measured_is_told(self, known: float, told: str) -> None:
        assert page_words.covered(Uptime(DAY_MS, DAY_MS * known, 0)) == told


def test_of_many_days_with_downtime_the_worst_are_named() -> None:
    told = page_words.of_days(days(*((60 + number, 0.01 * (number + 1)) for number in range(12))), NOW)
    assert told.startswith(
        "Uptime by day, 27 Aug to 24 Nov: 78 days without downtime; downtime on 28 Oct (97% up), 29 Oct"
    )
    assert told.endswith("6 Nov (88% up) and 2 days with less.")
