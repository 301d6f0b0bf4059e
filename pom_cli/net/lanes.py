"""Many paths of one origin over kept-alive connections: one while answers come fast, else four."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from functools import partial

from pom_cli.frozen import dataclass
from pom_cli.net import pool
from pom_cli.net.client import Client
from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Answer, Connection, Origin, exchange, open_connection
from pom_cli.net.faults import HOSTWIDE, Fault, NoAnswer

MOST = 4  # connections to one origin
ALONE_S = 0.25  # as long as the rest will not take longer, one connection is enough
_TIMED_OUT = 408  # on a kept connection: it was about to be closed (RFC 9110, section 15.5.9)
NOT_ASKED = Fault("connect", "not asked: the paths before it took too long", "ours")


def longest(count: int, timeout_s: float) -> float:
    """Seconds after which `walk` over `count` paths has ended, whatever the origin does."""
    return _last_start(count, timeout_s) + timeout_s


def _last_start(count: int, timeout_s: float) -> float:
    """A fifth of the paths may use up all their time, and always the first dozen."""
    return timeout_s * (3 + count / (5 * MOST))


@dataclass
class _Walk:
    """What the lanes share. Each operation on it is atomic, so it needs no lock."""

    origin: Origin
    client: Client
    paths: Sequence[str]
    latest: float  # the last instant at which a path may be begun
    waiting: deque[int]
    outcomes: dict[int, Answer | Fault] = field(default_factory=dict)
    refused: Fault | None = None  # why a lane got no connection
    note: Callable[[int, Answer], None] = lambda number, answer: None


def walk(
    origin: Origin,
    paths: Sequence[str],
    client: Client,
    note: Callable[[int, Answer], None] = lambda number, answer: None,
) -> list[Answer | Fault]:
    """A request of each path (as sent, query included), redirects not followed. Bodies are not kept: `note` sees each
    answer with its body, by the number of its path, from any thread.

    Where the origin cannot be reached at all, every path has that fault at once. A path that hangs uses up its own
    time alone.
    """
    latest = time.monotonic() + _last_start(len(paths), client.timeout_s)
    shared = _Walk(origin, client, paths, latest, deque(range(len(paths))), note=note)
    kept = _lane(shared, None, alone=True)
    if shared.waiting and not shared.refused:
        connections = [kept, *[None] * (min(MOST, len(shared.waiting)) - 1)]
        budget = longest(len(paths), client.timeout_s)
        for _, result in pool.each(connections, partial(_lane, shared), lambda _: budget):
            if isinstance(result, Exception):
                raise result
    left = NOT_ASKED if time.monotonic() > latest else shared.refused or NOT_ASKED
    return [shared.outcomes.get(number, left) for number in range(len(paths))]


def _lane(shared: _Walk, kept: Connection | None, alone: bool = False) -> Connection | None:
    """Path after path over one connection. The only lane ends, with its connection, where the rest would take long."""
    while shared.waiting and (begun := time.monotonic()) <= shared.latest:
        try:
            number = shared.waiting.popleft()
        except IndexError:
            break  # another lane took the last one
        outcome, kept = _ask(shared, shared.paths[number], kept, Deadline.after(shared.client.timeout_s))
        if not isinstance(outcome, Fault):
            shared.note(number, outcome)
            outcome = replace(outcome, body=b"")
        if isinstance(outcome, Fault) and outcome.phase in HOSTWIDE:
            shared.waiting.appendleft(number)  # for the lanes that have a connection
            shared.refused = outcome
            return None
        shared.outcomes[number] = outcome
        took_s = time.monotonic() - begun if isinstance(outcome, Fault) else outcome.total_ms / 1000
        if alone and took_s * len(shared.waiting) > ALONE_S:
            return kept
    if kept:
        kept.close()
    return None


def _ask(
    shared: _Walk, path: str, kept: Connection | None, deadline: Deadline
) -> tuple[Answer | Fault, Connection | None]:
    """One path's outcome, and the connection where it can take another request.

    A kept connection that the server has closed meanwhile is no fault: the path is then asked over a fresh one.
    """
    client = shared.client
    if kept and (client.method == "POST" or not is_quiet(kept)):  # a POST must not be repeated by itself
        kept.close()
        kept = None
    try:
        connection = kept or open_connection(
            shared.origin,
            deadline,
            verify=client.verify,
            ca_file=client.ca_file,
            identity=client.identity,
            at=client.connect_to,
        )
    except NoAnswer as error:
        return error.fault, None
    reusable = False
    try:
        answer = exchange(connection, client.method, path, client.headers, deadline, content=client.body, keep=True)
        if kept and answer.status == _TIMED_OUT:
            return _ask(shared, path, None, deadline)
        reusable = answer.reusable
    except NoAnswer as error:
        stale = kept and connection.stream.first_at is None and time.monotonic() < deadline.ends
        return _ask(shared, path, None, deadline) if stale else (error.fault, None)
    finally:
        if not reusable:
            connection.close()
    return answer, connection if reusable else None


def is_quiet(connection: Connection) -> bool:
    """Whether nothing came over an idle connection: neither its end nor what would be mistaken for the next answer."""
    import select

    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    if poll.poll(0):
        return False
    return connection.stream.empty
