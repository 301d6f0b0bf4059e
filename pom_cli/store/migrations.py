"""The schema, as numbered steps that only ever add: the release before must still work on a migrated file."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

# Times are milliseconds since the epoch, UTC. Statuses are the numbers of `codes`.
# Raw results stand clustered by time, since a run writes all its rows at one time and pruning takes the oldest.
_FIRST = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY, target TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
    UNIQUE (target, kind, subject)
);
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, used_on INTEGER NOT NULL);
CREATE TABLE results (
    at INTEGER NOT NULL, series INTEGER NOT NULL, code INTEGER NOT NULL, latency INTEGER, text INTEGER,
    PRIMARY KEY (at, series)
) WITHOUT ROWID;
CREATE TABLE states (
    series INTEGER PRIMARY KEY, status INTEGER NOT NULL, since INTEGER NOT NULL, checked_at INTEGER NOT NULL,
    summary TEXT NOT NULL, known INTEGER, known_since INTEGER, latency INTEGER, detail TEXT NOT NULL,
    verdicts TEXT NOT NULL, answered INTEGER NOT NULL, drifting INTEGER NOT NULL,
    recent BLOB, usual_ms REAL, hour INTEGER, known_ms INTEGER, up_ms INTEGER, latencies BLOB,
    known_before INTEGER, up_before INTEGER
);
CREATE TABLE hours (
    series INTEGER NOT NULL, hour INTEGER NOT NULL, known_ms INTEGER NOT NULL, up_ms INTEGER NOT NULL, latencies BLOB,
    known_total INTEGER NOT NULL, up_total INTEGER NOT NULL, PRIMARY KEY (series, hour)
) WITHOUT ROWID;
CREATE TABLE alerts (
    target TEXT NOT NULL, alert TEXT NOT NULL, status INTEGER NOT NULL, summary TEXT NOT NULL, subjects TEXT NOT NULL,
    since INTEGER, ended_at INTEGER, incident INTEGER, held TEXT NOT NULL,
    told INTEGER, told_subjects TEXT NOT NULL, told_days INTEGER, first_at INTEGER, last_at INTEGER,
    PRIMARY KEY (target, alert)
) WITHOUT ROWID;
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY, target TEXT NOT NULL, alert TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER,
    worst INTEGER NOT NULL, summary TEXT NOT NULL
);
CREATE INDEX incidents_started ON incidents (started_at);
CREATE TABLE messages (
    id TEXT PRIMARY KEY, at INTEGER NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, payload TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE notices (
    id TEXT PRIMARY KEY, at INTEGER NOT NULL, message TEXT, incident INTEGER, target TEXT NOT NULL, alert TEXT NOT NULL,
    reason TEXT NOT NULL, before INTEGER NOT NULL, now INTEGER NOT NULL, since INTEGER NOT NULL, subjects TEXT NOT NULL,
    summary TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX notices_incident ON notices (incident);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, message TEXT NOT NULL, recipient TEXT NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL,
    created_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL, lease TEXT,
    lease_until INTEGER, unsure INTEGER NOT NULL DEFAULT 0, credentials TEXT NOT NULL DEFAULT '', error TEXT,
    provider_id TEXT, delivered_at INTEGER,
    UNIQUE (message, channel, recipient)
);
CREATE INDEX outbox_waiting ON outbox (state, next_at) WHERE state <> 'delivered';
CREATE TABLE silences (
    id TEXT PRIMARY KEY, target TEXT NOT NULL, kind TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
    reason TEXT NOT NULL, lifted_at INTEGER
) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, command TEXT NOT NULL, kinds TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER,
    outcome TEXT
);
CREATE INDEX runs_started ON runs (started_at);
CREATE TABLE test_runs (
    id INTEGER PRIMARY KEY, target TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, exit INTEGER,
    passed INTEGER, failed INTEGER, failing TEXT NOT NULL, reason TEXT NOT NULL, log BLOB
);
CREATE INDEX test_runs_newest ON test_runs (target, ended_at);
CREATE TABLE peers (
    name TEXT PRIMARY KEY, url TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL, asked_at INTEGER NOT NULL,
    last_seen INTEGER, misses INTEGER NOT NULL, held TEXT NOT NULL, fault TEXT NOT NULL,
    skew_ms INTEGER, late_beats INTEGER NOT NULL, answer TEXT
) WITHOUT ROWID;
CREATE TABLE beats (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL, since INTEGER);
"""

# Open runs are asked for by every status and at each start. A suspect is a look that was under way when a run died.
_CRASHES = """
CREATE INDEX runs_open ON runs (started_at) WHERE ended_at IS NULL;
CREATE TABLE suspects (
    target TEXT NOT NULL, kind TEXT NOT NULL, deaths INTEGER NOT NULL, PRIMARY KEY (target, kind)
) WITHOUT ROWID;
"""
# What each recipient last got, written when a notice is delivered. Existing problems count as delivered to everyone who
# got them or, if those rows are pruned, to everyone who got any mail. `caught`: what the safety net found.
_LEDGER = """
CREATE TABLE ledger (
    recipient TEXT NOT NULL, target TEXT NOT NULL, alert TEXT NOT NULL, told INTEGER, subjects TEXT NOT NULL,
    days INTEGER, reason TEXT NOT NULL, first_at INTEGER, last_at INTEGER NOT NULL, provider_id TEXT,
    PRIMARY KEY (recipient, target, alert)
) WITHOUT ROWID;
INSERT INTO ledger
    SELECT DISTINCT recipient, alerts.target, alerts.alert, told, told_subjects, told_days, 'new', first_at,
        ifnull(last_at, 0), NULL
    FROM alerts JOIN outbox ON outbox.state = 'delivered' AND (
        EXISTS (SELECT 1 FROM notices WHERE message = outbox.message AND notices.incident = alerts.incident)
        OR NOT EXISTS (SELECT 1 FROM notices JOIN outbox AS sent ON sent.message = notices.message
            WHERE notices.incident = alerts.incident)
    ) WHERE told IS NOT NULL;
ALTER TABLE notices ADD COLUMN days INTEGER;
ALTER TABLE outbox ADD COLUMN unsure_at INTEGER;
ALTER TABLE outbox ADD COLUMN passed_on INTEGER NOT NULL DEFAULT 0;
CREATE INDEX notices_message ON notices (message);
CREATE TABLE caught (at INTEGER NOT NULL, target TEXT NOT NULL, alert TEXT NOT NULL, summary TEXT NOT NULL)
"""
# An ack is tied to the incident it was given for. `origin` is the peer that recorded it, '' for this instance.
_DEPLOYMENTS = """
CREATE TABLE deployments (
    id TEXT PRIMARY KEY, target TEXT NOT NULL, at INTEGER NOT NULL, rev TEXT NOT NULL, note TEXT NOT NULL,
    who TEXT NOT NULL, origin TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX deployments_newest ON deployments (target, at);
"""
_ACKS = """
CREATE TABLE acks (
    target TEXT NOT NULL, alert TEXT NOT NULL, incident INTEGER NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL,
    note TEXT NOT NULL, origin TEXT NOT NULL, lifted INTEGER NOT NULL, PRIMARY KEY (target, alert)
) WITHOUT ROWID;
"""
# A day's totals of health, begun with what the hours know.
_DAYS = """
CREATE TABLE days (
    series INTEGER NOT NULL, day INTEGER NOT NULL, known_ms INTEGER NOT NULL, up_ms INTEGER NOT NULL,
    degraded_ms INTEGER NOT NULL, maintenance_ms INTEGER NOT NULL, PRIMARY KEY (series, day)
) WITHOUT ROWID;
INSERT INTO days SELECT series, hour / 24, sum(known_ms), sum(up_ms), 0, 0 FROM (
    SELECT series, hour, known_ms, up_ms FROM hours
    UNION ALL SELECT series, hour, known_ms, up_ms FROM states WHERE hour IS NOT NULL
) GROUP BY series, hour / 24;
"""
# By name, in order; a step that has been released never changes.
STEPS = {
    "first": _FIRST,
    "how_peers_saw_it": "ALTER TABLE notices ADD COLUMN views TEXT NOT NULL DEFAULT '[]'",
    "crashes": _CRASHES,
    "which_instance_a_peer_is": "ALTER TABLE peers ADD COLUMN pinned TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE peers ADD COLUMN doubt TEXT NOT NULL DEFAULT ''",
    "who_silenced": "ALTER TABLE silences ADD COLUMN by TEXT NOT NULL DEFAULT '';"
    " ALTER TABLE silences ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    # When a row was last tried: a wait that began in the future is void.
    "maintenance": ";".join(
        f"ALTER TABLE {table} ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0"
        for table, columns in (("hours", ("quiet_ms", "quiet_total")), ("states", ("quiet_ms", "quiet_before")))
        for column in columns
    ),
    "tried_at": "ALTER TABLE outbox ADD COLUMN tried_at INTEGER",
    "ledger": _LEDGER,
    "deployments": _DEPLOYMENTS,
    "acks": _ACKS,
    "days": _DAYS,
}


@contextmanager
def nothing() -> Iterator[sqlite3.Connection]:
    """An empty database in memory, for reading when no file exists."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        apply(db)
        yield db


def apply(db: sqlite3.Connection) -> None:
    """Run what this file has not run yet. The caller holds a BEGIN IMMEDIATE: all or nothing."""
    from sqlite_utils import Database, Migrations

    migrations = Migrations("pom")
    for name, sql in STEPS.items():
        migrations(name=name)(_step(sql))
    migrations.apply(Database(db, execute_plugins=False))


def _step(sql: str) -> Callable[["Database"], None]:
    def run(database: "Database") -> None:
        for statement in sql.split(";"):
            if statement.strip():
                database.execute(statement)

    return run
