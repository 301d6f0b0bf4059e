"""Asking DNS servers: many questions at once, all within one deadline. dnspython writes and reads the messages.

Its own `udp_with_fallback` is not used: it waits by the wall clock, gives TCP the whole time anew, takes a closed port
for silence, and gives up a slow server's answer when the next server is asked.
"""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from pom_cli.checks.dns.answers import Answer, Question, meaning
from pom_cli.checks.dns.servers import Server, called, reason
from pom_cli.net import pool

if TYPE_CHECKING:
    import selectors
    import socket

    from dns.message import QueryMessage

PATIENCE = 2.0  # seconds before the next server is asked as well; the earlier one may still answer
_PAYLOAD = 1232  # bytes of UDP that pass every path unfragmented (RFC 6891, DNS flag day 2020)


def ask(questions: Sequence[Question], deadline: float) -> list[Answer]:
    """An answer for each question, by `deadline` (of `time.monotonic`) at the latest.

    A server that fails is followed by the next at once, a silent one after PATIENCE, and it may still answer; the
    first usable answer counts. Lost datagrams are sent again; a truncated answer is fetched over TCP. A server that
    kept one question waiting is the last that the questions after it turn to.
    """
    silent: set[Server] = set()
    left = max(0.0, deadline - time.monotonic())
    answers: dict[int, Answer] = {}
    jobs = list(enumerate(questions))
    for (number, question), outcome in pool.each(jobs, lambda job: _ask(job[1], deadline, silent), lambda _: left):
        if isinstance(outcome, Exception):
            raise outcome
        late = (f"no answer within {left:.0f} s",)
        answers[number] = Answer(question.type, failures=late) if isinstance(outcome, pool.Overdue) else outcome
    return [answers[number] for number, _ in jobs]


@dataclass
class _Exchange:
    """One question under way: a socket for each server that was asked, so that no late answer is lost."""

    question: Question
    query: "QueryMessage"
    deadline: float
    selector: "selectors.BaseSelector"
    closing: ExitStack
    sockets: dict[Server, "socket.socket"] = field(default_factory=dict)
    asked: dict[Server, float] = field(default_factory=dict)
    failed: dict[Server, str] = field(default_factory=dict)
    garbled: set[Server] = field(default_factory=set)  # those that sent what is no answer to the question
    replied: bool = False


def _ask(question: Question, deadline: float, silent: set[Server]) -> Answer:
    import selectors

    import dns.flags
    import dns.message

    servers = sorted(dict.fromkeys(question.servers), key=silent.__contains__)
    flags = dns.flags.RD if question.recursive else 0
    query = dns.message.make_query(question.name, question.type, use_edns=0, payload=_PAYLOAD, flags=flags)
    gap = min(PATIENCE, (deadline - time.monotonic()) / (2 * len(servers)))
    turns = deque(servers)
    with ExitStack() as closing:
        # Of the selectors this one costs no file descriptor.
        here = _Exchange(question, query, deadline, closing.enter_context(selectors.PollSelector()), closing)
        while turns and (now := time.monotonic()) < deadline:
            server = turns.popleft()
            fresh = server not in here.asked
            _send(here, server)
            answer = _listen(here, min(deadline, now + gap))
            if answer:
                return answer
            if server not in here.failed:
                silent.add(server)
            gap *= 1 if fresh else 2
            turns = deque(each for each in (*turns, server) if each not in here.failed)
        return _unanswered(here)


def _send(here: _Exchange, server: Server) -> None:
    """Ask a server, or ask it again."""
    here.asked.setdefault(server, time.monotonic())
    try:
        _socket_to(here, server).send(here.query.to_wire())
    except BlockingIOError:
        return  # no room to send just now: as if the datagram were lost, it is sent again
    except OSError as error:
        _fail(here, server, f"{reason(error)} at")


def _socket_to(here: _Exchange, server: Server) -> "socket.socket":
    """A connected socket: the kernel then drops what others send, and reports a closed port."""
    import selectors
    import socket

    if server not in here.sockets:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        made = here.closing.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        made.setblocking(False)
        made.connect(server)
        here.selector.register(made, selectors.EVENT_READ, server)
        here.sockets[server] = made
    return here.sockets[server]


def _listen(here: _Exchange, until: float) -> Answer | None:
    """The first usable answer of any server asked; None at that time, or as soon as a server has failed."""
    failed = len(here.failed)
    while len(here.failed) == failed and (left := until - time.monotonic()) > 0:
        for key, _ in here.selector.select(left):
            answer = _receive(here, key.data)
            if answer:
                return answer
    return None


def _receive(here: _Exchange, server: Server) -> Answer | None:
    """Read one datagram. What fits no question is passed over, as it may be forged: the true answer may still come."""
    import dns.message

    if server in here.failed:
        return None
    try:
        wire = here.sockets[server].recv(65535)
    except BlockingIOError:
        return None
    except OSError as error:
        _fail(here, server, f"{reason(error)} at")
        return None
    try:
        reply = read(here.query, wire)
    except dns.message.Truncated:
        here.replied = True
        return _over_tcp(here, server)
    if reply is None:
        here.garbled.add(server)
        return None
    return _take(here, server, reply)


def read(query: "QueryMessage", wire: bytes) -> "QueryMessage | None":
    """The reply to this query; None for anything else. Raises dns.message.Truncated for one that is cut off."""
    import dns.exception
    import dns.message

    truncated = None
    try:
        reply = dns.message.from_wire(wire, ignore_trailing=True, raise_on_truncation=True)
    except dns.message.Truncated as error:
        truncated, reply = error, error.message()  # type: ignore[no-untyped-call]
    except (dns.exception.DNSException, ValueError):
        return None
    if not isinstance(reply, dns.message.QueryMessage) or not query.is_response(reply):
        return None
    if truncated:
        raise truncated
    return reply


def _over_tcp(here: _Exchange, server: Server) -> Answer | None:
    """Fetch the whole answer. While it drips nobody else is heard, so others are left half of the time."""
    import dns.exception
    import dns.message
    import dns.query

    others = any(each not in here.failed for each in here.question.servers if each != server)
    patience = (here.deadline - time.monotonic()) / (2 if others else 1)
    try:
        reply = dns.query.tcp(here.query, server[0], max(0.0, patience), server[1], ignore_trailing=True)
        return _take(here, server, cast("QueryMessage", reply))
    except dns.exception.Timeout:
        problem = f"not the whole within {_span(patience)}"
    except EOFError:
        problem = "an early end"
    except OSError as error:
        problem = reason(error)
    except (dns.exception.DNSException, ValueError):
        problem = "garbage"
    _fail(here, server, f"a truncated answer, and over TCP {problem}, from")
    return None


def _take(here: _Exchange, server: Server, reply: "QueryMessage") -> Answer | None:
    """Make what can be made of a reply: the answer, or another try, or a reason to turn to the next server."""
    here.replied = True
    meant = meaning(here.question, reply)
    if isinstance(meant, Answer):
        ms = round((time.monotonic() - here.asked[server]) * 1000)
        failures = tuple(here.failed.values())
        return replace(meant, server=called(server), ms=ms, failures=failures, replied=True)
    if meant in ("FORMERR", "NOTIMP", "BADVERS") and here.query.edns >= 0:
        here.query.use_edns(False)  # an old server: once more without (RFC 6891 section 7)
        _send(here, server)
    else:
        _fail(here, server, f"{meant} from")
    return None


def _fail(here: _Exchange, server: Server, phrase: str) -> None:
    """`phrase` goes before the server's address: "SERVFAIL from"."""
    here.failed.setdefault(server, f"{phrase} {called(server)}")


def _unanswered(here: _Exchange) -> Answer:
    failures = [here.failed.get(server) or _silence(here, server) for server in dict.fromkeys(here.question.servers)]
    return Answer(here.question.type, failures=tuple(failures), replied=here.replied or bool(here.garbled))


def _silence(here: _Exchange, server: Server) -> str:
    if server not in here.asked:
        return f"no time left to ask {called(server)}"
    what = "only garbage" if server in here.garbled else "no answer"
    return f"{what} within {_span(here.deadline - here.asked[server])} from {called(server)}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1g} s"
