"""Nobody untold: what each recipient was told, by real runs with a web server and a stand-in for Postmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import postmark_server
import pytest
import web_server
from certificates import authority, issue
from postmark_server import PostmarkServer, Step
from scene import Scene
from smtp_server import SmtpServer
from web_server import WebServer, answer

from pom_cli import cli, store
from pom_cli.channels import postmark as channel
from pom_cli.model import OPERATIONAL, UNKNOWN, Condition, Mail, Outcome, Silence, Verdict
from pom_cli.store import silences
from pom_cli.store.migrations import STEPS
from pom_cli.store.spare import Database

OPS, SECOND, GOOD = "ops@example.com", "second@example.com", "good@example.com"


@pytest.fixture
def make(tmp_path: Path, web: WebServer, postmark: PostmarkServer) -> Callable[..., Scene]:
    """A scene of one target, with more of the target, of `[alerts]`, and of the config."""

    def made(target: str = "", alerts: str = "", more: str = "", to: Sequence[str] = (OPS,)) -> Scene:
        return Scene(tmp_path, toml(web, postmark, target, alerts, more, to), {"POM_POSTMARK_TOKEN": "token"})

    return made


def toml(
    web: WebServer,
    postmark: PostmarkServer,
    target: str = "",
    alerts: str = "",
    more: str = "",
    to: Sequence[str] = (OPS,),
) -> str:
    head = f'[alerts]\nfrom = "pom@example.com"\npostmark = {{ url = "{postmark.url}" }}\n'
    named = ", ".join(f'"{one}"' for one in to)
    health = "" if "health = " in target else 'health = { attempts = 1, timeout = "1s" }\n'
    return (
        f'{head}to = [{named}]\n{alerts}\n[offline]\nwitnesses = []\n[targets.shop]\nurl = "{web.url()}"\n'
        f"{health}{target}\n{more}\n"
    )


def said(postmark: PostmarkServer) -> list[tuple[str, str]]:
    """Who was told what, in order, without PoM's own name; its heartbeats alone make checks overdue."""
    mails = [(mail["To"], mail["Subject"].removeprefix("[PoM hetzner] ")) for mail in postmark.accepted]
    return [(to, subject) for to, subject in mails if not subject.startswith("checks overdue")]


def silence(scene: Scene, minutes: int, kind: str = "") -> None:
    quiet = Silence("a" * 32, "shop", kind, scene.now, scene.now + timedelta(minutes=minutes))
    database = Database(scene.path, scene.environ)
    database.write(lambda db: silences.merge(db, [quiet]))
    database.close()


DOWN = "shop error: 500 Internal Server Error"


def back(after: str) -> str:
    return f"shop operational again after {after}"


class TestAnExpiredCertificate:
    @pytest.fixture
    def expired(self) -> Iterator[WebServer]:
        with WebServer(tls=issue(authority(), days=-1, age=9)) as server:
            server.on("/", answer(200))
            yield server

    @pytest.mark.parametrize("kinds", [("health",), ("routes",), ("cors",), ("health", "routes", "cors", "tls")])
    def test_is_told_at_once_whichever_check_comes_upon_it(
        self,
        tmp_path: Path,
        expired: WebServer,
        web: WebServer,
        postmark: PostmarkServer,
        roots: str,
        kinds: tuple[str, ...],
    ) -> None:
        checks = f"""
tls = {{ ca_file = "{roots}" }}
routes = {{ paths = ["/"], attempts = 1 }}
cors = {{ origin = "https://app.example.com", attempts = 1 }}
"""
        text = toml(web, postmark, checks).replace(f'url = "{web.url()}"', f'url = "{expired.url()}"')
        scene = Scene(tmp_path, text, {"POM_POSTMARK_TOKEN": "token"})
        scene.run(kinds=kinds)
        assert said(postmark) == [(OPS, "shop certificate has expired")]
        assert scene.run(kinds=kinds).notices == []

    @pytest.mark.parametrize("silenced", [False, True])
    def test_behind_a_redirect_is_told_whatever_the_tls_check_sees(
        self,
        tmp_path: Path,
        expired: WebServer,
        web: WebServer,
        postmark: PostmarkServer,
        roots: str,
        silenced: bool,
    ) -> None:
        with WebServer(tls=issue(authority())) as first:
            first.on("/", answer(302, headers={"Location": expired.url()}))
            text = toml(web, postmark, f'tls = {{ ca_file = "{roots}" }}\n')
            text = text.replace(f'url = "{web.url()}"', f'url = "{first.url()}"')
            scene = Scene(tmp_path, text, {"POM_POSTMARK_TOKEN": "token"})
            if silenced:
                scene.run(kinds=())
                silence(scene, 600, kind="tls")
            scene.run(kinds=("health", "tls"))
            of = f"certificate of {expired.url().removeprefix('https://').rstrip('/')}"
            assert said(postmark) == [(OPS, f"shop {of} has expired")]
            first.on("/", answer(200))
            scene.run(kinds=("health", "tls"))
            assert said(postmark)[1:] == [(OPS, f"shop {of} OK again, expires in 94 days")]


class TestCover:
    ROUTES = 'routes = { paths = ["/login"], attempts = 1 }\n'

    def test_what_nobody_was_told_of_covers_nothing(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make(self.ROUTES)
        web.on("/login", answer(500))
        scene.run(kinds=())
        silence(scene, 60, kind="health")
        web.on("/", answer(500))
        scene.run(kinds=("health", "routes"))
        assert said(postmark) == [(OPS, "shop /login: 500")]

    def test_what_was_told_covers_and_the_reason_names_it(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make(self.ROUTES)
        web.on("/", answer(500))
        web.on("/login", answer(500))
        scene.run(kinds=("health", "routes"))
        assert said(postmark) == [(OPS, DOWN)]
        told = f"cover: shop health, notified {scene.now.astimezone():%H:%M}"
        assert scene.rows("SELECT held FROM alerts WHERE alert = 'route'") == [(told,)]
        scene.run(kinds=("routes",))
        [(held,)] = scene.rows("SELECT held FROM alerts WHERE alert = 'route'")
        assert held == f"cover: shop health, notified {(scene.now - timedelta(minutes=5)).astimezone():%H:%M}"
        web.on("/", answer(200))
        scene.run()
        assert said(postmark)[1:] == [(OPS, back("10 min"))], "the route may be well again, too"
        [(held,)] = scene.rows("SELECT held FROM alerts WHERE alert = 'route'")
        assert held == "not checked since shop health is back"
        scene.beat()
        scene.run("1m", kinds=("routes",))
        assert said(postmark)[2:] == [(OPS, "shop /login: 500")]

    def test_a_check_that_the_config_no_longer_has_explains_nothing(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make(self.ROUTES)
        web.on("/", answer(500))
        web.on("/login", answer(200))
        scene.run(kinds=("health", "routes"))
        scene.configure(toml(web, postmark, f"health = false\n{self.ROUTES}"))
        web.on("/login", answer(500))
        scene.run(kinds=("routes",))
        assert said(postmark) == [(OPS, DOWN), (OPS, "shop /login: 500")]

    def test_a_cover_never_holds_back_an_end(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        with WebServer() as app:
            app.on("/", answer(500))
            more = f'[targets.app]\nurl = "{app.url()}"\nhealth = {{ attempts = 1 }}\ndepends_on = ["shop"]\n'
            scene = make(more=more)
            scene.run()
            web.on("/", answer(500))
            app.on("/", answer(200))
            scene.run()
        assert said(postmark)[0] == (OPS, "app error: 500 Internal Server Error")
        assert {(one.target, one.reason) for one in scene.run().notices} == set()
        bodies = postmark.accepted[1]["TextBody"]
        assert "app health: Operational, was Error" in bodies and "shop health: Error, was Operational" in bodies

    def test_a_recipient_who_knows_nothing_of_the_cover_is_told(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        with WebServer() as app:
            app.on("/", answer(500))
            web.on("/", answer(500))
            own = f'alerts = {{ to = ["{SECOND}", "{OPS}"] }}\n'
            more = f'[targets.app]\nurl = "{app.url()}"\nhealth = {{ attempts = 1 }}\ndepends_on = ["shop"]\n{own}'
            make(more=more).run()
        assert sorted(said(postmark)) == [(OPS, DOWN), (SECOND, "app error: 500 Internal Server Error")]


class TestAWrongAddress:
    @pytest.mark.parametrize("recovers", [False, True])
    def test_the_address_that_replaces_it_gets_the_open_problem_and_no_lone_end(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer, recovers: bool
    ) -> None:
        postmark.inactive = {OPS}
        scene = make()
        web.on("/", answer(500))
        assert scene.run().undelivered == 1
        scene.configure(toml(web, postmark, to=[GOOD]))
        web.on("/", answer(200 if recovers else 500))
        if recovers:
            scene.run()
        else:
            scene.beat()
        assert said(postmark) == ([] if recovers else [(GOOD, DOWN)])
        assert scene.beat().undelivered == 0
        assert scene.rows("SELECT count(*) FROM outbox WHERE state IN ('queued', 'given_up')") == [(0,)]

    def test_what_waits_for_an_address_that_was_replaced_does_not_go_there(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        postmark.script = [postmark_server.rate_limit(60)]
        scene = make()
        web.on("/", answer(500))
        scene.run()
        scene.configure(toml(web, postmark, to=[GOOD]))
        scene.run()
        assert said(postmark) == [(GOOD, DOWN)]

    def test_an_address_that_is_added_is_told_of_what_is_open(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make()
        web.on("/", answer(500))
        scene.run()
        scene.configure(toml(web, postmark, to=[OPS, GOOD]))
        scene.beat()
        web.on("/", answer(200))
        scene.run()
        both = [(to, subject) for to in (GOOD, OPS) for subject in (DOWN, back("6 min"))]
        assert sorted(said(postmark)) == both

    def test_a_channel_that_replaces_another_tells_what_is_open(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        scene = make()
        postmark.script = [postmark_server.BAD_TOKEN]
        web.on("/", answer(500))
        scene.run()
        scene.configure(toml(web, postmark, alerts='channels = ["console"]'))
        scene.beat()
        assert DOWN in capsys.readouterr().err
        assert said(postmark) == []


class TestARefusal:
    def test_that_was_a_slip_buries_nothing(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        postmark.script = [postmark_server.BAD_TOKEN]
        scene = make()
        web.on("/", answer(500))
        assert scene.run().undelivered == 1
        assert scene.run().undelivered == 1
        assert scene.rows("SELECT held FROM alerts WHERE alert = 'health'") == [("undelivered",)]
        assert scene.run().undelivered == 0
        assert said(postmark) == [(OPS, DOWN)]

    def test_that_lasts_is_met_once_an_hour(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        postmark.inactive = {OPS}
        scene = make()
        web.on("/", answer(500))
        tries = []
        for _ in range(50):
            scene.run()
            tries.append(len(postmark.posts()))
        assert tries[-1] == 5  # at once, after ten minutes, then once an hour
        postmark.inactive = set()
        scene.run("1h")
        assert said(postmark) == [(OPS, DOWN)]

    def test_ends_when_the_channel_next_delivers_to_that_recipient(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        postmark.script = [postmark_server.BAD_TOKEN] * 2
        scene = make('routes = { paths = ["/login"], attempts = 1 }\n')
        web.on("/", answer(200))
        web.on("/login", answer(500))
        scene.run(kinds=("health", "routes"))
        scene.run(after="11m", kinds=("health", "routes"))
        web.on("/", answer(500))
        scene.run()
        assert said(postmark) == [(OPS, DOWN), (OPS, "shop /login: 500")]

    def test_is_met_again_at_once_by_pom_alerts_retry(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        postmark.script = [postmark_server.BAD_TOKEN]
        scene = make()
        web.on("/", answer(500))
        scene.run()
        path = scene.folder / "pom.toml"
        path.write_text(scene.config.text)
        monkeypatch.setenv("POM_POSTMARK_TOKEN", "token")
        monkeypatch.setattr("pom_cli.session.now", lambda: scene.now + timedelta(seconds=1))
        assert cli.run(["--config", str(path), "alerts", "retry"]) == 0
        assert said(postmark) == [(OPS, DOWN)]


class TestDoubt:
    def test_lasts_a_quarter_of_an_hour_and_then_the_mail_is_sent(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        postmark.script = [postmark_server.answer(502, b"Bad Gateway")]
        postmark.lookup_script = [postmark_server.SERVER_ERROR] * 1000
        scene = make(alerts='channels = ["postmark"]')
        web.on("/", answer(500))
        scene.run()
        for _ in range(14):
            scene.beat()
        assert said(postmark) == []
        for _ in range(8):
            scene.beat()
        assert said(postmark) == [(OPS, DOWN)]

    @pytest.mark.parametrize(
        ("step", "mails"), [(postmark_server.ACCEPT_THEN_DROP, 2), (postmark_server.DROP, 2), (Step(status=502), 2)]
    )
    def test_the_end_comes_after_a_beginning_that_may_have_arrived(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer, step: Step, mails: int
    ) -> None:
        postmark.script = [step]
        scene = make()
        web.on("/", answer(500))
        scene.run()
        web.on("/", answer(200))
        scene.run("10s")
        scene.beat()
        assert said(postmark) == [(OPS, DOWN), (OPS, back("10 s"))]


def meanwhile(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object]) -> None:
    """While the first message is being sent, something else happens."""
    send, waiting = channel.send, [deed]

    def slow(mails: Sequence[Mail], *args: Any) -> list[Outcome]:
        if waiting:
            waiting.pop()()
        return send(mails, *args)

    monkeypatch.setattr(channel, "send", slow)


class TestOrder:
    def test_an_end_that_another_run_sees_while_the_beginning_is_being_sent_comes_after_it(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene = make()

        def by_hand() -> None:
            web.on("/", answer(200))
            assert scene.run("10s").notices == []
            assert scene.rows("SELECT held FROM alerts WHERE alert = 'health'") == [("in flight",)]

        meanwhile(monkeypatch, by_hand)
        web.on("/", answer(500))
        scene.run()
        assert said(postmark) == [(OPS, DOWN), (OPS, back("10 s"))]

    def test_an_end_is_not_lost_where_the_run_that_was_sending_dies(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene = make()

        def dies() -> None:
            raise KeyboardInterrupt

        meanwhile(monkeypatch, dies)
        web.on("/", answer(500))
        with pytest.raises(KeyboardInterrupt):
            scene.run()
        web.on("/", answer(200))
        scene.run("30s")
        for _ in range(4):
            scene.beat()
        assert said(postmark) == [(OPS, DOWN), (OPS, back("30 s"))]

    def test_worse_while_it_is_being_sent_is_told_after_the_cooldown(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene = make()

        def worse() -> None:
            web.on("/", [web_server.CLOSE])
            scene.run("10s")

        meanwhile(monkeypatch, worse)
        web.on("/", answer(500))
        scene.run()
        for _ in range(6):
            scene.beat()
        worse_now = "shop unreachable (was error): connection closed without an answer"
        assert said(postmark) == [(OPS, DOWN), (OPS, worse_now)]

    def test_what_is_waiting_is_replaced_by_the_newest_state(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make('routes = { paths = ["/a", "/b"], attempts = 1 }\n')
        postmark.script = [postmark_server.rate_limit(1)]
        web.on("/", answer(500))
        web.on("/a", answer(200))
        web.on("/b", answer(200))
        scene.run(kinds=("health", "routes"))
        web.on("/", answer(200))
        web.on("/b", answer(500))
        scene.run(kinds=("health", "routes"))
        assert said(postmark) == [(OPS, "shop /b: 500")]

    def test_of_a_message_of_several_notices_what_still_holds_is_told(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        with WebServer() as blog:
            scene = make(more=f'[targets.blog]\nurl = "{blog.url()}"\nhealth = {{ attempts = 1 }}\n')
            postmark.script = [postmark_server.rate_limit(1)]
            web.on("/", answer(500))
            blog.on("/", answer(500))
            assert len(scene.run().notices) == 2
            web.on("/", answer(200))
            scene.run(only=("shop",))
        assert said(postmark) == [(OPS, "blog error: 500 Internal Server Error")]


class TestTime:
    def test_a_beat_that_comes_early_is_not_held_until_the_next(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make()
        web.on("/", answer(500))
        scene.run()
        web.on("/", answer(200))
        scene.run("5m")
        web.on("/", answer(500))
        assert [one.reason for one in scene.run("299500ms").notices] == ["new"]

    def test_what_the_cooldown_holds_is_told_by_the_next_heartbeat(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make()
        web.on("/", answer(500))
        scene.run()
        web.on("/", answer(200))
        scene.run("2m")
        web.on("/", answer(500))
        assert scene.run("2m").notices == []
        assert [len(scene.beat().notices) for _ in range(4)] == [0, 0, 1, 0]

    def test_after_a_quarter_of_an_hour_of_passing_faults_the_next_channel_tries_too(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        with SmtpServer() as smtp:
            way = f'smtp = {{ host = "127.0.0.1", port = {smtp.port} }}\nremind = []\n'
            scene = make(alerts=f'channels = ["postmark", "smtp"]\n{way}')
            postmark.script = [postmark_server.error(500, 100)] * 1000
            web.on("/", answer(500))
            scene.run()
            for _ in range(14):
                scene.beat()
            assert smtp.received == []
            for _ in range(8):
                scene.beat()
            assert len(smtp.received) == 1
            postmark.script = []
            for _ in range(60):
                scene.beat()
        assert said(postmark) == [], "it has arrived, and is not sent once more"


class TestRecipients:
    def test_a_target_has_its_own_and_who_is_told_the_same_shares_a_message(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make(f'alerts = {{ to = ["{SECOND}", "{GOOD}"] }}\n')
        web.on("/", answer(500))
        scene.run()
        assert sorted(said(postmark)) == [(GOOD, DOWN), (SECOND, DOWN)]
        assert scene.rows("SELECT count(*) FROM messages") == [(1,)]

    def test_who_an_alert_is_escalated_to_is_told_of_its_end(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make(alerts=f'escalate = [{{ after = "30m", to = ["{SECOND}"] }}]\nremind = []')
        web.on("/", answer(500))
        scene.run()
        reasons = [[one.reason for one in scene.run().notices] for _ in range(8)]
        assert [at for at, one in enumerate(reasons, 1) if one == ["escalated"]] == [6]
        web.on("/", answer(200))
        scene.run()
        assert said(postmark)[0] == (OPS, DOWN)
        assert sorted(said(postmark)[2:]) == [(OPS, back("45 min")), (SECOND, back("45 min"))]

    def test_who_was_not_told_of_a_problem_hears_nothing_of_its_end(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make(alerts=f'escalate = [{{ after = "30m", to = ["{SECOND}"] }}]')
        web.on("/", answer(500))
        scene.run()
        web.on("/", answer(200))
        scene.run()
        assert said(postmark) == [(OPS, DOWN), (OPS, back("5 min"))]


class TestTheNet:
    """With the mend of a fault taken out again, what it left untold is found and told."""

    @pytest.mark.parametrize(
        ("place", "deed"),
        [
            ("checks.health.verdicts", lambda *_: {"health": Verdict(UNKNOWN, "somebody else will tell")}),
            ("alerting.announce._explained", lambda *_: "cover: a ghost"),
            ("alerting.cases._quorum", lambda *_: "quorum"),
            ("alerting.cases.silenced", lambda *_: True),
            ("alerting.cases.condition", lambda target, alert, _: Condition(target, alert, OPERATIONAL, "")),
        ],
    )
    def test_it_tells_what_nobody_was_told_and_calls_it_a_fault(
        self,
        make: Callable[..., Scene],
        web: WebServer,
        postmark: PostmarkServer,
        monkeypatch: pytest.MonkeyPatch,
        place: str,
        deed: Callable[..., Any],
    ) -> None:
        monkeypatch.setattr(f"pom_cli.{place}", deed)
        scene = make()
        web.on("/", answer(500))
        for _ in range(3):
            scene.run()
        assert scene.beat("30s").faults == ()
        assert said(postmark) == []
        told = "PoM's own fault: shop health: error for 12 min 30 s, and nobody was notified until now"
        assert scene.beat("2m").faults == (told,)
        assert said(postmark) == [(OPS, DOWN)]
        assert scene.rows("SELECT summary FROM caught") == [(told,)]

    def test_it_leaves_alone_what_a_person_silenced_or_what_was_told(
        self, make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
    ) -> None:
        scene = make('routes = { paths = ["/login"], attempts = 1 }\n')
        web.on("/", answer(500))
        web.on("/login", answer(500))
        scene.run(kinds=("health", "routes"))
        faults = [scene.beat("5m").faults for _ in range(6)]
        assert not any(faults)
        silence(scene, 600)
        web.on("/", answer(200))
        scene.run(kinds=("health", "routes"))
        assert not any(scene.beat("5m").faults for _ in range(6))


def test_a_file_of_the_release_before_knows_whom_its_mail_has_reached(
    make: Callable[..., Scene], web: WebServer, postmark: PostmarkServer
) -> None:
    scene = make()
    web.on("/", answer(500))
    scene.run()
    db = store.connect(scene.path)
    db.execute("DELETE FROM ledger")
    seed = next(part for part in STEPS["ledger"].split(";") if part.strip().startswith("INSERT"))
    db.execute(seed)
    assert db.execute("SELECT recipient, target, alert FROM ledger").fetchall() == [(OPS, "shop", "health")]
    db.close()
    assert scene.run().notices == []
    web.on("/", answer(200))
    scene.run()
    assert said(postmark) == [(OPS, DOWN), (OPS, back("10 min"))]
