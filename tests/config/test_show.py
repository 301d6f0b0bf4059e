import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from test_config import DATA

from pom_cli import config
from pom_cli.config import Config, show

SHOP = '[targets.shop]\nurl = "https://shop.example.com"\n'


def parse(text: str, **env: str) -> Config:
    return config.parse(text, Path("/x/pom.toml"), {"HOME": "/home/ops"} | env)


def settings(loaded: Config) -> Config:
    """All that a config says, without how it was said."""
    return replace(loaded, effective={}, warnings=(), text="")


@pytest.mark.parametrize(
    "text",
    [
        (DATA / "whole.toml").read_text(),
        SHOP,
        SHOP + 'health = false\ndns = true\nops = { ssh = "root@192.0.2.10" }\n',
        SHOP
        + 'health = { path = "/api/health", expect = { a = { b = [1, 2.5, true] } }, expect_text = "a\\nb\\"\\u007f" }',
        SHOP + "health = { drift = false, expect_status = [200, 204] }",
        SHOP + 'health = { drift = { factor = 3, floor = "1s" } }\nwhois = { expires_on = 2027-03-01 }',
        SHOP + 'routes = { paths = ["/", { path = "/old", status = 301 }] }',
        '[targets."a.b-c"]\nurl = "https://bücher.example/"\ninterval = "1h30m"\n',
        f'[instance]\nresolvers = ["127.0.0.1:5353"]\n[offline]\nwitnesses = []\n{SHOP}',
        f'[serve]\nlisten = "[::1]:9100"\n{SHOP}',
        f'[alerts]\nto = ["a@example.com"]\nremind = []\ncooldown = "0s"\nchannels = ["smtp", "console"]\n{SHOP}',
        '[peers.astra]\nurl = "http://192.0.2.7:9100"\n',
    ],
)
def test_what_is_shown_loads_to_the_same_settings(text: str) -> None:
    loaded = parse(text)
    again = parse(show.toml(show.effective(loaded)))
    assert settings(again) == settings(loaded)
    assert show.effective(again) == show.effective(loaded)


def test_every_default_is_shown() -> None:
    values = show.effective(parse(SHOP))
    assert values["instance"]["retention"] == "30d"
    assert values["serve"] == {"listen": "127.0.0.1:9100", "rate_limit": 60, "page": False}
    assert values["alerts"]["remind"] == ["1h", "6h", "24h"]
    assert values["alerts"]["smtp"] == {"host": "localhost", "port": 25, "starttls": False}
    assert values["alerts"]["postmark"] == {"stream": "outbound", "url": "https://api.postmarkapp.com"}
    assert values["offline"] == {"witnesses": ["1.1.1.1:443", "9.9.9.9:443"]}
    assert values["targets"]["shop"]["health"]["timeout"] == "10s"
    assert values["targets"]["shop"]["tls"]["warn"] == "14d"


def test_secrets_are_masked() -> None:
    text = f"""
[alerts]
webhook = {{ url = "https://hooks.example.com/services/hush" }}
{SHOP}
health = {{ url = "https://shop.example.com/?token=hush&a=b", headers = {{ Authorization = "hush", X-Any = "hush" }} }}
"""
    values = show.effective(parse(text, POM_API_TOKEN="hush"))
    assert "hush" not in show.toml(values) + json.dumps(show.as_json(values))
    assert values["alerts"]["webhook"]["url"] == "https://hooks.example.com/(hidden)"
    health = values["targets"]["shop"]["health"]
    assert health["headers"] == {"Authorization": "(hidden)", "X-Any": "(hidden)"}
    assert health["url"] == "https://shop.example.com/?token=(hidden)&a=b"
    parse(show.toml(values))


def test_of_the_secrets_the_names_are_shown() -> None:
    loaded = parse(SHOP, POM_API_TOKEN="hush", POM_PEER_ASTRA_TOKEN="hush")
    assert show.secrets(loaded) == {
        "POM_POSTMARK_TOKEN": "(not set)",
        "POM_API_TOKEN": "(hidden)",
        "POM_SMTP_PASSWORD": "(not set)",
        "POM_PEER_ASTRA_TOKEN": "(hidden)",
    }


@pytest.mark.parametrize(
    ("value", "key", "found"),
    [
        (timedelta(minutes=90), "interval", "1h30m"),
        ((timedelta(hours=1),), "remind", ["1h"]),
        (date(2027, 3, 1), "expires_on", date(2027, 3, 1)),
        ("hush", "password", "(hidden)"),
        ("", "password", ""),
        ({"password": "hush"}, "smtp", {"password": "(hidden)"}),
        ({"Accept": "text/html"}, "headers", {"Accept": "(hidden)"}),
        (["authorization"], "headers", ["authorization"]),
        (3, "attempts", 3),
    ],
)
def test_a_value_is_shown_as_in_toml(value: Any, key: str, found: Any) -> None:
    assert show.plain(value, key) == found


def test_json_has_dates_as_text() -> None:
    value = {"a": [date(2027, 3, 1)], "b": datetime(2027, 3, 1, 12, 0, tzinfo=UTC)}
    assert show.as_json(value) == {"a": ["2027-03-01"], "b": "2027-03-01T12:00:00+00:00"}


# Short, and few: what a writer gets wrong is in a character or in a place, and longer ones cost seconds.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | st.dates() | st.datetimes() | st.times()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
TREES = st.dictionaries(TEXTS, VALUES, max_size=5)


@pytest.mark.slow
@given(TREES)
def test_whatever_is_written_as_toml_reads_as_the_same(tree: dict[str, Any]) -> None:
    assert without_empty(tomli.loads(show.toml(tree))) == without_empty(tree)


def without_empty(tree: dict[str, Any]) -> dict[str, Any]:
    """Empty tables are not written: they say nothing."""
    cleaned = {key: without_empty(value) if isinstance(value, dict) else value for key, value in tree.items()}
    return {key: value for key, value in cleaned.items() if value != {}}


@pytest.mark.slow
@given(TREES)
def test_whatever_is_written_is_fit_for_a_terminal(tree: dict[str, Any]) -> None:
    assert all(line.isprintable() for line in show.toml(tree).split("\n"))


def test_a_time_is_written_as_such() -> None:
    assert tomli.loads(show.toml({"at": time(7, 32)})) == {"at": time(7, 32)}
