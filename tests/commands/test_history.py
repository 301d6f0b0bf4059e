"""pom history, as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from api_server import load, see
from conftest import Pom, Ran

from pom_cli.config import Config
from pom_cli.model import UNREACHABLE


@pytest.fixture
def config(tmp_path: Path) -> Config:
    loaded = load(tmp_path)
    see(loaded, "shop", UNREACHABLE, ago="600s", ms=None)
    see(loaded, "shop", ago="300s", ms=43)
    return loaded


def history(pom: Pom, config: Config, *words: object) -> Ran:
    return pom("--config", config.path, "history", *words)


def test_a_line_a_result_newest_first(pom: Pom, config: Config) -> None:
    ran = history(pom, config, "shop")
    lines = ran.out.splitlines()
    assert (ran.code, ran.err, len(lines)) == (0, "", 2)
    assert lines[0].endswith(" health: operational, it is operational, 43 ms")
    assert lines[1].endswith(" health: unreachable, it is unreachable")
    assert "\x1b" not in ran.out


def test_no_more_than_asked_for_and_it_says_that_there_may_be_more(pom: Pom, config: Config) -> None:
    ran = history(pom, config, "shop", "--limit", "1")
    assert (ran.code, len(ran.out.splitlines())) == (0, 1)
    assert ran.complaints == ["pom: there may be more than 1; see --limit"]


def test_since(pom: Pom, config: Config) -> None:
    assert len(history(pom, config, "shop", "--since", "7m").out.splitlines()) == 1
    assert history(pom, config, "shop", "--since", "1m").out == "shop: no results in the last 1m\n"
    empty = history(pom, config, "shop", "--since", "2999-01-01T00:00:00Z")
    assert empty.out == "shop: no results since 2999-01-01T00:00:00Z\n"


def test_json(pom: Pom, config: Config) -> None:
    found = json.loads(history(pom, config, "shop", "--json").out)
    assert [row["latency_ms"] for row in found] == [43, None]
    assert json.loads(history(pom, config, "blog", "--json").out) == []


def test_before_the_first_run(pom: Pom, tmp_path: Path) -> None:
    ran = history(pom, load(tmp_path), "shop")
    assert (ran.code, ran.out) == (0, "shop: no results in the last 24h\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["shpo"], "pom: 'shpo' is not a target; did you mean 'shop'?"),
        (["shop", "--since", "soon"], "pom: --since: 'soon' is not a duration like \"24h\" or an instant like "
                                      '"2026-11-24T06:00:00Z"'),
        (["shop", "--limit", "0"], "pom: invalid value for '--limit': 0 is not in the range 1<=x<=10000"),
        (["shop", "--kind", "helth"], "pom: invalid value for '--kind': 'helth' is not one of "),
        ([], "pom: missing argument 'TARGET' (try pom history --help)"),
    ],
)  # fmt: skip
def test_wrong_use(pom: Pom, config: Config, words: list[str], complaint: str) -> None:
    ran = history(pom, config, *words)
    assert (ran.code, ran.out, len(ran.complaints)) == (2, "", 1)
    assert ran.complaints[0].startswith(complaint)


def test_a_database_that_cannot_be_read_ends_with_3(pom: Pom, config: Config) -> None:
    (config.instance.data_dir / "pom.db").write_bytes(b"damaged" * 1000)
    ran = history(pom, config, "shop")
    assert (ran.code, ran.out, len(ran.complaints)) == (3, "", 1)
    assert "pom.db: damaged: " in ran.complaints[0]
