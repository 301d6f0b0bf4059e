"""pom ack and pom deployed, as an operator types them, and where both are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Pom
from web_server import WebServer, answer

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        server.on("/", answer(500))
        yield server


@pytest.fixture
def run(pom: Pom, tmp_path: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SUDO_USER", "ada")
    text = (
        f'[instance]\nname = "hetzner"\ndata_dir = "{tmp_path / "data"}"\n[offline]\nwitnesses = []\n'
        f'[targets.shop]\nurl = "{web.url()}"\nhealth.attempts = 1\nroutes = {{ paths = ["/x"] }}\n'
        '[peers.astra]\nurl = "http://127.0.0.1:9"\n'
    )

    def run_(*words: str) -> tuple[int, str]:
        ran = pom(*words, config=text)
        return ran.code, ran.out

    return run_


def alerts(run: Run) -> dict[str, object]:
    return {one["alert"]: one["ack"] for one in json.loads(run("alerts", "--json")[1])["alerts"]}


def test_an_ack_is_shown_with_who_and_when_until_it_is_lifted(run: Run) -> None:
    run("check")
    code, out = run("ack", "shop", "--alert", "health", "--note", "restarting it")
    assert (code, out.startswith("shop health: acknowledged at "), out.endswith(" by ada: restarting it\n")) == (
        0, True, True,
    )  # fmt: skip
    found = alerts(run)["health"]
    assert isinstance(found, dict)
    assert {key: found[key] for key in ("by", "origin", "note")} == {
        "by": "ada", "origin": "hetzner", "note": "restarting it"
    }  # fmt: skip
    (told,) = (one["ack"] for one in json.loads(run("status", "--json")[1])["alerts"] if one["alert"] == "health")
    assert told == found
    for command in ("alerts", "status"):
        assert " by ada: restarting it" in run(command)[1]
    assert run("ack", "shop", "--lift")[1].startswith("lifted: shop health: acknowledged at ")
    assert set(alerts(run).values()) == {None}
    assert run("ack", "shop", "--lift")[1] == "shop: no ack to lift\n"


def test_without_a_kind_all_open_alerts_of_the_target_are_taken_on(run: Run) -> None:
    run("check")
    acked = json.loads(run("ack", "shop", "--json")[1])["acks"]
    assert {one["alert"] for one in acked} == set(alerts(run)) >= {"health"}


def test_it_ends_with_the_recovery(run: Run, web: WebServer) -> None:
    run("check", "health")
    run("ack", "shop")
    web.on("/", answer(200))
    run("check", "health")
    web.on("/", answer(500))
    run("check", "health")
    assert alerts(run)["health"] is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ack", "shpo"), "'shpo' is neither a target nor a peer; did you mean 'shop'?"),
        (("ack", "shop", "--alert", "helth"), "--alert: 'helth' is not a kind of alert; did you mean 'health'?"),
        (("deployed", "shpo"), "'shpo' is not a target; did you mean 'shop'?"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(pom: Pom, words: tuple[str, ...], told: str) -> None:
    ran = pom(*words, config='[targets.shop]\nurl = "http://127.0.0.1:9"\n')
    assert (ran.code, ran.complaints) == (2, [f"pom: {told}"])


def test_what_is_well_has_nothing_to_take_on(run: Run) -> None:
    assert run("ack", "shop", "--alert", "health") == (0, "shop: no open health alert\n")


def test_a_deployment_is_shown_in_status_incidents_history_and_the_api(run: Run) -> None:
    code, out = run("deployed", "shop", "--rev", "1.8.2", "--note", "hotfix")
    assert (code, out) == (0, "shop: deployed 1.8.2 0 s ago by ada: hotfix\n")
    run("check")
    (shop,) = json.loads(run("status", "--json")[1])["targets"]
    assert {key: shop["deployed"][key] for key in ("rev", "by", "origin", "note")} == {
        "rev": "1.8.2", "by": "ada", "origin": "hetzner", "note": "hotfix"
    }  # fmt: skip
    assert "deployed 1.8.2 " in run("status")[1]
    assert "by ada: hotfix" in run("history", "shop")[1]
    assert "  deployed 1.8.2 " in run("incidents")[1]
    assert json.loads(run("incidents", "--json")[1])[0]["deployed"]["rev"] == "1.8.2"


def test_without_a_deployment_the_api_says_null(run: Run) -> None:
    run("check")
    assert json.loads(run("status", "--json")[1])["targets"][0]["deployed"] is None
