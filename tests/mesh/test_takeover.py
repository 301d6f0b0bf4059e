"""What a peer may silence here, and what it may not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from scene import START

from pom_cli.mesh import takeover
from pom_cli.mesh.answer import MOST_SILENCES, PeerAnswer
from pom_cli.model import Silence

HOUR = timedelta(hours=1)


def silence(number: int = 1, target: str = "shop", since: datetime = START, length: timedelta = HOUR) -> Silence:
    return Silence(f"{number:032x}", target, "", since, since + length, "upgrade")


def taken(
    *silences: Silence, known: list[Silence] | None = None, name: str = "astra", peer: str = "astra"
) -> list[str]:
    answers = {peer: PeerAnswer(name, silences=silences)}
    found = takeover.silences(answers, ["shop", "astra", "luna"], known or [], START)
    return [one.silence.target for one in found]


@pytest.mark.parametrize(
    ("one", "obeyed"),
    [
        (silence(), True),
        (silence(target="luna"), True),
        (silence(target="unknown here"), False),
        (silence(target="astra"), False),  # its own absence
        (silence(since=START + timedelta(seconds=29)), True),
        (silence(since=START + timedelta(seconds=31)), False),  # not yet
        (silence(since=datetime(9990, 1, 1, tzinfo=START.tzinfo)), False),
        (silence(since=START - 2 * HOUR), False),  # over
    ],
)
def test_a_silence_is_taken_over_where_it_is_credible(one: Silence, obeyed: bool) -> None:
    assert taken(one) == ([one.target] if obeyed else [])


def test_a_peer_cannot_silence_itself_under_the_name_that_it_gives_itself_either() -> None:
    assert taken(silence(target="luna"), name="luna") == []


def test_what_is_taken_over_is_limited_in_number_whoever_sends_it() -> None:
    many = [silence(number) for number in range(MOST_SILENCES)]
    assert len(taken(*many)) == MOST_SILENCES
    assert len(taken(*many, known=[silence(number) for number in range(1000, 1090)])) == MOST_SILENCES - 90
    answers = {name: PeerAnswer(name, silences=tuple(many)) for name in ("astra", "luna")}
    assert len({one.silence.id for one in takeover.silences(answers, ["shop"], [], START)}) == MOST_SILENCES
    full = [silence(number) for number in range(5000, 5000 + MOST_SILENCES)]
    assert taken(silence(1), silence(5000), known=full) == ["shop"], "what is known can still be lifted"


@pytest.mark.parametrize(("length", "told"), [(timedelta(hours=24), 0), (timedelta(days=3), 1)])
def test_a_long_silence_is_told_of_when_it_arrives_and_only_then(length: timedelta, told: int) -> None:
    one = takeover.Taken(silence(length=length), "astra")
    lines = takeover.arrivals([one], [], START)
    assert len(lines) == told
    assert all("astra silences shop for 3 d" in line and "pom silence shop --lift" in line for line in lines)
    assert takeover.arrivals([one], [one.silence], START) == ()
