"""Whatever happens in between, in the end everybody knows what is so: random lives of a monitor, judged by an oracle.

The real runs over a real database in memory-backed files; what they see, what Postmark answers, and when they die comes
from a seed. A failure names its seed: `POM_SEED=17 pytest tests/test_simulation.py`; `POM_SEEDS=10000` runs so many.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from scene import START

from pom_cli import config, jobs, pipeline, store
from pom_cli.channels import postmark
from pom_cli.channels.request import Answer, Request, Unanswered
from pom_cli.checks import health, routes
from pom_cli.config import Config
from pom_cli.jobs import Job
from pom_cli.mesh import heartbeat
from pom_cli.model import Silence
from pom_cli.net.exchange import Answer as HttpAnswer
from pom_cli.net.faults import Fault
from pom_cli.store import silences
from pom_cli.store.spare import Database

SEEDS = int(os.environ.get("POM_SEEDS", "300"))
COOLDOWN = timedelta(minutes=5)
REMIND = timedelta(hours=1)
ADDRESSES = ("a@example.com", "b@example.com")
STEPS = (10, 30, 60, 60, 150, 295, 300, 300, 600)  # seconds between runs
OK, REFUSED = 200, 0  # of a look: an HTTP status, or no connection


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Life:
    """One monitor, its world, and a Postmark that keeps what it accepts."""

    folder: Path
    dice: random.Random
    now: datetime = START
    to: tuple[str, ...] = ADDRESSES[:1]
    routed: bool = True
    seen: dict[str, int] = field(default_factory=lambda: {"shop": OK, "app": OK, "/a": OK, "/b": OK})
    wild: bool = True
    inactive: set[str] = field(default_factory=set)
    left: list[tuple[datetime, str]] = field(default_factory=list)  # who was taken off the config, and when
    accepted: list[tuple[datetime, str, str]] = field(default_factory=list)  # when, to whom, the mail's id
    faults: list[str] = field(default_factory=list)
    depth: int = 0
    dies_in: int | None = None  # commits from now

    @property
    def path(self) -> Path:
        return self.folder / "pom.db"

    def config(self) -> Config:
        return _config(self.folder, self.to, self.routed)

    def look(self, wanted: Sequence[Job], *_: object) -> list[tuple[Job, Any]]:
        return [(job, self._observation(job)) for job in wanted]

    def _observation(self, job: Job) -> Any:
        down = self.seen[job.target.name]
        if job.kind == "health":
            return health.Seen(_outcome(down))
        # A site that is down has no path that works.
        return tuple(routes.Seen(_outcome(down if down != OK else self.seen[path])) for path in ("/a", "/b"))

    def ask(self, _session: object, request: Request, _deadline: object) -> Answer | Unanswered:
        """Postmark: it accepts, refuses, is lost, or takes a mail without a word."""
        if self.depth == 0 and self.wild and self.dice.random() < 0.05:
            self.run_within()
        fate = self.dice.choice(FATES) if self.wild and self.dice.random() < 0.4 else "ok"
        if fate == "dies":
            raise Crash
        if fate == "lost":
            return Unanswered("connection refused", arrived=False)
        if fate == "429":
            return Answer(429, b'{"ErrorCode": 429, "Message": "slow down"}', 30)
        if fate == "401":
            return Answer(401, b'{"ErrorCode": 10, "Message": "bad token"}')
        if fate in ("502", "silent"):
            return Answer(502) if fate == "502" else Unanswered("no answer", arrived=True)
        body = self._searched(request) if request.method == "GET" else self._batch(json.loads(request.body or b"[]"))
        if fate == "taken, then dies":
            raise Crash
        if fate == "taken and silent":
            return Unanswered("no answer", arrived=True)
        return Answer(200, b"<html>" if fate == "garbage" else json.dumps(body).encode())

    def _batch(self, mails: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for mail in mails:
            if mail["To"] in self.inactive:
                answers.append({"ErrorCode": 406, "Message": "inactive"})
                continue
            self.accepted.append((self.now, mail["To"], mail["Metadata"][postmark.ID_KEY]))
            answers.append({"ErrorCode": 0, "MessageID": f"p{len(self.accepted)}"})
        return answers

    def _searched(self, request: Request) -> dict[str, Any]:
        wanted = request.params[f"metadata_{postmark.ID_KEY}"]
        found = [f"p{n}" for n, (_, _, one) in enumerate(self.accepted, 1) if one == wanted][:1]
        known = [{"MessageID": one, "Metadata": {postmark.ID_KEY: wanted}} for one in found]
        return {"TotalCount": len(known), "Messages": known}

    def run_within(self) -> None:
        """Another process runs while this one waits for Postmark."""
        self.depth += 1
        before = self.now
        self.change()
        self.run("check", 10)
        self.now = max(before, self.now)
        self.depth -= 1

    def change(self) -> None:
        """Something happens in the world."""
        for name in self.seen:
            if self.dice.random() < 0.25:
                self.seen[name] = self.dice.choice((OK, OK, 500, REFUSED) if "/" not in name else (OK, OK, 404))
        roll = self.dice.random()
        if roll < 0.05:
            self.inactive = set(self.dice.sample(ADDRESSES, self.dice.randrange(2)))
        elif roll < 0.1:
            before, self.to = self.to, self.dice.choice((ADDRESSES, ADDRESSES[:1], ADDRESSES[1:]))
            self.left += [(self.now, one) for one in before if one not in self.to]
        elif roll < 0.13:
            self.routed = not self.routed
        elif roll < 0.16:
            self.silence()

    def silence(self) -> None:
        kind = self.dice.choice(("", "health", "routes"))
        end = self.now + timedelta(minutes=self.dice.choice((3, 20)))
        quiet = Silence(f"{self.dice.getrandbits(64):032x}", "shop", kind, self.now, end)
        database = Database(self.path, {})
        database.write(lambda db: silences.merge(db, [quiet]))
        database.close()

    def run(self, what: str, seconds: float) -> None:
        """One process: it may die at any commit, or at any question to Postmark."""
        self.now += timedelta(seconds=seconds)
        loaded = self.config()
        database = Database(self.path, {})
        write = database.write

        def dying(work: Any) -> Any:
            done = write(work)
            if self.dies_in is not None:
                self.dies_in -= 1
                if self.dies_in < 0:
                    self.dies_in = None
                    raise Crash
            return done

        database.write = dying  # type: ignore[method-assign]
        try:
            if what == "beat":
                self.faults += heartbeat.run(loaded, database, self.now, "stderr").faults
            else:
                only = [one for name, one in loaded.targets.items() if what in ("check", name)]
                self.faults += pipeline.run(
                    loaded, jobs.jobs_of(only, ("health", "routes")), database, self.now, "stderr"
                ).faults
        except Crash:
            pass
        finally:
            database.close()

    def live(self, events: int) -> None:
        for _ in range(events):
            self.change()
            if self.dice.random() < 0.08:
                self.dies_in = self.dice.randrange(4)
            self.run(self.dice.choice(("check", "check", "beat", "shop", "app")), self.dice.choice(STEPS))
            self.dies_in = None

    def calm(self) -> None:
        """Nothing more happens, and everything works."""
        self.wild, self.inactive = False, set()
        if self.seen["shop"] == self.seen["app"] == REFUSED:
            self.seen["app"] = OK  # both at once would be this monitor's own network
        for what, minutes in (("check", 5), ("beat", 1), ("check", 5), ("check", 20), ("check", 31), ("check", 31)):
            self.run(what, minutes * 60)
            if what == "check" and minutes == 5:
                self.faults.clear()  # before, runs came so irregularly that the net had cause to speak
        self.run("beat", 60)


FATES = ("lost", "429", "401", "502", "silent", "taken and silent", "garbage", "dies", "taken, then dies")


@lru_cache
def _config(folder: Path, to: tuple[str, ...], routed: bool) -> Config:
    addresses = ", ".join(f'"{one}"' for one in to)
    paths = 'routes = { paths = ["/a", "/b"], attempts = 1 }\n' if routed else ""
    text = f"""
[instance]
name = "hetzner"
data_dir = "{folder}"
[alerts]
to = [{addresses}]
from = "pom@example.com"
remind = ["1h"]
[offline]
witnesses = []
[targets.shop]
url = "http://192.0.2.1"
health = {{ attempts = 1 }}
{paths}
[targets.app]
url = "http://192.0.2.2"
health = {{ attempts = 1 }}
depends_on = ["shop"]
"""
    return config.parse(text, folder / "pom.toml", {"HOME": "/", "POM_POSTMARK_TOKEN": "token"})


def _outcome(status: int) -> HttpAnswer | Fault:
    if status == REFUSED:
        return Fault("connect", "connection refused")
    return HttpAnswer(status, "", [], b"", "http://192.0.2.1/", "192.0.2.1", 1.0, 1.0, None, 1.0, 1.0)


@dataclass(frozen=True)
class Told:
    """One notice that arrived."""

    at: datetime
    reason: str
    status: str
    subjects: tuple[str, ...]
    since: datetime  # when PoM learnt that it had arrived


def heard(life: Life) -> dict[tuple[str, str, str], list[Told]]:
    """What arrived at each recipient about each alert, in order; a mail that came twice counts once."""
    db = sqlite3.connect(life.path)
    payloads = dict(db.execute("SELECT id, payload FROM messages"))
    learnt = dict(db.execute("SELECT message || '-' || id, delivered_at / 1000 FROM outbox WHERE delivered_at > 0"))
    db.close()
    found: dict[tuple[str, str, str], list[Told]] = {}
    newest: dict[tuple[str, str, str], str] = {}
    once: set[str] = set()
    for at, recipient, mail in life.accepted:
        for notice in json.loads(payloads[mail.rpartition("-")[0]])["notices"]:
            key = (recipient, notice["target"], notice["alert"])
            if mail in once:
                assert newest[key] == mail, f"{key}: an old mail came after a newer one"
                continue
            newest[key] = mail
            since = max(at, datetime.fromtimestamp(learnt.get(mail, 0), UTC))
            told = Told(at, notice["reason"], notice["to"], tuple(notice["subjects"]), since)
            found.setdefault(key, []).append(told)
        once.add(mail)
    return found


def judge(life: Life) -> None:
    """The oracle. It knows the world and what arrived, and nothing of how it came about."""
    found = heard(life)
    for key, story in found.items():
        known: Told | None = None
        for told in story:
            # Of what was on its way to somebody who was taken off the config nothing more is known.
            away = any(one == key[0] and at <= told.at and (not known or at >= known.at) for at, one in life.left)
            if told.reason == "recovered":
                assert known or away or key[2] == "monitoring-offline", f"{key}: a lone recovery"
                known = None
                continue
            if known is not None and told.reason != "reminder" and not away:
                same = (known.status, known.subjects) == (told.status, told.subjects)
                assert not same, f"{key}: told the same twice"
            known = told
        for before, after in pairwise(story):
            early = after.at - before.at < COOLDOWN - timedelta(seconds=31)
            assert after.reason == "recovered" or not early, f"{key}: {after} within the cooldown of {before}"
    for recipient in life.to:
        for (target, alert), (status, subjects) in so(life).items():
            story = found.get((recipient, target, alert), [])
            last = story[-1] if story else Told(START, "recovered", "operational", (), START)
            if any(one == recipient and at >= last.at for at, one in life.left):
                continue
            if status == "operational":
                assert last.reason == "recovered", f"{recipient} still believes {target} {alert}: {last}"
            else:
                assert (last.status, last.subjects) == (status, subjects), f"{recipient} believes {last} of {alert}"
                assert life.now - last.since <= REMIND + timedelta(minutes=31), f"{target} {alert}: no reminder"
    db = sqlite3.connect(life.path)
    assert db.execute("SELECT count(*) FROM outbox WHERE state IN ('queued', 'given_up')").fetchone() == (0,)
    db.close()
    assert not [fault for fault in life.faults if "PoM's own" in fault], life.faults


def so(life: Life) -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    """What everybody ought to know in the end. What a cover explains may be known or not."""
    words = {OK: "operational", REFUSED: "unreachable"}
    down = life.seen["shop"]
    found: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
        ("shop", "health"): (words.get(down, "error"), ()),
        ("", "monitoring-offline"): ("operational", ()),
    }
    if down == OK or life.seen["app"] == OK:
        found["app", "health"] = (words.get(life.seen["app"], "error"), ())
    if down == OK and life.routed:
        bad = tuple(path for path in ("/a", "/b") if life.seen[path] != OK)
        found["shop", "route"] = ("error" if bad else "operational", bad)
    return found


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        store.open_(Path(name) / "fresh").close()
        yield Path(name)


def lived(folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder / "life"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shutil.copy(folder / "fresh", place / "pom.db")
    life = Life(place, random.Random(seed))
    monkeypatch.setattr("pom_cli.pipeline.isolation.look", life.look)
    monkeypatch.setattr("pom_cli.channels.postmark.ask", life.ask)
    monkeypatch.setattr("requests.Session", nullcontext)
    life.live(14)
    life.calm()
    judge(life)


@pytest.mark.slow
def test_in_the_end_everybody_knows_what_is_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = os.environ.get("POM_SEED")
    for seed in [int(one)] if one else range(SEEDS):
        try:
            lived(folder, seed, monkeypatch)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error
