"""Each path, asked without a socket: who gets what, and that it is what the command line says."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from api_server import TOKEN, TOML, database, load, see
from conftest import Pom

from pom_cli import __version__, store
from pom_cli.config import Config
from pom_cli.mesh import signing
from pom_cli.mesh.signing import Question
from pom_cli.model import ERROR, UNREACHABLE
from pom_cli.web import content, reader
from pom_cli.web.answers import ALWAYS, Answer
from pom_cli.web.application import Application, Request
from pom_cli.web.reader import Source
from pom_cli.web.routes import ROUTES

PATHS = [route.path.replace("{target}", "shop") for route in ROUTES]
CLOSED = [path for path in PATHS if path != "/api/health"]


class Client:
    """Asks one application; `now` is added to the time of day."""

    def __init__(self, config: Config) -> None:
        self.config, self.complaints, self.ahead = config, [], 0.0
        source = Source(database(config), self.complaints.append)
        self.application = Application(
            config, "the-id", source, self.complaints.append, lambda: time.time() + self.ahead
        )

    def ask(self, uri: str, token: str | None = TOKEN, method: str = "GET", etag: str = "") -> Answer:
        bearer = f"Bearer {token}" if token else ""
        return self.application.answer(Request(method, uri, "192.0.2.7", bearer, etag))

    def ask_signed(self, question: Question, signature: str, method: str = "GET") -> Answer:
        request = Request(method, question.path, "192.0.2.7", nonce=question.nonce, signature=signature)
        return self.application.answer(request)

    def json(self, uri: str) -> Any:
        answer = self.ask(uri)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    loaded = load(tmp_path)
    see(loaded, "shop", ago="600s")
    see(loaded, "blog", ago="600s", ms=20)
    see(loaded, "blog", UNREACHABLE, ago="300s", ms=None)
    see(loaded, "shop", ago="10s", ms=50)
    return loaded


@pytest.fixture
def client(config: Config) -> Client:
    return Client(config)


class TestWhoMayAsk:
    @pytest.mark.parametrize("path", CLOSED)
    def test_only_a_right_token_opens(self, client: Client, path: str) -> None:
        assert client.ask(path).status == 200
        refused = client.ask(path, token=None)
        assert (refused.status, set(json.loads(refused.body))) == (401, {"error"})
        assert ("WWW-Authenticate", "Bearer") in refused.headers
        assert client.ask(path, token="wrong").status == 401

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("path", CLOSED)
    def test_a_signature_opens_too_and_the_answer_is_signed(self, client: Client, path: str, method: str) -> None:
        question = signing.fresh(method, path)
        answer = client.ask_signed(question, signing.ask([TOKEN], question), method)
        headers = dict(answer.headers)
        body = answer.body if method == "GET" else b""
        doubt = signing.doubt([TOKEN], question, 200, body, headers[signing.NONCE], headers[signing.SIGNATURE])
        assert (answer.status, doubt) == (200, "")
        assert TOKEN.encode() not in answer.body

    def test_a_signed_question_is_answered_once_and_a_wrong_one_never(self, client: Client) -> None:
        question = signing.fresh("GET", "/api/peer")
        signatures = signing.ask([TOKEN], question)
        assert [client.ask_signed(question, signatures).status for _ in range(2)] == [200, 401]
        for signature in (signing.ask(["wrong"], question), "x", signatures.upper()):
            refused = client.ask_signed(signing.fresh("GET", "/api/peer"), signature)
            assert (refused.status, dict(refused.headers)) == (401, {"WWW-Authenticate": signing.SCHEME})

    @pytest.mark.parametrize("path", CLOSED)
    def test_without_a_token_in_the_config_nothing_opens(self, tmp_path: Path, path: str) -> None:
        client = Client(load(tmp_path, token=""))
        assert [client.ask(path, token).status for token in (None, "", "x")] == [401] * 3
        assert client.ask("/api/health", None).status == 503

    def test_two_tokens_while_they_are_rotated(self, tmp_path: Path) -> None:
        client = Client(load(tmp_path, token="new, old"))
        assert [client.ask("/api/peer", token).status for token in ("new", "old", "new, old")] == [200, 200, 401]

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "X"])
    @pytest.mark.parametrize("token", [None, TOKEN])
    def test_other_methods_are_refused(self, client: Client, method: str, token: str | None) -> None:
        refused = client.ask("/api/status", token, method)
        assert (refused.status, refused.headers) == (405, (("Allow", "GET, HEAD"),))

    def test_what_is_not_there_is_told_to_the_trusted_alone(self, client: Client) -> None:
        assert client.ask("/api/nothing").status == 404
        assert client.ask("/api/status/nobody").status == 404
        assert client.ask("/api/nothing", None).status == 401
        assert client.ask("/api/status/nobody", None).status == 401
        assert client.ask("/", None).status == 404

    def test_wrong_tokens_end_in_429_and_a_right_one_still_opens(self, client: Client) -> None:
        statuses = [client.ask("/api/status", "wrong").status for _ in range(20)]
        assert statuses == [401] * 10 + [429] * 10
        assert client.ask("/api/status").status == 200
        assert client.ask("/api/health", "wrong").status == client.ask("/api/health", None).status

    def test_a_client_s_minute(self, tmp_path: Path) -> None:
        client = Client(load(tmp_path, TOML + "[serve]\n"))
        assert client.ask("/", None).status == 404
        statuses = [client.ask("/api/health", None).status for _ in range(70)]
        assert statuses == [503] * 59 + [429] * 11
        limited = client.ask("/api/health", None)
        assert 1 <= int(dict(limited.headers)["Retry-After"]) <= 60
        assert client.ask("/api/peer").status == 200  # with a token it has a minute of its own


class TestHealth:
    def test_it_tells_anybody_how_the_monitor_is_and_no_more(self, client: Client) -> None:
        found = json.loads(client.ask("/api/health", None).body)
        assert found.keys() == {"status", "time", "overdue"}
        assert (found["status"], found["overdue"]) == ("operational", [])

    def test_it_tells_the_trusted_who_it_is(self, client: Client) -> None:
        found = client.json("/api/health")
        assert found["instance"] == {"id": "the-id", "name": "hetzner", "version": __version__}
        assert found["checks"].keys() == {"health"}
        assert found["checks"]["health"].keys() == {"last_run", "age_s", "overdue"}

    def test_without_a_database_every_kind_is_overdue(self, tmp_path: Path) -> None:
        answer = Client(load(tmp_path)).ask("/api/health", None)
        found = json.loads(answer.body)
        assert (answer.status, found["status"], found["overdue"]) == (503, "degraded", ["health"])

    def test_overdue_checks_are_a_503(self, client: Client) -> None:
        assert client.ask("/api/health").status == 200
        client.ahead = 700.0
        answer = client.ask("/api/health")
        assert (answer.status, json.loads(answer.body)["overdue"]) == (503, ["health"])

    def test_a_database_that_cannot_be_read_is_an_error(self, client: Client, config: Config) -> None:
        database(config).write_bytes(b"no database" * 1000)
        answer = client.ask("/api/health", None)
        found = json.loads(answer.body)
        assert (answer.status, found["status"], found["overdue"]) == (503, "error", [])
        assert "damaged" not in answer.body.decode()  # where the file is, is nobody's business
        assert json.loads(client.ask("/api/health").body)["instance"]["name"] == "hetzner"
        assert [path for path in CLOSED if client.ask(path).status != 503] == []
        assert "damaged: file is not a database" in json.loads(client.ask("/api/status").body)["error"]
        assert len(client.complaints) == 1


class TestContent:
    def test_status_is_what_pom_status_says(self, client: Client, config: Config, pom: Pom) -> None:
        said = json.loads(pom("--config", config.path, "status", "--json").out)
        found = client.json("/api/status")
        assert same(found) == same(said)
        for name in config.targets:
            assert same(client.json(f"/api/status/{name}")) == same(
                next(one for one in said["targets"] if one["name"] == name)
            )

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("/api/history/shop", ["history", "shop"]),
            ("/api/history/shop?limit=1&since=7d&kind=health", ["history", "shop", "--limit", "1", "--since", "7d",
                                                               "--kind", "health"]),
            ("/api/incidents", ["incidents"]),
            ("/api/mesh", ["mesh"]),
        ],
    )  # fmt: skip
    def test_a_command_s_json_is_its_path_s_answer(
        self, client: Client, config: Config, pom: Pom, path: str, words: list[str]
    ) -> None:
        assert same(client.json(path)) == same(json.loads(pom("--config", config.path, *words, "--json").out))

    def test_history_is_newest_first_and_bounded(self, client: Client) -> None:
        rows = client.json("/api/history/blog")
        assert [row["status"] for row in rows] == ["unreachable", "operational"]
        assert rows[0].keys() == {"target", "kind", "subject", "status", "checked_at", "latency_ms", "summary"}
        assert client.json("/api/history/blog?limit=1") == rows[:1]
        assert client.json("/api/history/blog?since=7m") == rows[:1]
        assert client.json("/api/history/blog?since=2020-01-01T00:00:00Z") == rows
        assert client.json("/api/history/blog?since=2999-01-01T00:00:00Z") == []

    def test_an_incident_runs_until_it_ends(self, client: Client, config: Config) -> None:
        (found,) = client.json("/api/incidents")
        assert found.keys() == {
            "target",
            "alert",
            "started_at",
            "ended_at",
            "duration_s",
            "worst",
            "summary",
            "notices",
            "covered",
            "deployed",
        }
        assert (found["target"], found["worst"], found["ended_at"]) == ("blog", "unreachable", None)
        see(config, "blog")
        assert client.json("/api/incidents")[0]["ended_at"] is not None

    def test_trends_are_by_the_hour(self, client: Client) -> None:
        hours = client.json("/api/trends/blog")
        assert hours
        assert hours[-1].keys() == {"hour", "uptime", "median_ms", "p95_ms"}
        assert hours[-1]["uptime"].keys() == {"percent", "coverage", "maintenance"}
        assert {hour["hour"][-7:] for hour in hours} == {":00:00Z"}

    def test_a_wrong_value_is_a_400(self, client: Client) -> None:
        answer = client.ask("/api/history/shop?since=soon")
        assert answer.status == 400
        assert json.loads(answer.body)["error"].startswith("since: 'soon' is not a duration")

    def test_what_the_config_no_longer_names_is_not_shown(self, config: Config, tmp_path: Path) -> None:
        client = Client(load(tmp_path, '[targets.shop]\nurl = "http://127.0.0.1:9/"\n'))
        assert client.ask("/api/history/blog").status == 404
        assert client.json("/api/incidents") == []
        assert "blog" not in json.dumps([client.json(path) for path in CLOSED if path != "/metrics"])
        assert b"blog" not in client.ask("/metrics").body

    def test_no_secret_is_in_any_answer(self, tmp_path: Path) -> None:
        client = Client(load(tmp_path, token="very-secret-token"))
        for path in PATHS:
            assert b"secret" not in client.ask(path, "very-secret-token").body


class TestAskingAgain:
    def test_an_unchanged_answer_is_the_same_bytes_without_the_database(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at = float(int(time.time())) + 100.2
        client.application._wall = lambda: at
        first = client.ask("/api/status")

        def nobody(*_: object) -> None:
            raise AssertionError("the database was read")

        monkeypatch.setattr(reader, "_read", nobody)
        assert client.ask("/api/status") is first
        assert client.ask("/api/status?x=1", method="HEAD") is first

    def test_every_second_has_its_own(self, client: Client) -> None:
        at = float(int(time.time())) + 100.2
        client.application._wall = lambda: at
        first = json.loads(client.ask("/api/status").body)
        at += 0.9
        second = json.loads(client.ask("/api/status").body)
        assert first["generated_at"] < second["generated_at"]

    def test_a_commit_is_seen_at_once(self, client: Client, config: Config) -> None:
        for status in (ERROR, UNREACHABLE) * 5:
            see(config, "shop", status, ms=None)
            time.sleep(0.06)  # so that the file is at rest, and answers are kept
            assert client.json("/api/status/shop")["status"] == status
        see(config, "shop")
        assert client.json("/api/status/shop")["status"] == "operational"

    @pytest.mark.parametrize("path", ["/api/status", "/api/status/shop", "/api/mesh", "/api/peer", "/metrics",
                                      "/api/history/shop", "/api/incidents", "/api/openapi.json"])  # fmt: skip
    def test_the_client_is_spared_what_only_the_clock_changed(self, client: Client, config: Config, path: str) -> None:
        first = client.ask(path)
        client.ahead = 2.0
        again = client.ask(path, etag=first.etag)
        assert (again.status, again.body) == (304, b"")
        see(config, "shop", ERROR, ms=None)
        assert client.ask(path, etag=first.etag).status == (304 if path == "/api/openapi.json" else 200)

    def test_the_two_healths_are_not_mixed_up(self, client: Client) -> None:
        trusted, public = client.ask("/api/health"), client.ask("/api/health", None)
        assert (b"the-id" in trusted.body, b"the-id" in public.body) == (True, False)
        assert trusted.etag != public.etag


class TestFaults:
    def test_a_bug_of_ours_is_a_500_in_json_and_in_the_log(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(content.overview, "status", broken)
        answer = client.ask("/api/status")
        assert (answer.status, json.loads(answer.body)) == (500, {"error": "PoM itself failed; its log says how"})
        assert client.complaints[0] == "GET /api/status: a fault of PoM"
        assert client.complaints[-1] == "ZeroDivisionError: a bug"
        assert client.ask("/api/peer").status == 200

    def test_a_locked_database_is_a_503_for_all_and_soon(
        self, client: Client, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reader, "BUSY_MS", 50)
        holder = sqlite3.connect(database(config), isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        try:
            answer = client.ask("/api/status")
            assert answer.status == 503
            assert "database is locked" in json.loads(answer.body)["error"]
            assert client.ask("/api/health", None).status == 503
        finally:
            holder.close()
        time.sleep(reader.PAUSE_S)
        assert client.ask("/api/status").status == 200

    def test_a_database_that_appears_and_goes(self, tmp_path: Path) -> None:
        loaded = load(tmp_path)
        client = Client(loaded)
        assert client.json("/api/status")["status"] == "unknown"
        see(loaded, "shop")
        see(loaded, "blog")
        assert client.json("/api/status")["status"] == "operational"
        database(loaded).unlink()
        assert client.json("/api/status")["status"] == "unknown"
        store.open_(database(loaded)).close()
        assert client.json("/api/history/shop") == []


def test_every_answer_gets_the_two_headers() -> None:
    assert dict(ALWAYS) == {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def same(value: Any) -> Any:
    """Without what runs with the clock between two looks; every instant still has to be one."""
    if isinstance(value, list):
        return [same(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"percent", "coverage", "maintenance"}:
            return {"percent": value["percent"] is None, "coverage": round(value["coverage"], 2)}
        for key in ("generated_at", "time"):
            assert key not in value or datetime.fromisoformat(value[key]).tzinfo
        return {key: same(item) for key, item in value.items() if key not in ("generated_at", "time", "duration_s")}
    return value
