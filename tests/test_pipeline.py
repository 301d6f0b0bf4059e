"""One run from a URL to a mailbox: a real web server, a stand-in for Postmark that checks as the real one does."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import postmark_server
import pytest
import web_server
from dns_faults import SERVFAIL
from dns_server import dns_server, zone
from postmark_server import PostmarkServer
from scene import START, Scene
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.messages.wording import when
from pom_cli.model import Silence
from pom_cli.store import deployments, silences
from pom_cli.store.spare import Database

OPS = "ops@example.com"


@pytest.fixture
def postmark() -> Iterator[PostmarkServer]:
    with PostmarkServer(token="secret-token") as server:
        yield server


def toml(postmark: PostmarkServer, web: WebServer, to: tuple[str, ...] = (OPS,), more: str = "") -> str:
    addresses = ", ".join(f'"{address}"' for address in to)
    return f"""
[alerts]
to = [{addresses}]
from = "pom@example.com"
postmark = {{ url = "{postmark.url}" }}
{more}
[targets.shop]
url = "{web.url()}"
health = {{ attempts = 1 }}
ops = {{ ssh = "root@192.0.2.10", unit = "shop" }}
"""


@pytest.fixture
def scene(tmp_path: Path, postmark: PostmarkServer, web: WebServer) -> Scene:
    return Scene(tmp_path, toml(postmark, web), {"POM_POSTMARK_TOKEN": "secret-token"})


def test_an_outage_and_its_end_are_two_mails_with_the_runbooks_words(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    assert scene.run().notices == []
    web.on("/", answer(503, reason="Service Unavailable"))
    scene.run()
    broke = scene.now
    web.on("/", answer(200))
    scene.run()
    assert postmark.subjects == [
        "[PoM hetzner] shop error: 503 Service Unavailable",
        "[PoM hetzner] shop operational again after 5 min",
    ]
    first, last = (mail["Headers"] for mail in postmark.accepted)
    assert first == last and len(first) == 2, "one thread"
    problem, recovery = (mail["TextBody"] for mail in postmark.accepted)
    assert "503 Service Unavailable" in problem
    assert when(broke) in problem
    assert f"Last good: {when(START + timedelta(minutes=5))}" in problem
    assert f"curl -v {web.url()}" in problem
    assert "ssh root@192.0.2.10 systemctl restart shop" in problem
    assert when(broke) in recovery
    assert when(scene.now) in recovery
    assert "Lasted: 5 min" in recovery
    assert scene.rows("SELECT state, provider_id IS NOT NULL FROM outbox") == [("delivered", 1)] * 2


def test_each_outage_is_a_thread_of_its_own_and_the_third_in_an_hour_is_called_that(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    for status in (200, 500, 200, 500, 200):
        web.on("/", answer(status))
        scene.run("10m")
    assert "outage in an hour" not in postmark.accepted[-2]["TextBody"]
    web.on("/", answer(500))
    scene.run("10m")
    assert "This is the third outage in an hour.\n" in postmark.accepted[-1]["TextBody"]
    threads = [str(mail["Headers"]) for mail in postmark.accepted]
    assert threads[0] == threads[1] != threads[2] == threads[3]


def test_ten_runs_while_it_stays_down_are_one_mail(scene: Scene, web: WebServer, postmark: PostmarkServer) -> None:
    web.on("/", answer(500))
    for _ in range(10):
        scene.run()
    assert len(postmark.accepted) == 1


@pytest.mark.slow
def test_reminders_come_after_an_hour_six_and_a_day_and_then_every_day(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    web.on("/", answer(500))
    scene.run()
    told = scene.now
    waits = []
    for _ in range(4):
        scene.until("reminder", after="30m")
        waits.append((scene.now - told) / timedelta(hours=1))
    assert waits == [1, 6, 24, 48]
    assert "still error" in postmark.subjects[-1]


def test_a_problem_that_ends_inside_the_cooldown_recovers_at_once_and_the_next_one_is_held(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    web.on("/", answer(500))
    scene.run()
    web.on("/", answer(200))
    assert [notice.reason for notice in scene.run("1m").notices] == ["recovered"]
    web.on("/", answer(500))
    assert scene.run("1m").notices == []
    assert scene.rows("SELECT held FROM alerts WHERE alert = 'health'") == [("cooldown",)]
    assert [notice.reason for notice in scene.run("4m").notices] == ["new"]
    assert len(postmark.accepted) == 3
    # Held and over again before anybody was told: nobody gets a lone "recovered".
    web.on("/", answer(200))
    scene.run("1m")
    web.on("/", answer(500))
    scene.run("1m")
    web.on("/", answer(200))
    assert scene.run("1m").notices == []
    assert len(postmark.accepted) == 4
    assert scene.rows("SELECT count(*), count(ended_at) FROM incidents") == [(3, 3)]


def test_a_recovery_that_a_silence_held_tells_the_true_end(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    web.on("/", answer(500))
    scene.run()
    broke = scene.now
    web.on("/", answer(200))
    quiet = Silence("a" * 32, "shop", "", scene.now, scene.now + timedelta(minutes=12), "reboot")
    database = Database(scene.path, scene.environ)
    database.write(lambda db: silences.merge(db, [quiet]))
    database.close()
    assert [scene.run().notices for _ in range(2)] == [[], []]
    scene.run()
    text = postmark.accepted[-1]["TextBody"]
    assert f"Start: {when(broke)}\n" in text
    assert f"End: {when(broke + timedelta(minutes=5))}" in text
    assert "\nLasted: 5 min\nWas: 500 Internal Server Error\n" in text


def test_worse_respects_the_cooldown_too(scene: Scene, web: WebServer, postmark: PostmarkServer) -> None:
    web.on("/", answer(500))
    scene.run()
    web.on("/", [web_server.CLOSE])
    assert scene.run("2m").notices == []
    assert [notice.reason for notice in scene.run("3m").notices] == ["worse"]
    assert postmark.subjects[-1] == "[PoM hetzner] shop unreachable (was error): connection closed without an answer"


def test_an_unknown_never_alarms(scene: Scene, web: WebServer, postmark: PostmarkServer, monkeypatch) -> None:
    def no_resolver(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    scene.configure(toml(postmark, web).replace(web.url(), "http://shop.invalid/") + "[offline]\nwitnesses = []\n")
    monkeypatch.setattr(socket, "getaddrinfo", no_resolver)
    report = scene.run()
    assert [result.finding.status for result in report.results] == ["unknown"]
    assert report.notices == []


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([postmark_server.SERVER_ERROR] * 3, id="500"),
        pytest.param([postmark_server.rate_limit(3)] * 2, id="429"),
        pytest.param([postmark_server.DROP], id="the connection breaks before it accepts"),
        pytest.param([postmark_server.ACCEPT_THEN_DROP], id="the connection breaks after it accepted"),
        pytest.param([postmark_server.GARBAGE], id="an answer that says nothing"),
    ],
)
def test_a_passing_fault_of_postmark_delays_a_mail_and_neither_loses_nor_doubles_it(
    scene: Scene, web: WebServer, postmark: PostmarkServer, steps: list[postmark_server.Step]
) -> None:
    postmark.script = list(steps)
    web.on("/", answer(500))
    assert scene.run().undelivered == 1
    for _ in range(6):
        report = scene.run()
    assert report.undelivered == 0
    assert len(postmark.accepted) == 1


def test_a_timeout_after_postmark_accepted_is_looked_up_before_it_is_sent_again(
    scene: Scene, web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pom_cli.alerting.outbox.SEND_TIMEOUT", 0.5)
    postmark.script = [postmark_server.ACCEPT_THEN_HANG]
    web.on("/", answer(500))
    assert scene.run().undelivered == 1
    assert scene.run().undelivered == 0
    assert len(postmark.accepted) == 1
    assert len(postmark.lookups()) == 1


def test_postmark_down_for_an_hour_backs_off_and_delivers_afterwards(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    postmark.script = [postmark_server.SERVER_ERROR] * 100
    web.on("/", answer(500))
    for _ in range(12):
        assert scene.run().undelivered >= 1
    tries = len(postmark.posts())
    assert 3 <= tries < 12
    postmark.script = []
    scene.until("reminder")
    assert scene.run().undelivered == 0
    assert "[PoM hetzner] shop error: 500 Internal Server Error" in postmark.subjects
    assert len(postmark.accepted) == len(set(postmark.subjects)), "each once"


def test_what_waits_for_a_channel_goes_as_soon_as_the_channel_works_again(
    scene: Scene, web: WebServer, postmark: PostmarkServer
) -> None:
    postmark.script = [postmark_server.SERVER_ERROR] * 8
    web.on("/", answer(500))
    for _ in range(9):
        scene.run("30s")
    postmark.script = []
    web.on("/", answer(200))
    assert [notice.reason for notice in scene.run("1s").notices] == ["recovered"]
    assert postmark.subjects == [
        "[PoM hetzner] shop error: 500 Internal Server Error",
        "[PoM hetzner] shop operational again after 4 min",
    ], "nobody reads of the end before the beginning"
    late, prompt = (mail["TextBody"] for mail in postmark.accepted)
    written = START + timedelta(seconds=30)
    since = f"written at {re.escape(when(written))}"
    assert re.match(rf"Delayed by \d+ min[ \ds]*: {since}\n\nshop health: ", late)
    assert prompt.startswith("shop health: Operational, was Error\n")


def test_a_bad_token_is_given_up_shown_and_tried_again_with_the_right_one(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer
) -> None:
    scene = Scene(tmp_path, toml(postmark, web), {"POM_POSTMARK_TOKEN": "wrong-token"})
    web.on("/", answer(500))
    report = scene.run()
    assert report.undelivered == 1
    assert any("delivered" in fault for fault in report.faults)
    assert not any("wrong-token" in fault for fault in report.faults)
    tries = len(postmark.posts())
    scene.run()
    assert len(postmark.posts()) == tries, "a token that was refused is not tried again"
    scene.environ["POM_POSTMARK_TOKEN"] = "secret-token"
    scene.configure(toml(postmark, web))
    report = scene.run()
    assert report.undelivered == 0
    assert report.faults == ()
    assert postmark.subjects[0] == "[PoM hetzner] shop error: 500 Internal Server Error"


def test_one_inactive_recipient_of_three_is_told_of_to_the_others(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer
) -> None:
    addresses = ("a@example.com", "b@example.com", "c@example.com")
    scene = Scene(tmp_path, toml(postmark, web, addresses), {"POM_POSTMARK_TOKEN": "secret-token"})
    postmark.inactive.add("b@example.com")
    web.on("/", answer(500))
    report = scene.run()
    got = sorted((mail["To"], mail["Subject"].split("] ")[1].split(":")[0]) for mail in postmark.accepted)
    assert got == [
        ("a@example.com", "alerts not delivered"),
        ("a@example.com", "shop error"),
        ("c@example.com", "alerts not delivered"),
        ("c@example.com", "shop error"),
    ]
    assert report.undelivered == 1
    assert any("b@example.com" in fault for fault in report.faults)
    scene.configure(toml(postmark, web, ("a@example.com", "c@example.com")))
    report = scene.run()
    assert (report.undelivered, report.faults) == (0, ())


def test_what_one_channel_refuses_for_good_goes_on_to_the_next(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = toml(postmark, web, more='channels = ["postmark", "console"]')
    scene = Scene(tmp_path, text, {"POM_POSTMARK_TOKEN": "wrong-token"})
    web.on("/", answer(500))
    report = scene.run()
    assert "[PoM hetzner] shop error: 500 Internal Server Error" in capsys.readouterr().out
    assert report.undelivered == 0
    assert any("delivered" in fault for fault in report.faults)
    assert ("moved", "postmark") in scene.rows("SELECT state, channel FROM outbox")
    scene.environ["POM_POSTMARK_TOKEN"] = "secret-token"
    scene.configure(text)
    assert scene.run().faults == (), "what failed with another token says nothing of this one"


def two_targets(postmark: PostmarkServer, web: WebServer, other: WebServer, offline: str = "") -> str:
    return toml(postmark, web) + (f'[targets.blog]\nurl = "{other.url()}"\nhealth = {{ attempts = 1 }}\n{offline}')


@contextmanager
def witness() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_when_nothing_answers_one_alert_stands_for_all_and_uptime_is_not_touched(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer
) -> None:
    with WebServer() as other:
        other.on("/", answer(200))
        offline = f'[offline]\nwitnesses = ["{closed_port()}"]\n'
        scene = Scene(tmp_path, two_targets(postmark, web, other, offline), {"POM_POSTMARK_TOKEN": "secret-token"})
        scene.run()
        for server in (web, other):
            server.on("/", [web_server.CLOSE])
        report = scene.run()
        went = scene.now
        assert {result.finding.status for result in report.results} == {"unknown"}
        assert [notice.alert for notice in report.notices] == ["monitoring-offline"]
        scene.run()
        for server in (web, other):
            server.on("/", answer(200))
        report = scene.run()
        assert [(notice.alert, notice.reason) for notice in report.notices] == [("monitoring-offline", "recovered")]
        assert when(went) in postmark.accepted[-1]["TextBody"]
        assert when(scene.now) in postmark.accepted[-1]["TextBody"]
        assert len(postmark.accepted) == 2
        known, up = scene.rows("SELECT sum(known_ms), sum(up_ms) FROM states")[0]
        assert known == up == 2 * 5 * 60_000


def test_when_the_network_returns_one_message_tells_start_and_end(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer
) -> None:
    with WebServer() as other:
        offline = f'[offline]\nwitnesses = ["{closed_port()}"]\n'
        config = two_targets(postmark, web, other, offline).replace("[alerts]", '[alerts]\nremind = ["5m"]')
        scene = Scene(tmp_path, config, {"POM_POSTMARK_TOKEN": "secret-token"})
        for server in (web, other):
            server.on("/", [web_server.CLOSE])
        postmark.script = [postmark_server.DROP] * 100
        said = [notice.reason for _ in range(3) for notice in scene.run().notices]
        assert said == ["new"] and postmark.accepted == []
        postmark.script = []
        for server in (web, other):
            server.on("/", answer(200))
        assert scene.run().undelivered == 0
        assert postmark.subjects == ["[PoM hetzner] online again after 15 min: this monitor's own network was down"]
        assert f"Start: {when(START + timedelta(minutes=5))}" in postmark.accepted[0]["TextBody"]
        assert f"End: {when(scene.now)}" in postmark.accepted[0]["TextBody"]


def test_a_resolver_on_this_machine_that_only_says_servfail_does_not_end_it(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer
) -> None:
    with WebServer() as other, dns_server({"127.0.0.1": [zone("example.com")]}, resolvers=["127.0.0.1"]) as resolver:
        resolver.fault(SERVFAIL)
        records = '[targets.blog.dns]\nrecords = [{ name = "example.com", type = "A", expected = [] }]\n'
        text = two_targets(postmark, web, other, f"{records}[offline]\nwitnesses = []\n")
        text = f'resolvers = ["127.0.0.1:{resolver.port}"]\n{text}'
        scene = Scene(tmp_path, text, {"POM_POSTMARK_TOKEN": "secret-token"})
        for server in (web, other):
            server.on("/", [web_server.CLOSE])
        assert [notice.alert for notice in scene.run().notices] == ["monitoring-offline"]
        report = scene.run(kinds=("dns",))
        assert [result.finding.status for result in report.results] == ["unknown"]
        assert report.notices == []


def test_when_a_witness_answers_the_targets_are_really_down_and_stand_in_one_message(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer
) -> None:
    with WebServer() as other, witness() as place:
        offline = f'[offline]\nwitnesses = ["{closed_port()}", "{place}"]\n'
        scene = Scene(tmp_path, two_targets(postmark, web, other, offline), {"POM_POSTMARK_TOKEN": "secret-token"})
        for server in (web, other):
            server.on("/", [web_server.CLOSE])
        report = scene.run()
        assert {result.finding.status for result in report.results} == {"unreachable"}
        assert [notice.alert for notice in report.notices] == ["health", "health"]
        assert postmark.subjects == ["[PoM hetzner] blog unreachable: connection closed without an answer (+1 more)"]
        assert place in postmark.accepted[0]["TextBody"]


def test_a_run_over_some_targets_alone_decides_nothing(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer
) -> None:
    with WebServer() as other:
        other.on("/", answer(200))
        text = two_targets(postmark, web, other, "[offline]\nwitnesses = []\n")
        scene = Scene(tmp_path, text, {"POM_POSTMARK_TOKEN": "secret-token"})
        scene.run()
        web.on("/", [web_server.CLOSE])
        report = scene.run(only=("shop",))
        assert [notice.alert for notice in report.notices] == ["health"]


def test_one_target_without_a_witness_speaks_for_itself(scene: Scene, web: WebServer, postmark: PostmarkServer) -> None:
    web.on("/", [web_server.CLOSE])
    assert [notice.alert for notice in scene.run().notices] == ["health"]


def test_a_target_that_depends_on_one_that_is_down_stays_quiet_until_that_is_back(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer
) -> None:
    with WebServer() as other:
        text = two_targets(postmark, web, other) + 'depends_on = ["shop"]\n'
        scene = Scene(tmp_path, text, {"POM_POSTMARK_TOKEN": "secret-token"})
        for server in (web, other):
            server.on("/", answer(500))
        assert [notice.target for notice in scene.run().notices] == ["shop"]
        web.on("/", answer(200))
        found = {(notice.target, notice.reason) for notice in scene.run().notices}
        assert found == {("shop", "recovered"), ("blog", "new")}


@pytest.mark.parametrize("kind", ["health", "routes"])
def test_a_run_over_the_dependent_target_alone_looks_at_what_it_depends_on_first(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer, kind: str
) -> None:
    with WebServer() as other:
        routes = 'depends_on = ["shop"]\nroutes = { paths = ["/x"], attempts = 1 }\n'
        scene = Scene(tmp_path, two_targets(postmark, web, other) + routes, {"POM_POSTMARK_TOKEN": "secret-token"})
        for server in (web, other):
            server.on("/", answer(500))
        assert [notice.target for notice in scene.run(kinds=(kind,), only=("blog",)).notices] == ["shop"]


def test_a_bug_that_one_target_meets_stops_neither_the_others_nor_their_alerts(
    tmp_path: Path, web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pom_cli.checks import health

    judge = health.judge

    def faulty(seen, settings, past, now):
        if settings.url.endswith(":1/"):
            raise KeyError("a bug")
        return judge(seen, settings, past, now)

    monkeypatch.setattr(health, "judge", faulty)
    text = toml(postmark, web) + '[targets.odd]\nurl = "http://127.0.0.1:1/"\nhealth = { attempts = 1 }\n'
    scene = Scene(tmp_path, text, {"POM_POSTMARK_TOKEN": "secret-token"})
    web.on("/", answer(500))
    report = scene.run()
    assert [(result.key.target, result.finding.status) for result in report.results] == [
        ("shop", "error"),
        ("odd", "unknown"),
    ]
    assert [notice.target for notice in report.notices] == ["shop"]
    assert "KeyError" in report.faults[0]


def test_a_run_is_recorded_with_its_start_its_end_and_how_it_ended(scene: Scene) -> None:
    scene.run()
    command, kinds, took, outcome = scene.rows("SELECT command, kinds, ended_at - started_at, outcome FROM runs")[0]
    assert (command, kinds, outcome) == ("check", "health", "all 1 operational")
    assert isinstance(took, int)
    assert took >= 0


def test_latency_drift_is_an_alert_of_its_own(tmp_path: Path, web: WebServer, postmark: PostmarkServer) -> None:
    text = toml(postmark, web).replace("attempts = 1", 'attempts = 1, drift = { samples = 5, floor = "20ms" }')
    scene = Scene(tmp_path, text, {"POM_POSTMARK_TOKEN": "secret-token"})
    web.on("/", [0.02, *answer(200)])
    for _ in range(15):
        scene.run()
    web.on("/", [0.15, *answer(200)])
    notices = [notice for _ in range(6) for notice in scene.run().notices]
    assert [(notice.alert, notice.reason) for notice in notices] == [("latency-drift", "new")]
    assert scene.rows("SELECT drifting FROM states") == [(1,)]
    web.on("/", [0.01, *answer(200)])
    notices = [notice for _ in range(6) for notice in scene.run().notices]
    assert [(notice.alert, notice.reason) for notice in notices] == [("latency-drift", "recovered")]


def test_a_notice_knows_what_was_deployed_in_the_day_before(tmp_path: Path) -> None:
    with WebServer() as web:
        web.on("/", answer(500))
        scene = Scene(
            tmp_path, f'[offline]\nwitnesses = []\n[targets.shop]\nurl = "{web.url()}"\nhealth.attempts = 1\n'
        )
        db = store.open_(scene.path)
        deployments.merge(db, [deployments.Deployment("a", "shop", scene.now, "1.8.2", "hotfix", "ada")])
        db.close()
        (notice,) = scene.run().notices
    assert notice.facts["deployed"] == {"at": START, "rev": "1.8.2", "by": "ada", "note": "hotfix"}


def routed(web: WebServer) -> str:
    target = f'[targets.shop]\nurl = "{web.url()}"\nhealth.attempts = 1\n'
    return f'[offline]\nwitnesses = []\n{target}routes = {{ paths = ["/login"], attempts = 1 }}\n'


@pytest.mark.parametrize("kinds", [("routes",), ("health", "routes")])
def test_what_failed_beside_good_health_is_asked_once_more_before_it_counts(
    tmp_path: Path, web: WebServer, kinds: tuple[str, ...]
) -> None:
    asked = []

    def restarting() -> list[web_server.Step]:
        asked.append("/login")
        return [web_server.CLOSE] if len(asked) == 1 else answer(200)

    web.on("/login", restarting)
    scene = Scene(tmp_path, routed(web))
    report = scene.run(kinds=kinds)
    assert report.notices == []
    assert {result.finding.status for result in report.results} == {"operational"}
    assert len(asked) == 2


def test_what_fails_again_beside_good_health_is_told_of_once(tmp_path: Path, web: WebServer) -> None:
    web.on("/login", answer(404))
    scene = Scene(tmp_path, routed(web))
    assert [notice.alert for notice in scene.run(kinds=("health", "routes")).notices] == ["route"]
    assert scene.run(kinds=("health", "routes")).notices == []
    assert [request.path for request in web.requests].count("/login") == 4


def test_what_failed_beside_bad_health_is_not_asked_again(tmp_path: Path, web: WebServer) -> None:
    for path in ("/", "/login"):
        web.on(path, answer(500))
    Scene(tmp_path, routed(web)).run(kinds=("health", "routes"))
    assert [request.path for request in web.requests].count("/login") == 1
