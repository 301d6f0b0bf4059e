"""Who can tell that this monitor's own network works, and what they say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pom_cli import config
from pom_cli.alerting import offline as evidence

CLOSED = ("127.0.0.1", 1)


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield ("127.0.0.1", listener.getsockname()[1])


def test_one_that_answers_is_enough_wherever_it_stands(listening: tuple[str, int]) -> None:
    name = f"127.0.0.1:{listening[1]}"
    for places in ([listening], [CLOSED, listening], [listening, CLOSED, CLOSED]):
        assert evidence.answering(places) == name
        assert evidence.ask(places, 2).proof == f"{name} answers: this monitor's own network works"
    assert evidence.answering([CLOSED, ("127.0.0.1", 2)]) == ""
    assert evidence.answering([]) == ""


def test_none_that_answers_is_offline_and_names_them() -> None:
    found = evidence.ask([CLOSED], 1)
    assert (found.offline, found.proof) == (True, "no witness answers either (127.0.0.1:1)")


def places(
    targets: tuple[str, ...], peers: tuple[str, ...], witness: str = "192.0.2.1:443"
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    text = f'[offline]\nwitnesses = ["{witness}"]\n'
    text += "".join(f'[targets.t{number}]\nurl = "{url}"\n' for number, url in enumerate(targets))
    text += "".join(f'[peers.p{number}]\nurl = "{url}"\n' for number, url in enumerate(peers))
    loaded = config.parse(text, Path("/nowhere/pom.toml"), {})
    return evidence.about_targets(loaded), evidence.about_peers(loaded)


WITNESS = ("192.0.2.1", 443)


def test_peers_tell_of_silent_targets_and_targets_of_silent_peers() -> None:
    about_targets, about_peers = places(("https://shop.example.com/x",), ("http://[2001:db8::7]:9100",))
    assert about_targets == [WITNESS, ("2001:db8::7", 9100)]
    assert about_peers == [WITNESS, ("shop.example.com", 443)]


def test_what_is_on_this_very_machine_tells_nothing_of_the_way_to_others() -> None:
    about_targets, about_peers = places(
        ("https://shop.example.com", "http://127.0.0.1:8080"), ("http://192.0.2.7:9100", "http://localhost:9101")
    )
    assert about_targets == [WITNESS, ("192.0.2.7", 9100)]
    assert about_peers == [WITNESS, ("shop.example.com", 443)]


def test_what_is_elsewhere_tells_nothing_of_what_is_on_this_very_machine() -> None:
    about_targets, about_peers = places(("http://127.0.0.1:8080",), ("http://192.0.2.7:9100",))
    assert about_targets == [WITNESS]
    about_targets, about_peers = places(("https://shop.example.com", "http://[::1]/"), ("http://localhost:9101",))
    assert about_targets == [WITNESS]
    assert about_peers == [], "to oneself no network is needed: its silence is its own"
    here = ("127.0.0.1", 9)
    assert places(("http://[::1]/",), ("http://localhost:9101",), "127.0.0.1:9") == (
        [here, ("localhost", 9101)],
        [here, ("::1", 80)],
    )
