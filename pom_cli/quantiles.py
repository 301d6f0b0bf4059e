"""Where the middle and the edges of some numbers lie. Pure. The standard library's own is slow to load."""

from collections.abc import Sequence


def median(values: Sequence[float]) -> float | None:
    """The middle value, the mean of the two middle ones, None for none."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return None
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def percentile(ordered: Sequence[int], percent: float) -> float | None:
    """The nearest-rank percentile of sorted values: the smallest that at least `percent` of them do not exceed."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]
