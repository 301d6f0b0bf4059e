"""Hostile answers through every parser, by the real commands: no signal, no traceback, and the others are judged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import Pom, Ran
from hostile import bodies
from peer_words import TOKEN, sign, told
from postmark_server import PostmarkServer
from postmark_server import answer as postmark_answer
from registry_server import WhoisServer, domain_object, rdap
from web_server import WebServer, answer

DEEP = b"[" * 200_000
JSON = {"Content-Type": "application/json"}
EXPECT = 'health = { attempts = 1, timeout = "20s", expect = { status = "operational" } }'


def top(tmp_path: Path) -> str:
    return (
        f'[instance]\nname = "hetzner"\ndata_dir = "{tmp_path / "data"}"\n[offline]\nwitnesses = []\n'
        '[alerts]\nto = ["ops@example.com"]\nfrom = "pom@example.com"\n'
    )


def judged(ran: Ran, name: str = "good") -> str:
    """Every status of this target in the JSON of `pom check`, and that the run ended as runs do."""
    assert ran.code in (0, 1), (ran.code, ran.err[-2000:])
    assert "Traceback" not in ran.err + ran.out
    assert "PoM itself failed" not in ran.out
    return ", ".join(one["status"] for one in json.loads(ran.out)["results"] if one["target"] == name)


def test_a_site_that_answers_deep_data_does_not_end_the_run_of_the_others(
    tmp_path: Path, server: WebServer, pom_process: Pom
) -> None:
    server.on("/deep", answer(200, DEEP, JSON))
    server.on("/good", answer(200, '{"status": "operational"}', JSON))
    config = top(tmp_path)
    for name in ("deep", "good"):
        config += f'[targets.{name}]\nurl = "{server.url(f"/{name}")}"\n{EXPECT}\n'
    ran = pom_process("check", "--json", config=config)
    assert ran.code == 1
    assert judged(ran) == "operational"
    assert judged(ran, "deep") == "degraded"
    assert "the body is not JSON" in ran.out
    status = json.loads(pom_process("status", "--json", config=config).out)
    assert {one["name"]: one["status"] for one in status["targets"]} == {"deep": "degraded", "good": "operational"}


@pytest.mark.slow
class TestTwoThousandHostileAnswers:
    def test_of_sites(self, tmp_path: Path, server: WebServer, pom_process: Pom) -> None:
        server.on("/good", answer(200, '{"status": "operational"}', JSON))
        config = top(tmp_path) + f'[targets.good]\nurl = "{server.url("/good")}"\n{EXPECT}\n'
        for number, body in enumerate(bodies(800)):
            server.on(f"/{number}", answer(200, body, JSON))
            config += f'[targets.t{number}]\nurl = "{server.url(f"/{number}")}"\n{EXPECT}\n'
        ran = pom_process("check", "--json", config=config, timeout=500)
        assert judged(ran) == "operational"
        assert len(json.loads(ran.out)["results"]) == 801

    def test_of_registries_over_rdap_and_whois(self, tmp_path: Path, server: WebServer, pom_process: Pom) -> None:
        server.on("/good/domain/good.com", rdap(domain_object("good.com", "2090-01-01T00:00:00Z")))
        config = top(tmp_path)
        config += '[targets.good]\nurl = "https://good.com"\nhealth = false\ntls = false\n'
        config += f'whois = {{ domain = "good.com", rdap = "{server.url("/good/")}", timeout = "60s" }}\n'
        with WhoisServer() as whois:
            for number, body in enumerate(bodies(600)):
                domain = f"t{number}.com"
                server.on(f"/{number}/domain/{domain}", rdap("{}") if number % 2 else answer(200, body))
                whois.on(f"domain {domain}", [body])
                whois.on(domain, [body])
                source = f'server = "127.0.0.1:{whois.port}"' if number % 2 else f'rdap = "{server.url(f"/{number}/")}"'
                config += f'[targets.t{number}]\nurl = "https://{domain}"\nhealth = false\ntls = false\n'
                config += f'whois = {{ domain = "{domain}", {source}, timeout = "60s" }}\n'
            ran = pom_process("check", "whois", "--json", config=config, timeout=500)
            assert len(whois.questions) >= 200, "one at a time, as far as the time goes"
        assert judged(ran) == "operational"
        assert len(json.loads(ran.out)["results"]) == 601

    def test_of_peers(self, tmp_path: Path, server: WebServer, pom_process: Pom) -> None:
        # Each knows the token; PoM signs the path that a peer serves, whatever its URL has before that.
        config, server.sign = top(tmp_path), lambda request, data: sign(replace(request, path="/api/peer"), data)
        server.on("/good/api/peer", answer(200, told(datetime.now(UTC), name="good"), JSON))
        config += f'[peers.good]\nurl = "{server.url("/good")}"\n'
        for number, body in enumerate(bodies(500)):
            server.on(f"/{number}/api/peer", answer(200, body, JSON))
            config += f'[peers.p{number}]\nurl = "{server.url(f"/{number}")}"\n'
        ran = pom_process("heartbeat", "--json", config=config, env={"POM_API_TOKEN": TOKEN}, timeout=500)
        assert ran.code in (0, 1)
        assert "Traceback" not in ran.err
        states = {peer["name"]: peer["state"] for peer in json.loads(ran.out)["peers"]}
        assert len(states) == 501
        assert states["good"] == "alive"

    def test_of_postmark(self, tmp_path: Path, server: WebServer, postmark: PostmarkServer, pom_process: Pom) -> None:
        server.on("/", answer(500))
        config = top(tmp_path) + f'channels = ["postmark"]\npostmark = {{ url = "{postmark.url}" }}\n'
        config += f'[targets.shop]\nurl = "{server.url()}"\nhealth.attempts = 1\n'
        for number, body in enumerate(bodies(600)[::20]):
            postmark.script = [postmark_answer((200, 422, 500)[number % 3], body)]
            ran = pom_process("alerts", "test", config=config, env={"POM_POSTMARK_TOKEN": "token"})
            assert ran.code in (0, 1, 3)
            assert "Traceback" not in ran.err
        assert len(postmark.posts()) >= 30

    def test_of_test_reports_and_outputs(self, tmp_path: Path, pom_process: Pom) -> None:
        config = top(tmp_path) + '[targets.shop]\nurl = "http://127.0.0.1:9"\nhealth = false\n'
        config += f'tests = {{ command = "cat {tmp_path / "answer"}; exit 1", timeout = "60s" }}\n'
        for body in bodies(600)[::10]:
            (tmp_path / "answer").write_bytes(body)
            for words in (
                ("test", "record", "shop", "--passed", "1", "--failed", "0", "--junit", tmp_path / "answer"),
                ("test", "shop"),
            ):
                ran = pom_process(*words, config=config, errors="replace")
                assert ran.code in (0, 1, 2)
                assert "Traceback" not in ran.err

    def test_of_configs(self, tmp_path: Path, pom_process: Pom) -> None:
        for body in bodies(600)[::20]:
            (tmp_path / "odd.toml").write_bytes(body)
            ran = pom_process("--config", tmp_path / "odd.toml", "config", "check")
            assert ran.code == 2
            assert "Traceback" not in ran.err
            assert max(map(len, ran.err.splitlines())) < 2000
