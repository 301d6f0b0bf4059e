import json
from pathlib import Path

import pytest
import tomli
from conftest import Pom

SHOP = '[targets.shop]\nurl = "https://shop.example.com"\n'
MISTAKES = '[serve]\nlisten = 1\n[targets.shop]\nurl = "x"\n'
LINES = [
    'serve.listen: 1 is not an address like "127.0.0.1:9100"',
    "targets.shop.url: 'x' is not a URL like https://example.com",
]


class TestCheck:
    def test_a_right_config_is_said_to_be_so(self, pom: Pom, tmp_path: Path) -> None:
        ran = pom("config", "check", config=f'{SHOP}[peers.astra]\nurl = "http://192.168.0.7:9100"\n')
        told = f"{tmp_path}/conf/pom.toml: no errors; targets: 1, checks: 2, peers: 1\n"
        assert (ran.code, ran.out, ran.err) == (0, told, "")

    @pytest.mark.parametrize(
        ("url", "warned"),
        [
            ("http://203.0.113.7:9100", True),
            ("http://[2001:db8::7]:9100", True),
            ("http://[::ffff:203.0.113.7]:9100", True),
            ("http://astra.example.com:9100", True),
            ("https://203.0.113.7:9100", False),
            ("http://127.0.0.1:9100", False),
            ("http://localhost:9100", False),
            ("http://10.1.2.3:9100", False),
            ("http://172.31.0.1:9100", False),
            ("http://172.32.0.1:9100", True),
            ("http://100.100.7.9:9100", False),
            ("http://100.128.0.1:9100", True),
            ("http://[fd7a:115c:a1e0::7]:9100", False),
            ("http://astra:9100", False),
            ("http://astra.tailnet.ts.net:9100", False),
        ],
    )
    def test_a_peer_that_is_asked_in_the_open_is_warned_of(self, pom: Pom, url: str, warned: bool) -> None:
        ran = pom("config", "check", config=f'{SHOP}[peers.astra]\nurl = "{url}"\n')
        assert (ran.code, [f"peers.astra.url: '{url}' is plain HTTP" in line for line in ran.complaints]) == (
            0,
            [True] if warned else [],
        )

    @pytest.mark.parametrize("name", ["POM_API_TOKEN", "POM_PEER_ASTRA_TOKEN"])
    def test_a_short_token_is_warned_of_and_not_shown(self, pom: Pom, name: str) -> None:
        ran = pom("config", "check", config=SHOP, env={name: "0123456789abcdef,quite-a-secret"})
        assert ran.code == 0
        (line,) = ran.complaints
        assert f"{name}: a token of 14 characters can be guessed" in line
        assert "quite" not in ran.err

    def test_every_mistake_has_its_line_on_standard_error(self, pom: Pom) -> None:
        ran = pom("config", "check", config=MISTAKES)
        assert (ran.code, ran.out) == (2, "")
        assert ran.complaints == [f"pom: {line}" for line in LINES]

    def test_a_warning_is_no_mistake(self, pom: Pom) -> None:
        ran = pom("config", "check", config=SHOP + 'interval = "1m"')
        assert ran.code == 0
        assert ran.complaints == [
            "pom: warning: targets.shop.interval: '1m' is shorter than the timer's interval: "
            "health is looked at every 5m"
        ]

    @pytest.mark.parametrize(
        ("text", "code", "answer"),
        [
            (SHOP, 0, {"ok": True, "problems": [], "warnings": []}),
            (MISTAKES, 2, {"ok": False, "problems": LINES, "warnings": []}),
            (f"[alerts]\nchannels = []\n{SHOP}", 0,
             {"ok": True, "problems": [], "warnings": ["alerts.channels: empty: no alerts are sent"]}),
        ],
    )  # fmt: skip
    def test_programs_get_json_alone(self, text: str, code: int, answer: object, pom: Pom) -> None:
        ran = pom("config", "check", "--json", config=text)
        assert (ran.code, json.loads(ran.out), ran.err) == (code, answer, "")

    def test_a_file_that_is_not_there_is_json_too(self, pom: Pom) -> None:
        ran = pom("--config", "/nonexistent.toml", "config", "check", "--json")
        assert (ran.code, ran.err) == (2, "")
        told = "/nonexistent.toml: no such file; 'pom init URL' writes a first config there"
        assert json.loads(ran.out) == {"ok": False, "problems": [told], "warnings": []}


class TestShow:
    def test_what_it_prints_loads_and_says_the_same(self, pom: Pom) -> None:
        first = pom("config", "show", config=SHOP)
        second = pom("config", "show", config=first.out)
        assert (first.code, first.err) == (0, "")
        assert second.out == first.out
        assert tomli.loads(first.out)["targets"]["shop"]["health"]["timeout"] == "10s"

    def test_the_secrets_are_masked_and_their_absence_is_told(self, pom: Pom) -> None:
        ran = pom("config", "show", config=SHOP, env={"POM_API_TOKEN": "hush"})
        assert "hush" not in ran.out + ran.err
        assert ran.out.splitlines()[-3:] == [
            "# POM_POSTMARK_TOKEN: (not set)",
            "# POM_API_TOKEN: (hidden)",
            "# POM_SMTP_PASSWORD: (not set)",
        ]

    def test_programs_get_json(self, pom: Pom) -> None:
        ran = pom("config", "show", "--json", config=SHOP + "whois = { expires_on = 2027-03-01 }")
        shown = json.loads(ran.out)
        assert ran.code == 0
        assert shown["targets"]["shop"]["whois"]["expires_on"] == "2027-03-01"
        assert shown["secrets"]["POM_API_TOKEN"] == "(not set)"

    def test_a_config_with_mistakes_is_not_shown(self, pom: Pom) -> None:
        ran = pom("config", "show", config=MISTAKES)
        assert (ran.code, ran.out, len(ran.complaints)) == (2, "", 2)


def test_without_a_word_it_shows_its_help(pom: Pom) -> None:
    ran = pom("config")
    assert (ran.code, ran.out) == (2, "")
    assert "Example: pom config check" in ran.err
