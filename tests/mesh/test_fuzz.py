"""Peer answers by the thousand, signed and unsigned, each wrong somewhere: none changes what is kept or told."""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mesh_scene import Mesh, toml
from peer_words import ASTRA, TOKEN, told
from scene import START

from pom_cli.alerting.offline import Network
from pom_cli.mesh import answer as peer_answer
from pom_cli.mesh import heartbeat, signing
from pom_cli.mesh.beats import Beat
from pom_cli.mesh.peering import Asked
from pom_cli.model import Silence
from pom_cli.store.spare import Database

TABLES = ("silences", "alerts", "incidents", "notices", "messages", "outbox")
JUNK: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1.5,
        10**30,
        "",
        "x" * 5000,
        [],
        {},
        [[]],
        "9990-01-01T00:00:00+00:00",
        "\ud800",
        "\x00\x1b[2J",
    ),
    *("'; DROP TABLE silences; --", "*", "astra", {"id": "a" * 32}, ["a"] * 1000, "0001-01-01T00:00:00Z"),
)


def mutated(value: Any, dice: random.Random) -> Any:
    """The value with one of its parts, however deep, replaced by junk."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        key = dice.choice(list(value))
        return {**value, key: mutated(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.85:
        place = dice.randrange(len(value))
        return [*value[:place], mutated(value[place], dice), *value[place + 1 :]]
    return dice.choice(JUNK)


def kept(db: sqlite3.Connection) -> list[list[Any]]:
    return [db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]


def beat(database: Database, mesh: Mesh, text: str, now: datetime) -> None:
    """A heartbeat that got this answer, its signature right. Raises ValueError where it is no answer at all."""
    asked = Asked({"astra": Beat(peer_answer.read(text, mesh.config.secrets.masked))})
    database.write(lambda db: heartbeat.record(db, mesh.config, asked, "", Network(), None, now))


def _believable(silences: Any) -> Any:
    """Without silences of all targets: a peer may set those, and they are taken over."""
    if not isinstance(silences, list):
        return silences
    return [one for one in silences if not isinstance(one, dict) or one.get("target") != "*"]


@pytest.mark.slow
def test_20000_mutated_answers_that_are_signed_change_no_silence_and_tell_nobody(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, toml("http://127.0.0.1:1", top='[targets.shop]\nurl = "http://127.0.0.1:1/"\n'))
    dice, database = random.Random(13), Database(mesh.path, mesh.environ)
    bad = Silence("b" * 32, "astra", "", START, START + timedelta(minutes=30), "its own absence")
    silences = [peer_answer.silence_json(bad)]
    base = json.loads(told(START, silences=silences, targets={"shop": {"status": "operational"}}))
    for pragma in ("synchronous=OFF", "journal_mode=MEMORY"):  # no power fails in here
        database.db.execute(f"PRAGMA {pragma}")
    beat(database, mesh, told(START), START)
    before = database.read(kept)
    read = 0
    for number in range(20_000):
        changed = mutated(base, dice)
        if isinstance(changed, dict):  # what is rightly told of, by an alert of its own, is not what this is about
            changed |= {"id": ASTRA, "overdue": [], "undelivered": 0, "delivery_failed": False}
            changed["silences"] = _believable(changed.get("silences"))
        try:
            beat(database, mesh, json.dumps(changed), START + timedelta(milliseconds=number))
        except ValueError:
            continue
        read += 1
        if read % 500 == 1:
            assert database.read(kept) == before, changed
    assert database.read(kept) == before
    assert read > 10_000
    database.close()


@pytest.mark.slow
def test_20000_answers_without_a_right_signature_are_all_doubted() -> None:
    dice, question = random.Random(31), signing.fresh("GET", "/api/peer")
    body = told(START).encode()
    right = signing.answer(TOKEN, question, 200, body)
    for _ in range(20_000):
        parts = {"status": 200, "body": bytearray(body), "nonce": question.nonce, "signature": right}
        part = dice.choice(list(parts))
        if part == "body":
            parts["body"][dice.randrange(len(body))] ^= dice.randrange(1, 256)
        elif part == "status":
            parts["status"] = dice.choice([100, 201, 304, 500, 2000])
        else:
            text = str(parts[part])
            place = dice.randrange(len(text))
            parts[part] = dice.choice([None, "", text[:place], text + "0", text[:place] + "g" + text[place + 1 :]])
        assert signing.doubt([TOKEN], question, **(parts | {"body": bytes(parts["body"])})), parts
