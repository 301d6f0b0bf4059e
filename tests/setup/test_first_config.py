"""A first config as text: whatever was found, it is TOML that says just that."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli import config
from pom_cli.checks import KINDS
from pom_cli.setup.first_config import comment, first_config, site_line
from pom_cli.setup.proposals import Found, Proposal

DAY = date(2026, 11, 24)
URL = "https://www.example.com"
HOSTILE = st.text() | st.sampled_from(
    [
        '"\n[targets.evil]\nurl = "http://evil.example"\n',
        "x\r[evil]",
        "\x00",
        "\x85[a]",
        "\u2028[a]",
        "\ud800",
        "'''",
        "\\",
    ]
)
PRINTABLE = st.text().filter(str.isprintable)  # what a value may be: the config refuses others in most places


def written(*sites: Found) -> str:
    return first_config({f"site{number}": site for number, site in enumerate(sites)}, "hetzner", "/var/lib/pom", DAY)


def read(*sites: Found) -> Mapping[str, Any]:
    found: Mapping[str, Any] = tomllib.loads(written(*sites))["targets"]
    return found


FULL = Found(
    "http://example.com",
    URL,
    {
        "health": Proposal(
            {"path": "/healthz", "expect": {"status": "ok"}}, ("/healthz answers well.",), "health at /healthz"
        ),
        "tls": Proposal({}, ("Issued by R3, until 2027-01-20.",), "certificate until 2027-01-20"),
        "routes": Proposal({"paths": ["/", "/login"]}, ("These answer with a 2xx today.",), "2 routes"),
        "dns": Proposal(
            {
                "records": [
                    {"name": "example.com", "type": "MX", "expected": ["10 mail.example.com"]},
                    {"name": "www.example.com", "type": "A", "expected": []},
                ]
            },
            ("As they resolve today.",),
            "2 DNS records",
        ),
        "whois": Proposal({"domain": "example.com"}, ("Today: expires 2027-08-13.",), "domain until 2027-08-13"),
    },
    ("http://example.com leads here.",),
)  # fmt: skip


def test_it_says_what_was_found_and_loads() -> None:
    text = written(FULL)
    found = config.parse(text, Path("/etc/pom/pom.toml"), {"HOME": "/root"})
    assert found.warnings == ()
    assert set(found.targets["site0"].checks) == {"health", "tls", "routes", "dns", "whois"}
    assert tomllib.loads(text)["targets"]["site0"] == {
        "url": URL,
        "health": {"path": "/healthz", "expect": {"status": "ok"}},
        "routes": {"paths": ["/", "/login"]},
        "dns": FULL.kinds["dns"].settings,
        "whois": {"domain": "example.com"},
    }


def test_each_table_stands_under_what_was_seen() -> None:
    text = written(FULL)
    assert '# As it was on 2026-11-24.\n# http://example.com leads here.\n[targets.site0]\nurl = "https' in text
    assert "# /healthz answers well.\n[targets.site0.health]\n" in text
    assert "# Issued by R3, until 2027-01-20.\n# [targets.site0.tls]\n# warn = " in text
    assert '\n  { name = "www.example.com", type = "A", expected = [] },\n' in text


def test_what_a_table_may_hold_besides_is_shown_once_and_not_twice() -> None:
    text = written(FULL, Found(URL, URL, {"health": Proposal({"path": "/up"}, ("/up answers well.",))}))
    assert text.count("# timeout = ") == 1
    assert "# path = " not in text.split("[targets.site0.tls]")[0].split("[targets.site0]")[1]
    assert text.endswith('# /up answers well.\n[targets.site1.health]\npath = "/up"\n')


def test_a_kind_that_is_switched_off_says_why_on_the_line_before() -> None:
    off = Found(URL, URL, {"tls": Proposal(False, ("Today: handshake refused.", "So it is switched off."))})
    assert "# Today: handshake refused.\n# So it is switched off.\ntls = false\n" in written(off)
    assert read(off) == {"site0": {"url": URL, "tls": False}}


def test_of_what_could_not_be_looked_at_the_defaults_stand() -> None:
    away = Found(URL, URL, unseen="name does not resolve")
    assert "# Not looked at: name does not resolve.\n[targets.site0]\n" in written(away)
    assert read(away) == {"site0": {"url": URL}}
    assert site_line("shop", away) == f"shop {URL}: could not be looked at: name does not resolve"


def test_the_line_of_a_site_tells_the_point_of_each_kind() -> None:
    assert site_line("shop", FULL) == (
        "shop https://www.example.com: health at /healthz, certificate until 2027-01-20, 2 routes, 2 DNS records, "
        "domain until 2027-08-13"
    )


def test_every_line_behind_a_sign_is_right_as_it_stands() -> None:
    """Nothing found, everything found: each commented key can be uncommented."""
    for site in (Found(URL, URL), FULL):
        lines = [
            line.removeprefix("# ") if " = " in line or "# [" in line else line for line in written(site).splitlines()
        ]
        found = config.parse("\n".join(lines), Path("/etc/pom/pom.toml"), {"HOME": "/root"})
        assert set(found.targets["site0"].checks) == set(KINDS)


@given(HOSTILE)
def test_a_comment_is_one_line_that_toml_passes_over(text: str) -> None:
    line = comment(text)
    assert tomllib.loads(f"{line}\nkey = 1") == {"key": 1}
    assert line.startswith("#") and line.isprintable() and line.encode()


@given(notes=st.lists(HOSTILE), why=HOSTILE, told=HOSTILE)
def test_no_note_can_add_to_the_config(notes: list[str], why: str, told: str) -> None:
    proposals = {kind: Proposal({}, tuple(notes), told) for kind in KINDS}
    assert read(Found(URL, URL, proposals, tuple(notes), why)) == {"site0": {"url": URL}}
    assert site_line("shop", Found(URL, URL, proposals, tuple(notes), why)).isprintable()
    off = Found(URL, URL, {"tls": Proposal(False, tuple(notes), told)})
    assert read(off) == {"site0": {"url": URL, "tls": False}}


@pytest.mark.slow
@given(
    st.recursive(
        PRINTABLE | st.booleans() | st.integers(-(2**63), 2**63 - 1),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
        max_leaves=8,
    )
)
def test_every_value_is_read_back_as_it_was(value: Any) -> None:
    assert read(Found(URL, URL, {"dns": Proposal({"records": value, "more": [value]})})) == {
        "site0": {"url": URL, "dns": {"records": value, "more": [value]}}
    }


@pytest.mark.parametrize("text", ["\t", "a\nb", "\x7f", "\x1b[2J", "\x00", "\x85", "\u202e", "\U000e0001"])
def test_a_value_with_controls_in_it_is_escaped(text: str) -> None:
    site = Found(URL, URL, {"routes": Proposal({"paths": [text]})})
    assert read(site)["site0"]["routes"] == {"paths": [text]}
    assert written(site).replace("\n", "").isprintable()
