from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.times import duration, from_ms, local, short, ticking, to_ms, utc, written


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("10s", timedelta(seconds=10)),
        ("1.5s", timedelta(seconds=1.5)),
        ("5m", timedelta(minutes=5)),
        ("1h", timedelta(hours=1)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("14d", timedelta(days=14)),
        ("2w", timedelta(days=14)),
        ("0s", timedelta(0)),
    ],
)
def test_a_duration_is_read(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "10",
        "s",
        "10 s",
        " 10s",
        "10s ",
        "-5m",
        "1,5s",
        "5min",
        "10S",
        "1h-30m",
        "1h 30m",
        "٣s",
        "1e3s",
        "s10",
        "9" * 400 + "d",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


@given(st.integers(0, 10**12))
def test_what_is_written_reads_as_the_same(ms: int) -> None:
    span = timedelta(milliseconds=ms)
    assert duration(written(span)) == span


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(minutes=5), "5m"),
        (timedelta(days=14), "14d"),
    ],
)
def test_a_duration_is_written_as_the_config_has_it(span: timedelta, text: str) -> None:
    assert written(span) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=0.4), "0 s"),
        (timedelta(seconds=45), "45 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(minutes=5, seconds=3), "5 min 3 s"),
        (timedelta(hours=2, minutes=10, seconds=5), "2 h 10 min"),
        (timedelta(hours=2, seconds=5), "2 h"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_people_get_the_two_largest_units(span: timedelta, text: str) -> None:
    assert short(span) == text


def test_programs_get_utc_in_whole_seconds() -> None:
    instant = datetime(2026, 11, 24, 7, 40, 15, 999_999, timezone(timedelta(hours=1)))
    assert utc(instant) == "2026-11-24T06:40:15Z"
    assert utc(datetime(99, 1, 2, tzinfo=UTC)) == "0099-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "2026-11-24 06:40:15 +00:00"),
        ("Europe/Berlin", "2026-11-24 07:40:15 +01:00"),
        ("America/St_Johns", "2026-11-24 03:10:15 -03:30"),
    ],
)
def test_people_get_this_machines_time_with_its_offset(zone: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    with monkeypatch.context() as changed:
        changed.setenv("TZ", zone)
        time.tzset()
        assert local(datetime(2026, 11, 24, 6, 40, 15, 123, UTC)) == text
    time.tzset()


@given(st.integers(-(10**12), 10**13))
def test_stored_milliseconds_come_back_as_they_were(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms
    assert from_ms(ms).tzinfo is UTC


def test_a_ticking_clock_begins_at_the_given_time_and_never_goes_back() -> None:
    now = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)
    clock = ticking(now)
    first, second = clock(), clock()
    assert now <= first <= second < now + timedelta(minutes=1)
