"""What time it is at the other end, by an answer's `Date` (RFC 9110, section 6.6.1). Pure."""

from collections.abc import Iterable
from datetime import UTC


def skew_s(headers: Iterable[tuple[str, str]], now_s: float) -> int | None:
    """The other clock less ours, in whole seconds; None where the answer tells no date.

    What comes from a cache was dated when it was stored: its `Age` (RFC 9111, section 5.1) is added.
    """
    from email.utils import parsedate_to_datetime

    fields = {name.lower(): value.strip() for name, value in headers}
    try:
        dated = parsedate_to_datetime(fields["date"])
        age = min(int(fields.get("age") or 0), 1 << 31)
        return round((dated if dated.tzinfo else dated.replace(tzinfo=UTC)).timestamp() + age - now_s)
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None
