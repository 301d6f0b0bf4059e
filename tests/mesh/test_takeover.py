"""What a peer may silence here, and what it may not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from scene import START

from pom_cli.mesh import takeover
from pom_cli.mesh.answer import MOST_SILENCES, PeerAnswer
from pom_cli.model import Silence
from pom_cli.store import deployments
from pom_cli.store.acks import Ack
from pom_cli.store.deployments import Deployment

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


@pytest.mark.parametrize(
    ("target", "at", "obeyed"),
    [
        ("shop", START, True),
        ("luna", START, True),
        ("unknown here", START, False),
        ("astra", START, False),  # its own absence
        ("shop", START + timedelta(seconds=29), True),
        ("shop", START + timedelta(seconds=31), False),
        ("shop", datetime(9990, 1, 1, tzinfo=START.tzinfo), False),
    ],
)
def test_an_ack_is_taken_over_where_it_is_credible(target: str, at: datetime, obeyed: bool) -> None:
    answer = PeerAnswer("astra", acks=(Ack(target, "health", at, "ada"),))
    found = takeover.acks("astra", answer, ["shop", "astra", "luna"], START)
    assert found == ([Ack(target, "health", at, "ada", origin="astra")] if obeyed else [])


def test_a_peer_cannot_ack_itself_under_the_name_that_it_gives_itself_either() -> None:
    answer = PeerAnswer("luna", acks=(Ack("luna", "peer-missing", START),))
    assert takeover.acks("astra", answer, ["astra", "luna"], START) == []


def deployment(number: int, target: str = "shop", at: datetime = START, origin: str = "") -> Deployment:
    return Deployment(f"{number:032x}", target, at, origin=origin)


@pytest.mark.parametrize(
    ("one", "obeyed"),
    [
        (deployment(1), True),
        (deployment(1, "unknown here"), False),
        (deployment(1, at=START + timedelta(seconds=31)), False),
        (deployment(1, at=START - timedelta(days=7)), True),
        (deployment(1, at=START - timedelta(days=8)), False),
    ],
)
def test_a_deployment_is_taken_over_where_it_is_credible(one: Deployment, obeyed: bool) -> None:
    found = takeover.deployments("astra", PeerAnswer("astra", deployments=(one,)), ["shop"], [], START)
    assert [(each.id, each.origin) for each in found] == ([(one.id, "astra")] if obeyed else [])


def test_a_week_has_room_for_so_many_deployments_of_one_peer() -> None:
    answer = PeerAnswer("astra", deployments=tuple(map(deployment, range(deployments.MOST))))
    for origin, more in (("astra", deployments.MOST - 90), ("luna", deployments.MOST)):
        known = [deployment(number, origin=origin) for number in range(1000, 1090)]
        assert len(takeover.deployments("astra", answer, ["shop"], known, START)) == more
    full = [deployment(number, origin="astra") for number in range(1000, 1000 + 2 * deployments.MOST)]
    assert takeover.deployments("astra", answer, ["shop"], full, START) == []
