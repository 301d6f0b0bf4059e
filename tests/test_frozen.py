import dataclasses
import pickle
from collections.abc import Mapping
from dataclasses import field, replace

import pytest

from pom_cli.frozen import dataclass


@dataclass(frozen=True)
class Point:
    """Where it is."""

    x: int
    y: int = 0
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    hush: str = field(default="", repr=False)

    def moved(self, by: int) -> "Point":
        return replace(self, x=self.x + by)


@dataclass(frozen=True)
class Place:
    """The same fields in another class."""

    x: int
    y: int = 0


@dataclass(frozen=True)
class Sum:
    """With words of its own."""

    value: int

    def __repr__(self) -> str:
        return f"<{self.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and abs(self.value) == abs(other.value)

    def __hash__(self) -> int:
        return hash(abs(self.value))


@dataclass(frozen=True)
class Nothing:
    """No field at all."""


@dataclass
class Counter:
    """One that changes."""

    count: int = 0


def test_it_takes_its_fields_by_place_and_by_name_with_their_defaults() -> None:
    assert (Point(1).x, Point(1).y, Point(x=1, y=2).y) == (1, 0, 2)
    assert Point(1).labels == {} and Point(1).labels is not Point(1).labels


@pytest.mark.parametrize("wrong", [lambda: Point(), lambda: Point(1, z=2), lambda: Point(1, 2, {}, "", 5)])  # type: ignore[call-arg]
def test_what_is_missing_or_unknown_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError):
        wrong()  # type: ignore[operator]


def test_what_is_wrong_is_told_of_the_class_itself() -> None:
    for _ in range(2):  # its first instance and every later one
        with pytest.raises(TypeError, match=r"^Place\.__init__\(\) missing 1 required positional argument: 'x'"):
            Place()  # type: ignore[call-arg]


def test_equal_is_what_has_the_same_class_and_the_same_fields() -> None:
    assert Point(1, 2) == Point(1, 2, {"left": "out"})
    assert Point(1, 2) != Point(1, 3)
    assert Place(1) != Point(1)
    assert Point(1) != (1, 0)
    assert Nothing() == Nothing()


def test_it_is_a_key_by_what_it_holds() -> None:
    assert {Point(1, 2): "here"}[Point(1, 2)] == "here"
    assert len({Place(1), Point(1), Point(1)}) == 2


def test_its_words_name_the_fields_that_are_no_secret() -> None:
    assert repr(Point(1, hush="hush")) == "Point(x=1, y=0, labels={})"


def test_its_own_methods_stay() -> None:
    assert Point(1).moved(2) == Point(3)
    assert (repr(Sum(3)), Sum(3) == Sum(-3), len({Sum(3), Sum(-3)})) == ("<3>", True, 1)


def test_to_the_standard_library_it_is_a_dataclass() -> None:
    assert dataclasses.is_dataclass(Point)
    assert [one.name for one in dataclasses.fields(Point)] == ["x", "y", "labels", "hush"]
    assert dataclasses.asdict(Place(1)) == {"x": 1, "y": 0}
    assert replace(Point(1), y=5) == Point(1, 5)
    assert pickle.loads(pickle.dumps(Place(1))) == Place(1)


def test_one_that_is_not_frozen_is_the_standard_library_s_own() -> None:
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    with pytest.raises(TypeError):
        hash(counter)
