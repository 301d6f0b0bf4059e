"""Reading a date as registries write it. What can be read in two ways is refused: a guess would be wrong by months."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Order(StrEnum):
    """Which number comes first in a date that ends in its year, such as 03/04/2027."""

    DAY = "day first"
    MONTH = "month first"
    OPEN = "not known"


class AmbiguousDate(ValueError):
    """A date that would be another one if day and month stood the other way round."""


EARLIEST, LATEST = 1980, 2150  # 0000-00-00, 1970-01-01 and 9999-12-31 mean that there is no date

# In the languages that registries write in. Names that are different months in two of them (listopad) are left out.
_MONTHS = (
    "jan january enero ene janeiro janvier janv januar januari gennaio gen ocak января янв",
    "feb february febrero fevereiro fev février févr fév februar februari febbraio şubat февраля фев",
    "mar march marzo março mars märz maart mrt mart марта мар",
    "apr april abril abr avril avr aprile nisan апреля апр",
    "may mayo maio mai maj mei maggio mag mayıs мая май",
    "jun june junio junho juin juni giugno giu haziran июня июн",
    "jul july julio julho juillet juil juli luglio lug temmuz июля июл",
    "aug august agosto ago août aout augustus ağustos августа авг",
    "sep sept september septiembre setembro set septembre settembre eylül сентября сен",
    "oct october octubre outubro out octobre oktober okt ottobre ott ekim октября окт",
    "nov november noviembre novembro novembre kasım ноября ноя",
    "dec december diciembre dic dezembro dez décembre déc dezember desember dicembre aralık декабря дек",
)
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}

_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_MONTH_NAME = r"(?P<name>[^\W\d_]{3,12})\.?"
_TIME = r"(?P<h>\d{1,2}):(?P<mi>\d\d)(?::(?P<s>\d\d)(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\.?)?"
_OFFSET = r"(?P<sign>[+-])\s*(?P<oh>\d\d?)(?::?(?P<om>\d\d))?z?"
_NAMED = (
    "jst|kst|cst|est|edt|cdt|pst|pdt|mst|mdt|ist|bst|west|wet|cest|cet|eest|eet|msk|clst|clt|brst|brt|art|"
    "sgt|hkt|ict|wib|myt|pht|pkt|trt|sast|eat|cat|wat|aest|aedt|nzst|nzdt"
)
_ZONE = rf"(?:z(?:\.0z)?(?:\[\w+\])?|(?:utc|gmt)?\s*{_OFFSET}|utc|gmt|{_NAMED})"
_WHEN = rf"(?:(?:\s*(?P<t>t)|\s+at|,)?\s*{_TIME})?(?:\s*\(?\s*{_ZONE}\s*\)?)?"
_NOTES = r"(?:\s*(?:\([^)]*\)|#\d+|<[^>]*>|[.;,]))*\s*"
_SEP = r"(?P<sep>[-/]|\.\s?)"

_FORMS = tuple(
    re.compile(_WEEKDAY + form + _NOTES, re.IGNORECASE)
    for form in (
        rf"(?P<y>\d{{4}}){_SEP}(?P<m>\d{{1,2}})(?P=sep)(?P<d>\d{{1,2}})(?!\d)\.?{_WHEN}",
        rf"(?P<y>\d{{4}})\s?[年년]\s?(?P<m>\d{{1,2}})\s?[月월]\s?(?P<d>\d{{1,2}})\s?[日일]{_WHEN}",
        rf"(?P<y>\d{{4}})(?P<m>\d\d)(?P<d>\d\d)(?!\d){_WHEN}",
        r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)\s*(?:z|utc|gmt)?",
        rf"(?P<y>\d{{4}})[-/. ]{_MONTH_NAME}[-/. ](?P<d>\d{{1,2}})(?!\d)\.?{_WHEN}",
        rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|º|\.)?(?:[-/. ]+(?:(?:of|de)\s+)?|(?=[a-z])){_MONTH_NAME}"
        rf"(?:[-/., ]+(?:del?\s+)?|(?=\d))(?P<y>\d{{4}}|(?<=[-/])\d\d)(?!\d){_WHEN}",
        rf"{_MONTH_NAME}[-/ ]+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,\s*|[-/ ]+)(?P<y>\d{{4}})(?!\d){_WHEN}",
        rf"{_MONTH_NAME}\s+(?P<d>\d{{1,2}})\s+{_TIME}(?:\s+{_ZONE})?\s+(?P<y>\d{{4}})",
        rf"(?P<p>\d{{1,2}}){_SEP}(?P<q>\d{{1,2}})(?P=sep)(?P<y>\d{{4}})(?!\d){_WHEN}",
    )
)
_NUMBERS = re.compile(r"(?<![\d./:-])(\d{1,2})([-/.])(\d{1,2})\2(?:19|20)\d\d(?!\d)")
_HINT = re.compile(r"(?<![ya][-/. ])\b(?:(dd|jj)[-/. ]?mm|(mm)[-/. ]?(?:dd|jj))", re.IGNORECASE)


def read(text: str, order: Order = Order.OPEN) -> datetime | None:
    """The instant that this text is, in UTC; None where it is no date. Raises AmbiguousDate where it could be two.

    A day without a time is its midnight in UTC, and so is a midnight in the registry's own zone ("00:00:00 (UTC+8)"):
    the day that the registry shows is the day that is reported. An ISO 8601 time with an offset is converted. A time
    under a zone's name is taken as it stands, for the names are not unique (CST, IST).
    """
    text = " ".join(text.split())[:80]  # a long run of blanks can be split in very many ways
    for form in _FORMS:
        match = form.fullmatch(text)
        if match:
            return _instant(match.groupdict(), order)
    return None


def order_in(text: str) -> Order:
    """The order that a whole answer shows, by its dates that can be read in one way only and by hints (dd/mm/yyyy)."""
    orders = {Order.DAY if hint[1] else Order.MONTH for hint in _HINT.finditer(text)}
    for first, _, second in _NUMBERS.findall(text):
        if int(first) > 12 >= int(second):
            orders.add(Order.DAY)
        elif int(second) > 12 >= int(first):
            orders.add(Order.MONTH)
    return orders.pop() if len(orders) == 1 else Order.OPEN


def _instant(part: dict[str, str | None], order: Order) -> datetime | None:
    year = int(part["y"] or 0)
    year += 2000 if year < 100 else 0
    month, day = _month_and_day(part, order)
    hour, minute, second = (int(part.get(name) or 0) for name in ("h", "mi", "s"))
    if part.get("half"):
        hour = hour % 12 + (12 if str(part["half"]).lower().startswith("p") else 0)
    if not EARLIEST <= year <= LATEST or hour > 24 or minute > 59 or second > 60:
        return None
    try:
        wall = datetime(year, month, day, tzinfo=UTC) + timedelta(hours=hour, minutes=minute, seconds=min(second, 59))
    except ValueError:
        return None
    midnight = not (hour or minute or second)
    return wall if midnight and not part.get("t") else wall - _offset(part)


def _month_and_day(part: dict[str, str | None], order: Order) -> tuple[int, int]:
    """Both as numbers; 0 for an unknown month name, which no date accepts."""
    if part.get("name"):
        return _MONTH.get(str(part["name"]).lower(), 0), int(part["d"] or 0)
    if part.get("m"):
        return int(part["m"] or 0), int(part["d"] or 0)
    first, second = int(part["p"] or 0), int(part["q"] or 0)
    if order is Order.OPEN and str(part["sep"]).startswith("."):
        order = Order.DAY  # nobody writes 12.31.2027
    if first > 12 or first == second or (order is Order.DAY and second <= 12):
        return second, first
    if second > 12 or order is Order.MONTH:
        return first, second
    raise AmbiguousDate(f"{first}{part['sep']}{second}{part['sep']}{part['y']}")


def _offset(part: dict[str, str | None]) -> timedelta:
    if not part.get("sign"):
        return timedelta(0)
    size = timedelta(hours=int(part["oh"] or 0), minutes=int(part.get("om") or 0))
    return -size if part["sign"] == "-" else size
