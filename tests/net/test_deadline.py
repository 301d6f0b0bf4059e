import pytest

from pom_cli.net.deadline import Deadline


def test_remaining_is_what_is_left() -> None:
    assert 9 < Deadline.after(10).remaining() <= 10


def test_remaining_raises_once_it_has_passed() -> None:
    with pytest.raises(TimeoutError):
        Deadline.after(0).remaining()


def test_a_part_ends_earlier_and_is_told_as_the_whole() -> None:
    part = Deadline.after(10).part(4)
    assert part.seconds == 10
    assert 2 < part.remaining() <= 2.5
