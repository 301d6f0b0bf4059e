"""A peer's states: when it is late, when missing, when alive again, and what does not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.mesh import beats as mesh
from pom_cli.mesh.answer import PeerAnswer
from pom_cli.mesh.beats import ALIVE, LATE, MISSING, Beat, PeerState
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE
from pom_cli.store.peers import OwnBeats

START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
URL = "http://192.0.2.7:9100"
OWN, ASTRA = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
WELL = PeerAnswer("astra", ASTRA, "1.0", START)
GOOD, NOTHING = Beat(WELL, skew_s=0.0), Beat(fault="connection refused (connect)")
MINUTE = timedelta(minutes=1)


@dataclass
class Watch:
    """This instance beating, one beat after the other."""

    patience: int = 3
    now: datetime = START
    own: OwnBeats | None = None
    peer: PeerState | None = None

    def beat(self, beat: Beat, after: float = 60, held: str = "") -> PeerState:
        """One beat so many seconds after the one before."""
        self.now += timedelta(seconds=after)
        gap = mesh.interrupted(self.own, self.now)
        self.own = mesh.own(self.own, self.now)
        self.peer = mesh.advance(self.peer, beat, URL, self.patience, self.now, gap, held)
        return self.peer

    def states(self, beats: Sequence[Beat], after: float = 60) -> list[str]:
        return [self.beat(beat, after).state for beat in beats]


def test_a_peer_is_late_twice_then_missing_and_alive_at_its_first_answer() -> None:
    watch = Watch()
    assert watch.states([GOOD, NOTHING, NOTHING, NOTHING, NOTHING, GOOD]) == [
        ALIVE,
        LATE,
        LATE,
        MISSING,
        MISSING,
        ALIVE,
    ]
    assert (watch.peer.misses, watch.peer.since, watch.peer.last_seen) == (0, watch.now, watch.now)


@pytest.mark.parametrize(("patience", "states"), [(1, [MISSING]), (2, [LATE, MISSING]), (5, [LATE] * 4 + [MISSING])])
def test_how_many_misses_make_it_missing_is_configured(patience: int, states: list[str]) -> None:
    watch = Watch(patience)
    watch.beat(GOOD)
    assert watch.states([NOTHING] * patience) == states


@pytest.mark.parametrize(("patience", "told"), [(1, "no answer to 1 heartbeat: "), (2, "no answer to 2 heartbeats: ")])
def test_one_heartbeat_is_not_several(patience: int, told: str) -> None:
    watch = Watch(patience)
    watch.states([NOTHING] * patience)
    assert mesh.conditions("astra", watch.peer, ignored=False)[0].summary.startswith(told)


def test_a_peer_that_was_never_seen_is_late_until_it_has_missed_enough() -> None:
    watch = Watch()
    assert watch.states([NOTHING] * 3) == [LATE, LATE, MISSING]
    assert watch.peer.last_seen is None


def test_a_single_missed_beat_between_good_ones_is_never_more_than_late() -> None:
    watch = Watch()
    assert watch.states([GOOD, NOTHING] * 10) == [ALIVE, LATE] * 10


def test_since_is_when_the_state_began() -> None:
    watch = Watch()
    began = {}
    for beat in [GOOD, GOOD, NOTHING, NOTHING, NOTHING, NOTHING, GOOD]:
        state = watch.beat(beat)
        began.setdefault(state.state, watch.now)
        if beat is NOTHING:
            assert state.since == began[state.state]
            assert state.last_seen == START + 2 * MINUTE
            assert state.fault == "connection refused (connect)"
    assert watch.peer.since == watch.now


def test_after_this_instance_was_asleep_counting_begins_anew() -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING, NOTHING])
    assert watch.beat(NOTHING, after=3600).misses == 1
    assert watch.states([NOTHING, NOTHING]) == [LATE, MISSING]


def test_a_monitor_that_wakes_only_now_and_then_calls_nobody_missing() -> None:
    assert set(Watch().states([NOTHING] * 20, after=151)) == {LATE}


def test_a_beat_that_this_instance_itself_missed_is_no_interruption() -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING])
    assert watch.beat(NOTHING, after=120).misses == 2


def test_a_peer_that_was_missing_before_the_sleep_stays_so_until_it_answers() -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING, NOTHING, NOTHING])
    since = watch.peer.since
    state = watch.beat(NOTHING, after=86_400)
    assert (state.state, state.since) == (MISSING, since)
    assert watch.beat(GOOD).state == ALIVE


def test_a_clock_that_was_set_back_begins_the_count_anew() -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING, NOTHING])
    state = watch.beat(NOTHING, after=-3600)
    assert (state.state, state.misses) == (LATE, 1)
    assert state.since <= watch.now
    assert watch.beat(GOOD).state == ALIVE


@pytest.mark.parametrize("after", [0.5, 29, 60])
def test_each_beat_counts_by_hand_too(after: float) -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING])
    assert watch.beat(NOTHING, after).misses == 2


def test_a_run_that_ends_after_a_later_one_changes_nothing() -> None:
    watch = Watch()
    watch.beat(NOTHING)
    newest = watch.beat(GOOD)
    assert mesh.advance(newest, NOTHING, URL, 1, watch.now - timedelta(seconds=5)) is newest


def test_while_our_own_network_is_down_nothing_counts_and_afterwards_it_begins_anew() -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING, NOTHING])
    state = watch.beat(NOTHING, held="offline")
    assert (state.state, state.misses, state.held) == (LATE, 0, "offline")
    assert watch.states([NOTHING, NOTHING, NOTHING]) == [LATE, LATE, MISSING]


def test_a_peer_that_is_missing_stays_so_while_our_own_network_is_down() -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING, NOTHING, NOTHING])
    assert watch.beat(NOTHING, held="offline").state == MISSING


def test_what_is_our_own_fault_is_no_miss() -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING])
    for _ in range(9):
        state = watch.beat(Beat(fault="the resolver failed (dns)", ours=True))
    assert (state.state, state.misses, state.held) == (LATE, 1, "ours")


def test_a_run_in_which_the_machine_slept_changes_nothing_by_its_silence() -> None:
    watch = Watch()
    before = watch.beat(GOOD)
    assert watch.beat(NOTHING, held="stalled") is before
    assert watch.beat(GOOD, held="stalled").last_seen == watch.now


@pytest.mark.parametrize(
    ("wall", "worked", "stalled"),
    [(8, 8, False), (0.1, 0.1, False), (600, 8, True), (9, 9, False), (60, 60, True), (-3600, 8, False)],
)
def test_a_machine_that_slept_is_seen_by_its_clocks(wall: float, worked: float, stalled: bool) -> None:
    assert mesh.stalled(wall, worked, 9) is stalled


def test_another_address_is_another_peer() -> None:
    watch = Watch()
    watch.states([GOOD, NOTHING, NOTHING])
    moved = mesh.advance(watch.peer, NOTHING, "http://192.0.2.8:9100", 3, watch.now + MINUTE)
    assert (moved.misses, moved.last_seen, moved.answer) == (1, None, None)


STEPS = st.lists(
    st.tuples(st.sampled_from([1, 20, 29, 30, 60, 61, 120, 150, 151, 4000]), st.booleans(), st.booleans()), max_size=60
)


@pytest.mark.slow
@given(STEPS, st.integers(1, 4))
def test_missing_is_so_many_misses_while_awake_and_no_answer_since(
    steps: list[tuple[int, bool, bool]], patience: int
) -> None:
    watch = Watch(patience)
    misses: list[datetime] = []  # those of this unbroken row
    gone = False
    for after, answered, ours in steps:
        state = watch.beat(GOOD if answered else replace(NOTHING, ours=ours), after)
        if after > 150:
            misses = []
        if answered:
            misses, gone = [], False
        elif not ours:
            misses.append(watch.now)
        gone = gone or len(misses) >= patience
        assert state.state == (MISSING if gone else ALIVE if answered else LATE)
        assert START <= state.since <= watch.now
        assert (state.misses == 0) == (not misses) or gone


@given(STEPS)
def test_a_good_answer_makes_alive_whatever_came_before(steps: list[tuple[int, bool, bool]]) -> None:
    watch = Watch()
    for after, answered, _ in steps:
        watch.beat(GOOD if answered else NOTHING, after)
    assert watch.beat(GOOD).state == ALIVE


def conditions(state: PeerState, ignored: bool = False) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {one.alert: (one.status, one.subjects) for one in mesh.conditions("astra", state, ignored)}


def state_of(answer: PeerAnswer | None, state: str = ALIVE, **more: object) -> PeerState:
    return PeerState(URL, state, START, START, answer=answer, **more)


def test_late_says_nothing_of_being_missing_neither_well_nor_bad() -> None:
    for state, status in ((ALIVE, OPERATIONAL), (LATE, UNKNOWN), (MISSING, UNREACHABLE)):
        assert conditions(state_of(WELL, state))["peer-missing"] == (status, ())


def test_a_peer_that_may_be_missing_is_not_told_of_but_its_return_is() -> None:
    assert conditions(state_of(WELL, MISSING), ignored=True)["peer-missing"] == (UNKNOWN, ())
    assert conditions(state_of(WELL), ignored=True)["peer-missing"] == (OPERATIONAL, ())


def test_overdue_checks_of_a_peer_are_told_once_it_has_had_time_to_catch_up() -> None:
    watch = Watch()
    overdue = Beat(replace(WELL, overdue=("tls", "health")))
    watch.beat(GOOD)
    told = [conditions(watch.beat(beat))["checks-overdue"] for beat in [overdue] * 3 + [GOOD]]
    assert told == [(UNKNOWN, ()), (UNKNOWN, ()), (DEGRADED, ("health", "tls")), (OPERATIONAL, ())]


def test_a_peer_that_comes_back_late_has_the_time_again() -> None:
    watch = Watch()
    overdue = Beat(replace(WELL, overdue=("health",)))
    watch.states([overdue] * 5 + [NOTHING])
    assert conditions(watch.peer)["checks-overdue"] == (UNKNOWN, ())
    assert conditions(watch.beat(overdue))["checks-overdue"] == (UNKNOWN, ())
    assert conditions(watch.beat(overdue, after=600))["checks-overdue"] == (UNKNOWN, ())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (WELL, OPERATIONAL),
        (replace(WELL, undelivered=2, undelivered_s=30), OPERATIONAL),
        (replace(WELL, undelivered=2, undelivered_s=1000), DEGRADED),
        (replace(WELL, undelivered=1, undelivered_s=5, delivery_failed=True), ERROR),
        (replace(WELL, unread=("undelivered_s",)), UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_mail_that_does_not_get_out_of_a_peer(answer: PeerAnswer | None, status: str) -> None:
    assert conditions(state_of(answer))["delivery-failed"][0] == status


def test_nothing_is_known_of_the_checks_and_mails_of_a_peer_that_does_not_answer() -> None:
    answer = replace(WELL, overdue=("health",), delivery_failed=True)
    found = conditions(state_of(answer, LATE))
    assert (found["checks-overdue"][0], found["delivery-failed"][0]) == (UNKNOWN, UNKNOWN)


def remarks(answer: PeerAnswer | None, ids: dict[str, str | None] | None = None, **more: object) -> list[str]:
    return mesh.remarks("astra", state_of(answer, **more), OWN, "hetzner", "1.0", ids or {})


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (remarks(WELL), []),
        (remarks(WELL, skew_s=29.0), []),
        (remarks(WELL, skew_s=95.0), ["its clock is 1 min 35 s ahead of ours"]),
        (remarks(WELL, skew_s=-45.2), ["its clock is 45 s behind ours"]),
        (remarks(replace(WELL, version="0.9")), ["it runs PoM 0.9, this is 1.0"]),
        (remarks(replace(WELL, id=OWN, name="hetzner")), ["it is this instance itself"]),
        (remarks(replace(WELL, id=OWN)), ["it has the same instance id as this instance: instance_id was copied"]),
        (
            remarks(WELL, {"astra": ASTRA, "luna": ASTRA, "sol": OWN}),
            ["it has the same instance id as luna: instance_id was copied"],
        ),
        (remarks(replace(WELL, id=None)), ["it has no instance id"]),
        (remarks(replace(WELL, crashed=("the run of 06:00 never ended",))), ["it says: the run of 06:00 never ended"]),
        (remarks(replace(WELL, overdue=("dns", "tls"))), ["its checks are overdue: dns, tls"]),
        (
            remarks(replace(WELL, undelivered=3, undelivered_s=7200)),
            ["its mail does not get out: 3 undelivered, the oldest for 2 h"],
        ),
        (remarks(replace(WELL, unread=("targets",))), ["parts of its answer cannot be read: targets"]),
        (remarks(None, state=LATE, fault="connection refused (connect)"), ["connection refused (connect)"]),
        (
            remarks(WELL, state=LATE, fault="no answer", held="offline"),
            ["no answer", "not counted: this monitor's own network is down"],
        ),
    ],
)
def test_what_is_noticed_is_said(found: list[str], told: list[str]) -> None:
    assert found == told
