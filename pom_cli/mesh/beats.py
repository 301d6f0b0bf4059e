"""Pure: what was known of a peer + one beat → what is known now, and the conditions and remarks that follow.

alive → late (the grace period) → missing → alive, at the first good answer. A miss counts only where this instance
itself was awake, and its own network was not what failed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pom_cli.frozen import dataclass
from pom_cli.mesh.answer import PeerAnswer, read, written
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Condition
from pom_cli.store.peers import OwnBeats, PeerRow, Pins
from pom_cli.times import holds, short

if TYPE_CHECKING:
    from pom_cli.config import Peer

ALIVE, LATE, MISSING = "alive", "late", "missing"
ALERTS = ("peer-missing", "checks-overdue", "delivery-failed")  # the alerts about a peer
GAP = timedelta(minutes=2.5)  # between two beats of this instance: if longer, it was asleep or off
SKEW_S = 30.0  # between two clocks: more is remarked on
PATIENCE = 3  # beats in a row with checks overdue before the alert: a peer that wakes up catches up within two
UPGRADING = timedelta(hours=1)  # so long a peer of the release before is late, and not missing
STUCK_S = 900  # mail that waits for longer than this does not get out
_STALL_S = 5.0  # seconds that a run may lose before it says nothing of the peers


@dataclass(frozen=True)
class Beat:
    """The result of asking one peer once: a good answer, or the reason for failure.

    `ours`: it was our own fault. `doubt`: something answered, and for this reason it is not accepted: `token`,
    `unsigned`, `forged`, `replayed`, `instance`, `release`.
    """

    answer: PeerAnswer | None = None
    fault: str = ""
    ours: bool = False
    skew_s: float | None = None  # the peer's clock less ours
    doubt: str = ""


@dataclass(frozen=True)
class PeerState:
    """What is known of a peer, by the newest beat."""

    url: str
    state: str
    since: datetime
    asked_at: datetime
    last_seen: datetime | None = None
    misses: int = 0
    held: str = ""  # why the newest miss does not count: offline, ours, stalled, release; "" where it does
    fault: str = ""  # why the newest beat had no good answer
    skew_s: float | None = None
    late_beats: int = 0  # answers in a row that reported overdue checks
    answer: PeerAnswer | None = None  # the newest good one
    pinned: str = ""  # the id of the instance first seen there; from no other is anything accepted
    doubt: str = ""  # why the newest answer was not accepted, "" where it was or where there was none


def from_row(row: PeerRow) -> PeerState:
    """What the store keeps of a peer, its answer read."""
    kept = row._asdict() | {"answer": None if row.answer is None else read(row.answer)}
    return PeerState(**kept)


def to_row(state: PeerState) -> PeerRow:
    """What the store keeps of a peer."""
    kept = {name: getattr(state, name) for name in PeerRow._fields}
    return PeerRow(**kept | {"answer": None if state.answer is None else written(state.answer)})


def interrupted(previous: OwnBeats | None, now: datetime) -> bool:
    """Was this instance asleep or switched off since its last beat, or its clock set back.

    Runs that overlap may begin and end in another order.
    """
    return previous is not None and not (holds(previous.at, now) and now - previous.at <= GAP)


def own(previous: OwnBeats | None, now: datetime) -> OwnBeats:
    """This instance's own row after the beat at `now`."""
    if interrupted(previous, now):
        return OwnBeats(now, now)
    return OwnBeats(max(previous.at, now), previous.since) if previous else OwnBeats(now)


def stalled(wall_s: float, worked_s: float, limit_s: float) -> bool:
    """Did the machine sleep, or this process get no time, while the peers were asked.

    `wall_s` and `worked_s` are what the wall clock and the monotonic clock went on by, `limit_s` is when asking had to
    end.
    """
    return wall_s - worked_s > _STALL_S or worked_s > limit_s + _STALL_S


def accepted(beats: Mapping[str, Beat], peers: "Iterable[Peer]", pins: Pins) -> dict[str, Beat]:
    """The beats, without the answers of other instances than those first seen there."""
    return {peer.name: _pinned(beats[peer.name], pins.get((peer.name, peer.url), ""), peer.name) for peer in peers}


def _pinned(beat: Beat, pinned: str, peer: str) -> Beat:
    answer = beat.answer
    if answer is None or not pinned or answer.id == pinned:
        return beat
    seen = f"instance {answer.id}" if answer.id else "an instance without an id"
    told = f"{seen} answers there, and {pinned} was first seen; if it was reinstalled: pom mesh --accept {peer}"
    return Beat(fault=told, doubt="instance")


def advance(
    previous: PeerState | None, beat: Beat, url: str, patience: int, now: datetime, gap: bool = False, held: str = ""
) -> PeerState:
    """What is known after this beat. `gap`: our own row of beats was interrupted; `held`: why no miss counts."""
    if previous and previous.asked_at > now and holds(previous.asked_at, now):
        return previous  # a run that began before the newest one and ended after it
    if previous and previous.url != url:
        previous = None
    if previous and held == "stalled" and not beat.answer:
        return previous
    if beat.answer:
        return _answered(previous, beat, beat.answer, url, now, gap)
    return _missed(previous, beat, url, patience, now, gap, held or _excuse(previous, beat, now))


def _excuse(previous: PeerState | None, beat: Beat, now: datetime) -> str:
    """Why this miss does not count, as far as the beat alone tells."""
    if beat.ours:
        return "ours"
    since = previous.since if previous and previous.state == LATE else now
    return "release" if beat.doubt == "release" and now - since < UPGRADING else ""


def _answered(
    previous: PeerState | None, beat: Beat, answer: PeerAnswer, url: str, now: datetime, gap: bool
) -> PeerState:
    stays = previous is not None and previous.state == ALIVE
    row = previous.late_beats if previous and stays and not gap else 0
    return PeerState(
        url=url,
        state=ALIVE,
        since=min(previous.since, now) if previous and stays else now,
        asked_at=now,
        last_seen=now,
        skew_s=beat.skew_s,
        late_beats=row + 1 if answer.overdue else 0,
        answer=answer,
        pinned=(previous.pinned if previous else "") or answer.id or "",
    )


def _missed(
    previous: PeerState | None, beat: Beat, url: str, patience: int, now: datetime, gap: bool, held: str
) -> PeerState:
    before = previous or PeerState(url, LATE, now, now)
    gone = before.state == MISSING  # it stays so until it answers, whatever we slept through
    misses = before.misses if gone or not gap else 0
    if held == "offline":
        misses = before.misses if gone else 0  # those before this one were most likely ours, too
    counts = not held
    misses += counts
    state = MISSING if gone or (counts and misses >= patience) else LATE
    return replace(
        before,
        state=state,
        since=min(before.since, now) if state == before.state else now,
        asked_at=now,
        misses=misses,
        held=held,
        fault=beat.fault,
        late_beats=0,
        doubt=beat.doubt,
    )


def vanishing(before: Mapping[str, PeerState], after: Mapping[str, PeerState]) -> bool:
    """Would a peer become missing by this beat."""
    return any(
        state.state == MISSING and (name not in before or before[name].state != MISSING)
        for name, state in after.items()
    )


def conditions(name: str, state: PeerState, ignored: bool) -> list[Condition]:
    """The condition of each kind of alert of one peer. `ignored`: do not report it missing."""
    answer = state.answer if state.state == ALIVE else None
    return [_missing(name, state, ignored), _overdue(name, state, answer), _undelivered(name, answer)]


def _missing(name: str, state: PeerState, ignored: bool) -> Condition:
    status, summary = UNKNOWN, state.fault  # late: neither well nor missing yet
    if state.state == ALIVE:
        status, summary = OPERATIONAL, "it answers"
    if state.state == MISSING and not ignored:
        beats = f"{state.misses} heartbeat{'' if state.misses == 1 else 's'}"
        told = f"{beats} not accepted" if state.doubt else f"no answer to {beats}"
        status, summary = UNREACHABLE, f"{told}: {state.fault}"
    return Condition(name, "peer-missing", status, summary)


def _overdue(name: str, state: PeerState, answer: PeerAnswer | None) -> Condition:
    if answer is None or "overdue" in answer.unread or 0 < state.late_beats < PATIENCE:
        return Condition(name, "checks-overdue", UNKNOWN, "")
    if not answer.overdue:
        return Condition(name, "checks-overdue", OPERATIONAL, "its checks run")
    summary = f"it answers, but its checks are overdue ({', '.join(answer.overdue)}): its timers may be dead"
    return Condition(name, "checks-overdue", DEGRADED, summary, tuple(sorted(answer.overdue)))


def _undelivered(name: str, answer: PeerAnswer | None) -> Condition:
    if answer and (trouble := _mail(answer)):
        return Condition(name, "delivery-failed", ERROR if answer.delivery_failed else DEGRADED, trouble)
    if answer is None or {"undelivered", "undelivered_s", "delivery_failed"} & set(answer.unread):
        return Condition(name, "delivery-failed", UNKNOWN, "")
    return Condition(name, "delivery-failed", OPERATIONAL, "its mail gets out")


def _mail(answer: PeerAnswer) -> str:
    """What keeps a peer's mail from getting out, "" where it does."""
    waits = answer.undelivered_s
    if not answer.delivery_failed and not (answer.undelivered and waits is not None and waits > STUCK_S):
        return ""
    oldest = f", the oldest for {short(timedelta(seconds=waits))}" if waits is not None else ""
    return f"its mail does not get out: {answer.undelivered} undelivered{oldest}"


def troubles(
    name: str, state: PeerState, own_id: str | None, own_name: str, ids: Mapping[str, str | None]
) -> list[str]:
    """What is wrong with a peer beyond being late or missing. `ids` are all peers' ids, by name."""
    answer = state.answer
    if answer is None:
        return []
    found = _same_ids(name, answer, own_id, own_name, ids)
    if state.skew_s is not None and abs(state.skew_s) > SKEW_S:
        behind = "ahead of" if state.skew_s > 0 else "behind"
        found.append(f"its clock is {short(timedelta(seconds=abs(state.skew_s)))} {behind} ours")
    if state.state == ALIVE and answer.overdue:
        found.append(f"its checks are overdue: {', '.join(answer.overdue)}")
    if state.state == ALIVE:
        found += [f"it says: {line}" for line in answer.crashed]
    if state.state == ALIVE and (mail := _mail(answer)):
        found.append(mail)
    if answer.unread:
        found.append(f"parts of its answer cannot be read: {', '.join(answer.unread)}")
    return found


def _same_ids(
    name: str, answer: PeerAnswer, own_id: str | None, own_name: str, ids: Mapping[str, str | None]
) -> list[str]:
    if answer.id is None:
        return ["it has no instance id"]
    if answer.id == own_id and answer.name == own_name:
        return ["it is this instance itself"]
    twins = sorted(other for other, id_ in ids.items() if id_ == answer.id and other != name)
    if answer.id == own_id:
        twins.insert(0, "this instance")
    return [f"it has the same instance id as {', '.join(twins)}: instance_id was copied"] if twins else []


def remarks(
    name: str,
    state: PeerState,
    own_id: str | None,
    own_name: str,
    own_version: str,
    ids: Mapping[str, str | None],
) -> list[str]:
    """All that is noticed of a peer: its troubles, why it does not count as missing, another version."""
    found = troubles(name, state, own_id, own_name, ids)
    if state.state != ALIVE and state.fault:
        found.insert(0, state.fault)
    if state.held:
        found.append(_HELD.get(state.held, state.held))
    if state.answer and state.answer.version != own_version:
        found.append(f"it runs PoM {state.answer.version}, this is {own_version}")
    return found


_HELD = {
    "offline": "not counted: this monitor's own network is down",
    "ours": "not counted: the fault is this monitor's own",
    "stalled": "not counted: this monitor was asleep meanwhile",
    "release": "not counted as missing for an hour, while hosts are upgraded one after another",
}


def ids(states: Mapping[str, PeerState]) -> dict[str, str | None]:
    """Every peer's instance id, by the peer's name."""
    return {name: state.answer.id if state.answer else None for name, state in states.items()}
