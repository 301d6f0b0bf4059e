"""Statuses and latencies as the database holds them: small numbers and packed arrays."""

from array import array
from collections.abc import Iterable

from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Status

STATUSES = (OPERATIONAL, DEGRADED, ERROR, UNREACHABLE, UNKNOWN)  # the numbers are stored: only ever append
NUMBERS = {status: number for number, status in enumerate(STATUSES)}
_DRIFTING = 8  # added to a result's number: it answered well, but slowly


def code(status: Status, drifting: bool = False) -> int:
    return NUMBERS[status] + (_DRIFTING if drifting else 0)


def status(number: int) -> Status:
    return STATUSES[number % _DRIFTING]


def maybe_status(number: int | None) -> Status | None:
    return None if number is None else status(number)


def pack(latencies: Iterable[int]) -> bytes:
    """Latencies in ms, four bytes each. A drifting result's is negative: it stays out of the baseline."""
    return array("i", latencies).tobytes()


def unpack(blob: bytes | None) -> list[int]:
    return list(array("i", blob or b""))
