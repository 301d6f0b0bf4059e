"""Many paths of one origin over few connections, each kept alive: one while answers come fast, more for slow ones."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from pom_cli.frozen import dataclass
from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Answer, Connection, Origin, exchange, open_connection
from pom_cli.net.faults import HOSTWIDE, Fault, NoAnswer
from pom_cli.net.stream import TooLong

MOST = 4  # requests of one origin that move at once
_STUCK = 4  # one that is unanswered after this share of its time only waits: another may move in its stead
_TICK_S = 0.05
_AHEAD = 5  # ticks: where the rest would take longer at the present pace, another connection is worth it
_SPARE = threading.BoundedSemaphore(256)  # connections beyond the first of each origin, in the whole process
NOT_ASKED = Fault("connect", "not asked: the paths before it took too long", "ours")


@dataclass(frozen=True)
class Errand:
    """How each path is asked. The time is in seconds, for the whole request."""

    origin: Origin
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    ca_file: str | None = None


@dataclass
class _Crew:
    """What the lanes share. `lock` guards everything but the event."""

    errand: Errand
    paths: Sequence[str]
    pending: deque[int]
    done: dict[int, Answer | Fault] = field(default_factory=dict)
    busy: dict[int, float] = field(default_factory=dict)  # lane → when its present request began
    lanes: int = 0
    reached: bool = False  # the origin took a connection
    closed: bool = False  # it took no further one: make do with those that there are
    bug: BaseException | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)


def longest(count: int, timeout_s: float) -> float:
    """Seconds after which `walk` has ended for so many paths, whatever the origin does."""
    return _last_start(count, timeout_s) + timeout_s


def _last_start(count: int, timeout_s: float) -> float:
    waves = -(-count // MOST)
    return timeout_s + waves * (timeout_s / _STUCK + MOST * _TICK_S)  # the first connection may need all its time


def walk(paths: Sequence[str], errand: Errand) -> list[Answer | Fault]:
    """A GET of each path (as it goes over the wire, query included), redirects not followed; bodies are not kept.

    Where the origin cannot be reached at all, every path has that fault at once. A path that hangs uses up its own
    time alone.
    """
    crew = _Crew(errand, paths, deque(range(len(paths))))
    latest = time.monotonic() + _last_start(len(paths), errand.timeout_s)
    _open_lane(crew)
    before: int | None = None  # answers by the tick before, once there is a connection
    while len(crew.done) < len(paths) and not crew.ended.wait(_TICK_S):
        with crew.lock:
            if time.monotonic() > latest:
                _skip_rest(crew, NOT_ASKED)
            slow = before is not None and len(crew.pending) > _AHEAD * (len(crew.done) - before)
            widen = slow and not crew.closed and _moving(crew) < MOST
            before = len(crew.done) if crew.reached else None
        if widen:
            _open_lane(crew)
    if crew.bug:
        raise crew.bug
    return [crew.done[number] for number in range(len(paths))]


def _moving(crew: _Crew) -> int:
    """Lanes whose request has not waited for long. The lock is held."""
    now = time.monotonic()
    return sum(now - began < crew.errand.timeout_s / _STUCK for began in crew.busy.values())


def _skip_rest(crew: _Crew, fault: Fault) -> None:
    """Nothing more is asked: what is pending has this fault. The lock is held."""
    while crew.pending:
        crew.done[crew.pending.popleft()] = fault
    if len(crew.done) == len(crew.paths):
        crew.ended.set()


def _open_lane(crew: _Crew) -> None:
    """One more lane, where this process can bear it; there always is a first one."""
    first = not crew.lanes and not crew.done
    if not first and not _SPARE.acquire(blocking=False):
        return
    with crew.lock:
        crew.lanes += 1
    try:
        threading.Thread(target=_run_lane, args=(crew, not first), daemon=True).start()
    except RuntimeError:
        if not first:
            _SPARE.release()
        with crew.lock:
            crew.lanes, crew.closed = crew.lanes - 1, True
            if first:
                _skip_rest(crew, Fault("connect", "this machine cannot start another thread", "ours"))


def _run_lane(crew: _Crew, spare: bool) -> None:
    try:
        _go(crew)
    except BaseException as bug:  # noqa: BLE001 - handed on: the one who waits raises it
        with crew.lock:
            crew.bug = bug
            crew.pending.clear()
        crew.ended.set()
    finally:
        if spare:
            _SPARE.release()


def _go(crew: _Crew) -> None:
    """Path after path over one connection, until none is left or the origin takes no connection."""
    connection: Connection | None = None
    me = threading.get_ident()
    try:
        while (number := _take(crew, me)) is not None:
            deadline = Deadline.after(crew.errand.timeout_s)
            outcome, connection = _ask(crew, crew.paths[number], connection, deadline)
            with crew.lock:
                del crew.busy[me]
                if isinstance(outcome, Fault) and outcome.phase in HOSTWIDE:
                    return _strand(crew, number, outcome)
                crew.done[number] = outcome
                if len(crew.done) == len(crew.paths):
                    crew.ended.set()
    finally:
        if connection:
            connection.close()


def _take(crew: _Crew, lane: int) -> int | None:
    with crew.lock:
        if not crew.pending:
            crew.lanes -= 1
            return None
        crew.busy[lane] = time.monotonic()
        return crew.pending.popleft()


def _strand(crew: _Crew, number: int, fault: Fault) -> None:
    """No connection for this lane. It is the fault of all that is left, unless others have one. The lock is held."""
    crew.lanes, crew.closed = crew.lanes - 1, True
    crew.pending.appendleft(number)
    if not crew.lanes:
        _skip_rest(crew, fault)


def _ask(
    crew: _Crew, path: str, kept: Connection | None, deadline: Deadline
) -> tuple[Answer | Fault, Connection | None]:
    """One path's outcome, and the connection where it can take another request.

    A kept connection that the server has closed meanwhile is no fault: the path is then asked over a fresh one.
    """
    errand = crew.errand
    if kept and not is_quiet(kept):
        kept.close()
        kept = None
    try:
        connection = kept or open_connection(errand.origin, deadline, verify=errand.verify, ca_file=errand.ca_file)
    except NoAnswer as error:
        return error.fault, None
    crew.reached = True
    reusable = False
    try:
        answer = exchange(connection, "GET", path, errand.headers, deadline, keep=True)
        reusable = answer.reusable
    except NoAnswer as error:
        stale = kept and connection.stream.first_at is None and time.monotonic() < deadline.ends
        return _ask(crew, path, None, deadline) if stale else (error.fault, None)
    finally:
        if not reusable:
            connection.close()
    return replace(answer, body=b""), connection if reusable else None


def is_quiet(connection: Connection) -> bool:
    """Whether nothing came over an idle connection: neither its end nor what would be taken for the next answer."""
    import select

    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    if poll.poll(0):
        return False
    connection.stream.allowance = 0  # so that a look into an empty buffer does not read on
    try:
        return not connection.reader.peek(1)
    except TooLong:
        return True
