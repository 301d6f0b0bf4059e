import socket
from collections.abc import Sequence
from contextlib import closing

import pytest
from addresses import closed_port, dead_port
from web_server import WebServer

from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import Fault, NoAnswer
from pom_cli.net.race import Address, alternating, dead, has_way, race

V4, V6 = "127.0.0.1", "::1"


def at(host: str, port: int) -> Address:
    return Address(socket.AF_INET6, (host, port, 0, 0)) if ":" in host else Address(socket.AF_INET, (host, port))


def raced(*addresses: Address, seconds: float = 20) -> tuple[Address, Sequence[Address]]:
    """Where the connection was made, and which others are in doubt."""
    won = race(addresses, Deadline.after(seconds))
    with closing(won.sock):
        assert won.sock.getpeername()[:2] == won.address.place[:2]
        assert won.sock.getblocking()
    return won.address, won.others


@pytest.mark.parametrize(("gone", "there"), [(V6, V4), (V4, V6), (V4, "127.0.0.2")])
def test_an_address_that_does_not_answer_is_passed_by(gone: str, there: str) -> None:
    with dead_port(gone) as port, WebServer(there) as server:
        silent, good = at(gone, port), at(there, server.port)
        assert raced(silent, good) == (good, (silent,))


def test_one_that_refuses_is_passed_by_as_well() -> None:
    with closed_port() as port, WebServer(V6) as server:
        assert raced(at(V4, port), at(V6, server.port)) == (at(V6, server.port), (at(V4, port),))


def test_the_other_family_is_in_doubt_as_long_as_nobody_tried_it() -> None:
    with WebServer(V4) as one, WebServer(V6) as other:
        first, second = at(V4, one.port), at(V6, other.port)
        assert raced(first, at("127.0.0.2", one.port), second) == (first, (second,))


def test_a_family_that_this_machine_does_not_speak_costs_nothing() -> None:
    with WebServer(V4) as server:
        none = Address(socket.AF_APPLETALK, ("127.0.0.1", 9))
        assert raced(none, at(V4, server.port)) == (at(V4, server.port), (none,))


def test_where_none_answers_the_first_one_s_fault_is_told() -> None:
    with dead_port() as silent, closed_port() as refused, pytest.raises(NoAnswer) as caught:
        race([at(V4, silent), at(V4, refused)], Deadline.after(0.4))
    assert (caught.value.fault, caught.value.fault.address) == (Fault("connect", "no answer within 0.4 s"), V4)


def test_the_families_take_turns_in_the_system_s_order() -> None:
    six, four = [at(f"2001:db8::{n}", 1) for n in (1, 2, 3)], [at("192.0.2.1", 1)]
    assert alternating([*six, *four, six[0]]) == [six[0], four[0], six[1], six[2]]


class TestDead:
    def test_one_that_answers_is_not(self) -> None:
        with WebServer(V6) as server:
            assert dead(at(V6, server.port), Deadline.after(20)) is None

    def test_one_that_refuses_is(self) -> None:
        with closed_port() as port:
            assert dead(at(V4, port), Deadline.after(20)) == Fault("connect", "connection refused")

    def test_one_that_is_silent_is_after_a_while(self) -> None:
        with dead_port(V6) as port:
            assert dead(at(V6, port), Deadline.after(20)) == Fault("connect", "no answer within 3 s")

    def test_one_that_was_given_no_time_is_not(self) -> None:
        with dead_port() as port:
            assert dead(at(V4, port), Deadline.after(0.2)) is None

    def test_one_without_a_way_is_not(self) -> None:
        none = Address(socket.AF_APPLETALK, ("127.0.0.1", 9))
        assert dead(none, Deadline.after(20)) is None
        assert not has_way(none)
        assert has_way(at(V6, 9))
