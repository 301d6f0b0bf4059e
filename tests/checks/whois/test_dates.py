from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.whois.dates import AmbiguousDate, Order, order_in, read

WRITTEN = [
    ("2027-03-01T00:00:00Z", "2027-03-01T00:00:00"),
    ("2027-03-01T23:59:59.0Z", "2027-03-01T23:59:59"),
    ("2027-03-01T12:25:43.504Z", "2027-03-01T12:25:43"),
    ("2027-03-01T00:00:00-0700", "2027-03-01T07:00:00"),
    ("2027-03-01T03:00:00+09:00", "2027-02-28T18:00:00"),
    ("2027-03-01 18:03:50+03", "2027-03-01T15:03:50"),
    ("2027-03-01 10:22:50 (UTC+8)", "2027-03-01T02:22:50"),
    ("2027-03-01 00:00:00 (UTC+8)", "2027-03-01T00:00:00"),  # the day that the registry shows
    ("2027-03-01 00:00:00 (GMT+00:00)", "2027-03-01T00:00:00"),
    ("2027/03/01 01:05:07 (JST)", "2027-03-01T01:05:07"),  # zones by name are not converted
    ("2027-03-01 14:48:02 CLST", "2027-03-01T14:48:02"),
    ("2027-03-01 (YYYY-MM-DD)", "2027-03-01T00:00:00"),
    ("2027/03/01", "2027-03-01T00:00:00"),
    ("2027.03.01", "2027-03-01T00:00:00"),
    ("2027. 03. 01.", "2027-03-01T00:00:00"),
    ("2027年03月01日", "2027-03-01T00:00:00"),
    ("2027년 3월 1일", "2027-03-01T00:00:00"),
    ("20270301", "2027-03-01T00:00:00"),
    ("20270301 #160406", "2027-03-01T00:00:00"),
    ("20270301120000", "2027-03-01T12:00:00"),
    ("01-Mar-2027", "2027-03-01T00:00:00"),
    ("01-mar-2027 23:59:59 UTC", "2027-03-01T23:59:59"),
    ("01-Mar-27", "2027-03-01T00:00:00"),
    ("01MAR2027", "2027-03-01T00:00:00"),
    ("01 Mar 2027", "2027-03-01T00:00:00"),
    ("1st March 2027", "2027-03-01T00:00:00"),
    ("1st March, 2027 at 15:42:09.000", "2027-03-01T15:42:09"),
    ("Monday, 1st March, 2027", "2027-03-01T00:00:00"),
    ("Mon, 01 Mar 2027 12:00:00 +0000", "2027-03-01T12:00:00"),
    ("Mon Mar  1 23:59:00 2027", "2027-03-01T23:59:00"),
    ("Mon Mar 01 23:59:00 GMT 2027", "2027-03-01T23:59:00"),
    ("March 1, 2027", "2027-03-01T00:00:00"),
    ("March 1 2027", "2027-03-01T00:00:00"),
    ("Mar-01-2027", "2027-03-01T00:00:00"),
    ("2027-Mar-01.", "2027-03-01T00:00:00"),
    ("1 de marzo de 2027", "2027-03-01T00:00:00"),
    ("1. März 2027", "2027-03-01T00:00:00"),
    ("1 марта 2027", "2027-03-01T00:00:00"),
    ("01.03.2027", "2027-03-01T00:00:00"),
    ("1.3.2027 09:37:54", "2027-03-01T09:37:54"),
    ("31/12/2027", "2027-12-31T00:00:00"),
    ("12/31/2027 12:00:00 AM", "2027-12-31T00:00:00"),
    ("03-03-2027", "2027-03-03T00:00:00"),
    ("2027-03-01 24:00:00", "2027-03-02T00:00:00"),
    ("2027-03-01<br>", "2027-03-01T00:00:00"),
]


@pytest.mark.parametrize(("text", "expected"), WRITTEN)
def test_a_date_is_read_as_registries_write_it(text: str, expected: str) -> None:
    assert read(text) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "N/A",
        "never",
        "2027",
        "2027-13-01",
        "2027-02-30",
        "0000-00-00",
        "1970-01-01",
        "9999-12-31",
        "1403-07-15",
        "2027-03-01 or later",
        "in 2027-03-01",
        "13.13.2027",
        "01/03/27",
        "2027-03-01 25:00:00",
        "2027-03-01 10:61:00",
        "32 Mar 2027",
        "1 Marvember 2027",
        "listopad 1 2027",
        "192.0.2.2027",
        "20271301",
        "2027-3/1",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("text", ["03/04/2027", "03-04-2027 10:00:00", "1/2/2027"])
def test_a_date_that_could_be_two_is_refused_unless_the_order_is_known(text: str) -> None:
    with pytest.raises(AmbiguousDate):
        read(text)
    day_first, month_first = read(text, Order.DAY), read(text, Order.MONTH)
    assert day_first and month_first and (day_first.day, day_first.month) == (month_first.month, month_first.day)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("Created: 25/12/2009", Order.DAY),
        ("Created: 12-25-2009", Order.MONTH),
        ("Created 25/12/2009, changed 12/25/2010", Order.OPEN),
        ("Created: 05/04/2009", Order.OPEN),
        ("(dd/mm/yyyy)", Order.DAY),
        ("Expire (JJ/MM/AAAA)", Order.DAY),
        ("MM/DD/YYYY", Order.MONTH),
        ("2027-05-23 (YYYY-MM-DD)", Order.OPEN),
        ("date format : YYYY-MM-DDThh:mm:ssZ", Order.OPEN),
    ],
)
def test_the_order_is_taken_from_what_the_answer_shows(text: str, order: Order) -> None:
    assert order_in(text) is order


@given(st.dates(date(1980, 1, 1), date(2149, 12, 31)))
def test_a_day_is_read_back_from_every_unmistakable_form(day: date) -> None:
    forms = (
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%Y.%m.%d",
        "%Y%m%d",
        "%d-%b-%Y",
        "%d %B %Y",
        "%B %d, %Y",
        "%d.%m.%Y",
        "%a, %d %b %Y",
    )
    for form in forms:
        found = read(day.strftime(form))
        assert found is not None and found.date() == day, form


@given(st.dates(date(1980, 1, 2), date(2149, 12, 30)), st.times(), st.integers(-12 * 60, 14 * 60))
def test_an_iso_instant_is_converted_to_utc(day: date, clock: time, minutes: int) -> None:
    local = datetime.combine(day, clock.replace(microsecond=0), timezone(timedelta(minutes=minutes)))
    assert read(local.isoformat()) == local


@given(st.text(max_size=100))
def test_no_text_is_an_error(text: str) -> None:
    try:
        found = read(text)
    except AmbiguousDate:
        return
    assert found is None or found.tzinfo is UTC


def test_a_run_of_blanks_is_one() -> None:
    assert read("2027-03-01" + " " * 400 + "10:00:00\u3000\tUTC") == datetime(2027, 3, 1, 10, tzinfo=UTC)
    assert [read("01/13/2027" + " " * number + "!") for number in range(400)] == [None] * 400
