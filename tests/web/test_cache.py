"""What is kept of answers, and for how long."""

from __future__ import annotations

from pom_cli.web.answers import Answer
from pom_cli.web.cache import TOO_LONG, Cache, Kept, keep

MARK = (1, 2, 3_000_000_000, 4)


def test_an_answer_holds_until_the_next_second_begins() -> None:
    kept = keep(Answer(200, b"x"), MARK, 1000.4)
    assert kept.holds(MARK, 1000.4)
    assert kept.holds(MARK, 1000.999)
    assert not kept.holds(MARK, 1001.0)
    assert not kept.holds(MARK, 900.0)  # a clock that was set back


def test_it_does_not_hold_once_the_file_has_changed() -> None:
    kept = keep(Answer(200, b"x"), MARK, 1000.4)
    assert not kept.holds((1, 2, 3_000_000_001, 4), 1000.5)
    assert not kept.holds((1, 9, 3_000_000_000, 4), 1000.5)
    assert not kept.holds("FileNotFoundError", 1000.5)


def test_while_the_file_is_in_motion_it_holds_for_a_moment_only() -> None:
    """Two commits within one tick of the file system's clock leave the same time of change."""
    wall = 1000.4
    kept = keep(Answer(200, b"x"), (1, 2, round((wall - 0.003) * 1e9), 4), wall)
    assert kept.holds(kept.mark, wall + 0.04)
    assert not kept.holds(kept.mark, wall + 0.06)


def test_it_never_grows_beyond_its_bounds() -> None:
    cache = Cache(most=10, most_bytes=1000)
    for number in range(100):
        cache.put(number, Kept(Answer(200, b"x" * 300), MARK, 1.0))
    assert [number for number in range(100) if cache.get(number)] == [97, 98, 99]
    for number in range(100):
        cache.put(f"small-{number}", Kept(Answer(200, b"x"), MARK, 1.0))
    assert sum(1 for number in range(100) if cache.get(f"small-{number}")) == 10


def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    cache = Cache(most=10, most_bytes=1000)
    for _ in range(50):
        cache.put("same", Kept(Answer(200, b"x" * 900), MARK, 1.0))
    assert cache.get("same")
    cache.put("same", Kept(Answer(200, b"x" * (TOO_LONG + 1)), MARK, 1.0))
    assert cache.get("same") is None
