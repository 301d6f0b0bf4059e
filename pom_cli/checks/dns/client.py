"""Asking DNS servers: many questions at once on one thread, all within one deadline. Nothing here judges an answer."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pom_cli.checks.dns.answers import Answer, Question, meaning
from pom_cli.checks.dns.servers import Server, called
from pom_cli.checks.dns.tcp import Stream, advance, dial, reason
from pom_cli.checks.dns.wire import answers, query, question_section, truncated

if TYPE_CHECKING:
    import selectors
    import socket

BURST = 32  # questions under way before the next must wait its turn …
PACE = 0.1  # … of this many seconds for each burst: a silent server holds up nothing but its own questions
PATIENCE = 2.0  # seconds before the next server is asked as well; the earlier one may still answer


@dataclass
class _Job:
    """One question under way."""

    question: Question
    id: int
    asks: bytes  # the question section, as an answer must repeat it
    gap: float
    due: float
    edns: bool = True
    turn: int = 0
    asked: dict[Server, float] = field(default_factory=dict)
    failed: dict[Server, str] = field(default_factory=dict)
    dialled: set[Server] = field(default_factory=set)
    replied: bool = False
    answer: Answer | None = None

    @property
    def over(self) -> bool:
        return self.answer is not None or len(self.failed) == len(self.question.servers)


@dataclass
class _Desk:
    """All that one call of `ask` has open."""

    selector: "selectors.BaseSelector"
    closing: ExitStack
    jobs: dict[int, _Job] = field(default_factory=dict)  # by message id
    sockets: dict[Server, "socket.socket"] = field(default_factory=dict)
    garbled: set[Server] = field(default_factory=set)  # those that sent what is no answer to anything asked


def ask(questions: Sequence[Question], deadline: float) -> list[Answer]:
    """An answer for each question, by `deadline` (of `time.monotonic`) at the latest.

    A server that fails is followed by the next at once, a silent one after PATIENCE, and it may still answer; the
    first usable answer counts. Lost datagrams are sent again; a truncated answer is fetched over TCP.
    """
    import selectors

    with ExitStack() as closing:
        desk = _Desk(closing.enter_context(selectors.DefaultSelector()), closing)
        jobs = [_enter(desk, question, number, deadline) for number, question in enumerate(questions)]
        waiting = jobs
        while waiting and (now := time.monotonic()) < deadline:
            wake = _send_due(desk, waiting, now)
            for key, _ in desk.selector.select(max(0.0, min(wake, deadline) - now)):
                if isinstance(key.data, Stream):
                    advance(desk.selector, key.data)
                else:
                    _receive(desk, key.data)
            waiting = [job for job in waiting if not job.over]
        return [job.answer or _unanswered(desk, job, deadline) for job in jobs]


def _enter(desk: _Desk, question: Question, number: int, deadline: float) -> _Job:
    now = time.monotonic()
    gap = min(PATIENCE, (deadline - now) / (2 * len(question.servers)))
    job = _Job(
        question, _random_id(), question_section(question.name, question.type), gap, due=now + number // BURST * PACE
    )
    while desk.jobs.setdefault(job.id, job) is not job:
        job.id = _random_id()
    return job


def _random_id() -> int:
    return int.from_bytes(os.urandom(2), "big")


def _send_due(desk: _Desk, waiting: list[_Job], now: float) -> float:
    """Ask whom it is time to ask; gives the instant of the next sending."""
    wake = float("inf")
    busy = sum(bool(job.asked) for job in waiting)
    for job in waiting:
        while not job.over and (job.due <= now or (not job.asked and busy < BURST)):
            busy += not job.asked
            _send(desk, job, _next_server(job), now)
        wake = now if job.over else min(wake, job.due)
    return wake


def _next_server(job: _Job) -> Server:
    """The first that was not asked yet; after that they take turns, at growing intervals."""
    left = [server for server in job.question.servers if server not in job.failed]
    fresh = [server for server in left if server not in job.asked]
    job.turn += 1
    return fresh[0] if fresh else left[job.turn % len(left)]


def _send(desk: _Desk, job: _Job, server: Server, now: float) -> None:
    job.asked.setdefault(server, now)
    job.due = now + job.gap
    if len(job.asked) == len(job.question.servers):
        job.gap *= 2
    try:
        _socket_to(desk, server).send(_wire(job))
    except BlockingIOError:
        return  # no room to send just now: as if the datagram were lost, it is sent again
    except OSError as error:
        _refused(desk, server, error)


def _socket_to(desk: _Desk, server: Server) -> "socket.socket":
    """One connected socket a server: the kernel then drops what others send, and tells of a closed port."""
    import selectors
    import socket

    if server not in desk.sockets:
        made = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM)
        with ExitStack() as unless_connected:
            unless_connected.callback(made.close)
            made.setblocking(False)
            made.connect(server)
            desk.closing.push(unless_connected.pop_all())
        desk.sockets[server] = made
        desk.selector.register(made, selectors.EVENT_READ, server)
    return desk.sockets[server]


def _refused(desk: _Desk, server: Server, error: OSError) -> None:
    """The network's refusal does not say which datagram it is about: it counts for all that were sent there."""
    for job in desk.jobs.values():
        if server in job.asked:
            _fail(job, server, f"{reason(error)} at")


def _fail(job: _Job, server: Server, phrase: str) -> None:
    """`phrase` goes before the server's address: "SERVFAIL from"."""
    if job.over or server in job.failed:
        return
    job.failed[server] = f"{phrase} {called(server)}"
    if any(other not in job.asked for other in job.question.servers):
        job.due = 0.0


def _receive(desk: _Desk, server: Server) -> None:
    """Take what has come, all of it before any is read: reading one must not make the next look slow."""
    wires: list[bytes] = []
    try:
        while len(wires) < 100:  # then the clock is looked at again: a flood must not hold us
            wires.append(desk.sockets[server].recv(65535))
    except BlockingIOError:
        pass
    except OSError as error:
        _refused(desk, server, error)
    now = time.monotonic()
    for wire in wires:
        _hear(desk, server, wire, now)


def _hear(desk: _Desk, server: Server, wire: bytes, now: float) -> None:
    """A datagram that fits no question is passed over, as it may be forged: the true answer may still come."""
    job = desk.jobs.get(int.from_bytes(wire[:2], "big"))
    if job is None or len(wire) < 12 or server not in job.asked:
        desk.garbled.add(server)
    elif job.over or server in job.failed:
        return  # too late
    elif answers(wire, job.id, job.asks) and truncated(wire):  # what else it holds need not even parse
        _ask_over_tcp(desk, job, server)
    elif not _take(desk, job, server, wire, now):
        desk.garbled.add(server)


def _ask_over_tcp(desk: _Desk, job: _Job, server: Server) -> None:
    def finish(outcome: bytes | str) -> None:
        if isinstance(outcome, bytes):
            outcome = "" if _take(desk, job, server, outcome, time.monotonic()) else "garbage"
        if outcome:
            _fail(job, server, f"a truncated answer, and over TCP {outcome}, from")

    job.replied = True
    if server not in job.dialled:
        job.dialled.add(server)
        dial(desk.selector, desk.closing, server, _wire(job), finish)


def _take(desk: _Desk, job: _Job, server: Server, wire: bytes, now: float) -> bool:
    """Make what can be made of an answer; False where it is none to this question."""
    if not answers(wire, job.id, job.asks):
        return False
    meant = meaning(job.question, job.asks, wire)
    if meant is None:
        return False
    job.replied = True
    if isinstance(meant, Answer):
        ms = round((now - job.asked[server]) * 1000)
        failures = tuple(job.failed.values())
        job.answer = job.answer or replace(meant, server=called(server), ms=ms, failures=failures, replied=True)
    elif meant in ("FORMERR", "NOTIMP", "BADVERS") and job.edns:
        job.edns = False  # an old server: once more without (RFC 6891 section 7)
        _send(desk, job, server, now)
    else:
        _fail(job, server, f"{meant} from")
    return True


def _wire(job: _Job) -> bytes:
    return query(job.id, job.asks, job.question.recursive, job.edns)


def _unanswered(desk: _Desk, job: _Job, deadline: float) -> Answer:
    failures = [job.failed.get(server) or _silence(desk, job, server, deadline) for server in job.question.servers]
    replied = job.replied or any(server in desk.garbled for server in job.asked)
    return Answer(job.question.type, failures=tuple(failures), replied=replied)


def _silence(desk: _Desk, job: _Job, server: Server, deadline: float) -> str:
    if server not in job.asked:
        return f"no time left to ask {called(server)}"
    waited = deadline - job.asked[server]
    span = f"{waited:.0f} s" if waited >= 1 else f"{waited:.1g} s"
    if server in job.dialled:
        return f"a truncated answer, and over TCP not the whole within {span}, from {called(server)}"
    return f"{'only garbage' if server in desk.garbled else 'no answer'} within {span} from {called(server)}"
