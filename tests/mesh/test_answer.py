"""What a peer says is taken part by part, and nothing in it is trusted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peer_words import ASTRA, told

from pom_cli.mesh import answer as peer_answer
from pom_cli.mesh import report
from pom_cli.mesh.answer import PeerAnswer, Sight
from pom_cli.model import DEGRADED, OPERATIONAL, UNREACHABLE, Silence
from pom_cli.store import acks, deployments
from pom_cli.store.acks import Ack
from pom_cli.store.deployments import Deployment

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
SILENCE = Silence("0" * 32, "shop", "", NOW, NOW + timedelta(minutes=30), "upgrade")
ACK = Ack("shop", "health", NOW, "ada", "restarting it")
DEPLOYMENT = Deployment("1" * 32, "shop", NOW, "1.8.2", "hotfix", "ada")


def test_a_good_answer_is_read_whole() -> None:
    text = told(
        NOW,
        overdue=["tls"],
        crashed=["the run of 06:00\n(check health) never ended", "x" * 999],
        targets={
            "shop": {"status": "degraded", "health": "operational", "checked_at": "2026-11-24T05:59:20Z"},
            "blog": "unreachable",
        },
        undelivered=2,
        undelivered_s=60,
        delivery_failed=True,
        silences=[peer_answer.silence_json(SILENCE)],
        acks=[report.ack_json(ACK)],
        deployments=[report.deployment_json(DEPLOYMENT)],
        added_by_a_later_release={"x": 1},
    )
    assert peer_answer.read(text) == PeerAnswer(
        name="astra",
        id=ASTRA,
        version="0.1.0",
        time=NOW,
        overdue=("tls",),
        crashed=("the run of 06:00 (check health) never ended", "x" * 299 + "…"),
        targets={
            "shop": Sight(DEGRADED, OPERATIONAL, NOW - timedelta(seconds=40)),
            "blog": Sight(UNREACHABLE),
        },
        undelivered=2,
        undelivered_s=60,
        delivery_failed=True,
        silences=(SILENCE,),
        acks=(ACK,),
        deployments=(DEPLOYMENT,),
    )


def test_name_and_version_alone_are_an_answer() -> None:
    assert peer_answer.read('{"name": "astra", "version": "9"}') == PeerAnswer("astra", version="9")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"name": "astra", "version": "1", "undelivered": NaN}', "not JSON"),
        ('{"name": "astra", "version": "1", "undelivered": -Infinity}', "not JSON"),
        ('{"name": "astra", "version": "1", "undelivered": ' + "9" * 5000 + "}", "not JSON"),
        ("[]", "no JSON object"),
        ("null", "no JSON object"),
        ('"astra"', "no JSON object"),
        ("{}", "name and version are missing"),
        ('{"status": "operational"}', "name and version are missing"),
        ('{"name": 7, "version": "1"}', "name and version are missing"),
    ],
)
def test_what_no_peer_says_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^its answer is not a PoM's: {why}$"):
        peer_answer.read(text)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *[("id", value) for value in (7, "", "not-a-uuid", "7" * 100, [], {"a": 1})],
        *[("time", value) for value in (7, "yesterday", "2026-11-24T06:00:00", "0001-01-01T00:00:00+14:00", [])],
        *[("overdue", value) for value in ("tls", [1], {"tls": 1}, ["x"] * 51, True)],
        *[("crashed", value) for value in ("a run", [1], [["a run"]], ["x"] * 11, True)],
        *[("targets", value) for value in ([], "shop", {"shop": 7}, {"shop": {"status": "up"}}, {"shop": {}})],
        ("targets", {"shop": {"status": "operational", "health": "fine"}}),
        ("targets", {"shop": {"status": "operational", "checked_at": 7}}),
        ("targets", {str(number): "operational" for number in range(2001)}),
        *[("undelivered", value) for value in (-1, 1.5, True, "3", 10**12, [])],
        *[("undelivered_s", value) for value in (-1, 1e300, "x")],
        *[("delivery_failed", value) for value in (1, "true", [])],
        *[("silences", value) for value in ({}, [1], [{}], [{"id": "x"}])],
        ("silences", [{**peer_answer.silence_json(SILENCE), "until": "2036-11-24T06:00:00Z"}]),
        ("silences", [{**peer_answer.silence_json(SILENCE), "until": "2026-11-24T05:00:00Z"}]),
        ("silences", [{**peer_answer.silence_json(SILENCE), "id": "'; DROP TABLE silences"}]),
        *[("acks", value) for value in ({}, [1], [{}], [report.ack_json(ACK)] * (acks.MOST + 1))],
        ("acks", [{**report.ack_json(ACK), "at": "2026-11-24T06:00:00"}]),
        ("acks", [{**report.ack_json(ACK), "lifted": 1}]),
        ("acks", [{**report.ack_json(ACK), "note": None}]),
        *[("deployments", value) for value in ({}, [1], [{}], [{}] * (deployments.MOST + 1))],
        ("deployments", [{**report.deployment_json(DEPLOYMENT), "id": "x"}]),
        ("deployments", [{**report.deployment_json(DEPLOYMENT), "at": 7}]),
    ],
)
def test_a_part_that_is_wrong_is_left_out_and_named_and_the_rest_stands(part: str, value: Any) -> None:
    found = peer_answer.read(told(NOW, **{part: value}))
    usual = peer_answer.read(told(NOW))
    assert found.unread == (part,)
    assert getattr(found, part) == getattr(PeerAnswer("astra"), part)
    for other in (
        "id",
        "time",
        "overdue",
        "crashed",
        "targets",
        "undelivered",
        "undelivered_s",
        "delivery_failed",
        "silences",
        "acks",
        "deployments",
    ):
        if other != part:
            assert getattr(found, other) == getattr(usual, other)
    assert peer_answer.read(peer_answer.written(found)).unread == found.unread


@pytest.mark.parametrize(
    ("runs", "late"),
    [
        ({"tls": {"overdue": True}, "dns": {"overdue": False}, "whois": {}, "cors": 7}, ("tls",)),
        ({str(number): {"overdue": True} for number in range(51)}, tuple(map(str, range(50)))),
        (["tls"], ()),
        (None, ()),
    ],
)
def test_what_is_overdue_is_in_the_runs_of_a_peer_that_does_not_list_it(runs: Any, late: tuple[str, ...]) -> None:
    text = json.dumps({"name": "astra", "version": "1", "runs": runs})
    assert peer_answer.read(text).overdue == late


def test_text_from_a_peer_is_one_printable_line() -> None:
    text = told(
        NOW,
        "as\x1b[31mtra\nSubject: x",
        version="1\r\n2",
        overdue=["t\u202els"],
        targets={"sh\x00op": "operational"},
    )
    found = peer_answer.read(text)
    assert (found.name, found.version, found.overdue) == ("as [31mtra Subject: x", "1 2", ("t ls",))
    assert list(found.targets) == ["sh op"]
    assert len(peer_answer.read(told(NOW, "x" * 5000)).name) == 64


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
PARTS = ("id", "name", "version", "time", "overdue", "targets", "undelivered", "undelivered_s")
TAKEN = ("silences", "acks", "deployments")


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(PARTS + TAKEN), JSON))
def test_whatever_it_says_is_read_or_refused_and_can_be_stored_and_read_again(data: dict[str, Any]) -> None:
    try:
        found = peer_answer.read(json.dumps({"name": "astra", "version": "1", **data}))
    except ValueError as error:
        assert str(error).startswith("its answer is not a PoM's")
        return
    stored = peer_answer.written(found)
    stored.encode()
    again = peer_answer.read(stored)
    assert (again.id, again.time, again.overdue, again.targets) == (found.id, found.time, found.overdue, found.targets)
