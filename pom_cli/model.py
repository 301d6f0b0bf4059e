"""The vocabulary: statuses, findings, states, conditions, notices. Plain frozen data, no behaviour beyond order."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pom_cli.frozen import dataclass


class Status(StrEnum):
    """The same five for every kind of check."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    ERROR = "error"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


OPERATIONAL, DEGRADED, ERROR, UNREACHABLE, UNKNOWN = Status
# Alerts about PoM itself; the others are raised by the kinds of check.
OWN_ALERTS = (
    *("peer-missing", "monitoring-offline", "checks-overdue", "delivery-failed"),
    *("store-failed", "config-broken", "clock-wrong"),
)
# How far a pending notice is.
WAITING, IN_FLIGHT, IN_DOUBT, UNDELIVERED, WITHDRAWN = "waiting", "in flight", "in doubt", "undelivered", "withdrawn"
SEVERITY = {OPERATIONAL: 0, UNKNOWN: 1, DEGRADED: 2, ERROR: 3, UNREACHABLE: 4}


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of these, in the order unreachable, error, degraded, unknown, operational; unknown for none."""
    return max(statuses, key=SEVERITY.__getitem__, default=UNKNOWN)


@dataclass(frozen=True)
class Verdict:
    """What one finding says about one kind of alert. `unknown` says nothing: what was known before stands."""

    status: Status
    summary: str
    days_left: int | None = None  # of an expiry: whole days, negative once past
    subjects: tuple[str, ...] = ()  # what the alert lists beside the finding's own subject, such as failing tests


@dataclass(frozen=True)
class Finding:
    """What judging one subject of a target gave. `verdicts` is by kind of alert."""

    subject: str
    status: Status
    summary: str
    verdicts: Mapping[str, Verdict]
    latency_ms: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)  # JSON values only
    answered: bool = True  # False: nothing at all came back from the network
    drifting: bool = False  # it answers well but slowly: kept out of the latency baseline
    usual_ms: float | None = None  # the latency baseline, where judging worked it out


@dataclass(frozen=True)
class Key:
    """What a series of results is about."""

    target: str
    kind: str
    subject: str


@dataclass(frozen=True)
class Baseline:
    """The usual latency: median and number of the good results of the seven days before the latest six."""

    median_ms: float | None
    samples: int


@dataclass(frozen=True)
class Past:
    """What is known of a subject from before, for judging: the newest state, and the usual latency on demand."""

    status: Status = UNKNOWN
    detail: Mapping[str, Any] = field(default_factory=dict)
    checked_at: datetime | None = None
    drifting: bool = False
    recent_ms: tuple[int, ...] = ()  # latencies of the latest good answers, oldest first, at most five
    usual_ms: float | None = None  # the last baseline that was worked out: cheap, and up to an hour old
    baseline: Callable[[], Baseline] = lambda: Baseline(None, 0)


@dataclass(frozen=True)
class State:
    """The confirmed status of one subject. `known` is the last status that was not unknown, with its own `since`."""

    status: Status
    since: datetime
    checked_at: datetime
    summary: str
    known: Status | None = None
    known_since: datetime | None = None
    latency_ms: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    answered: bool = True
    drifting: bool = False


@dataclass(frozen=True)
class Condition:
    """What is so now about one (target, kind of alert): the worst known verdict and the subjects behind it."""

    target: str  # "" for the instance itself
    alert: str
    status: Status
    summary: str
    subjects: tuple[str, ...] = ()
    days_left: int | None = None


@dataclass(frozen=True)
class Announced:
    """The level last delivered about one (target, kind of alert). `status` is None after a recovery."""

    status: Status | None = None
    subjects: tuple[str, ...] = ()
    days_left: int | None = None
    first_at: datetime | None = None  # the first notice of this problem
    last_at: datetime | None = None  # the newest notice of any reason, recoveries included


@dataclass(frozen=True)
class Pending:
    """A notice on its way to one recipient: its level, and how far it is.

    `waiting` can be withdrawn; `in flight` is being sent just now; `in doubt` may have arrived; `undelivered` was given
    up; `withdrawn` is out of date.
    """

    status: Status
    subjects: tuple[str, ...]
    days_left: int | None
    at: datetime
    progress: str
    rows: tuple[int, ...] = ()  # of the outbox


@dataclass(frozen=True)
class Entry:
    """One ledger entry: what one recipient last got about one (target, kind of alert), and what is on its way."""

    told: Announced = Announced()
    pending: Pending | None = None

    @property
    def status(self) -> Status | None:
        """The problem that the recipient knows of once all that is on its way has arrived; None for none."""
        if self.pending is None or self.pending.progress in (UNDELIVERED, WITHDRAWN):
            return self.told.status
        return None if self.pending.status is OPERATIONAL else self.pending.status


@dataclass(frozen=True)
class Notice:
    """A decision to speak, with its reason: new, worse, changed, reminder, escalated, recovered."""

    id: str
    target: str
    alert: str
    reason: str
    before: Status
    now: Status
    since: datetime
    at: datetime
    summary: str
    subjects: tuple[str, ...] = ()
    days_left: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)  # what was seen, for the message's body

    def as_json(self) -> dict[str, Any]:
        """The shape that the API, the webhook and `--json` share."""
        from pom_cli.times import utc

        return {
            "id": self.id,
            "target": self.target,
            "alert": self.alert,
            "reason": self.reason,
            "from": self.before.value,
            "to": self.now.value,
            "since": utc(self.since),
            "at": utc(self.at),
            "subjects": list(self.subjects),
            "summary": self.summary,
        }


@dataclass(frozen=True)
class Mail:
    """One message on its way to one recipient. `unsure`: an earlier try may have arrived."""

    id: str  # unique for message and recipient; goes with it to the provider
    recipient: str
    subject: str
    body: str
    payload: Mapping[str, Any] = field(default_factory=dict)  # {"instance", "notices"}, for the webhook
    unsure: bool = False
    resend: bool = False  # in doubt for so long that it is sent even where the provider cannot be asked about it
    written_at: datetime | None = None
    tried: bool = False  # before this time
    thread: str = ""  # the incidents that it is about, the oldest first, separated by spaces: mails of one are a thread


@dataclass(frozen=True)
class Outcome:
    """How sending one mail ended. Exactly one of: delivered, passing fault (try again), permanent fault."""

    mail_id: str
    provider_id: str | None = None  # set: delivered
    error: str | None = None
    permanent: bool = False
    unsure: bool = False  # no answer came: it may have been taken all the same
    retry_after_s: int | None = None


def down(health: State | None) -> bool:
    """Is this health known to be unreachable or in error."""
    return health is not None and health.known in (UNREACHABLE, ERROR)


@dataclass(frozen=True)
class Silence:
    """One silence by hand, over at `until` or when it was lifted. `target` "*" is every one, `kind` "" every kind."""

    id: str
    target: str
    kind: str
    since: datetime
    until: datetime
    reason: str = ""
    lifted_at: datetime | None = None
    by: str = ""  # the user who set it
    origin: str = ""  # the instance on which it was set; "" if it is in the config

    def covers(self, now: datetime) -> bool:
        """Is it active at this moment."""
        from pom_cli.times import holds

        lifted = self.lifted_at is not None and (self.lifted_at <= now or not holds(self.lifted_at, now))
        return self.since <= now < self.until and not lifted

    def spans(self, _since: datetime, _until: datetime) -> "Iterable[tuple[datetime, datetime]]":
        """From when to when it was active."""
        return [(self.since, self.until if self.lifted_at is None else min(self.until, self.lifted_at))]


@dataclass(frozen=True)
class SuiteRun:
    """One test run of a target. `reason` says why it did not end normally.

    With an exit code it was made, and its time limit ended it; without one nothing is known of the tests.
    """

    id: int  # random, so that it means the same in any database
    target: str
    started_at: datetime
    ended_at: datetime
    exit: int | None = None  # the command's own, or TIMED_OUT; None where it was recorded, or could not be made
    passed: int | None = None  # None: nothing told
    failed: int | None = None
    failing: tuple[str, ...] = ()
    reason: str = ""
    log: str = ""  # the end of the output, printable

    @property
    def made(self) -> bool:
        """Does it tell anything of the tests."""
        return not self.reason or self.exit is not None

    @property
    def failed_tests(self) -> bool:
        """Do tests fail, by their number or by the exit code: one of 0 may be that of a pipe or of what came after."""
        return bool(self.failed) or self.exit not in (None, 0)
