"""The overview as metrics, in the two text formats that Prometheus reads. Pure.

Times are instants, not ages, so that the text stands still while nothing happens. Names, once given, stay.
OpenMetrics 1.0.0: https://prometheus.io/docs/specs/om/open_metrics_spec/
Plain text 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from pom_cli import __version__
from pom_cli.mesh.beats import ALIVE, LATE, MISSING
from pom_cli.model import SEVERITY, Status

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float | None]  # labels, and the value; None: not known, so not said


class Family(NamedTuple):
    """A metric. `kind` is OpenMetrics' type: "gauge", "stateset" or "info"."""

    name: str
    kind: str
    help: str
    samples: Iterable[Sample]


def wanted(accept: str) -> bool:
    """Does this Accept header ask for OpenMetrics (RFC 9110, 12.5.1)? Who asks for nothing gets plain text."""
    for media_range in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in media_range.split(";"))
        if kind == "application/openmetrics-text":
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False


def openmetrics(families: Iterable[Family]) -> str:
    return "".join([*chain.from_iterable(map(_openmetrics, families)), "# EOF\n"])


def plain(families: Iterable[Family]) -> str:
    return "".join(chain.from_iterable(map(_plain, families)))


def families(
    identity: str, status: Mapping[str, Any], runs: Mapping[str, Any], peers: Iterable[Mapping[str, Any]]
) -> Iterator[Family]:
    """All of them: from `/api/status`, the runs of `/api/health` and the peers of `/api/mesh`."""
    about = {"name": status["instance"], "id": identity, "version": __version__}
    yield Family("pom_instance", "info", "This instance.", [(about, 1)])
    yield from _instance(status, runs)
    yield from _targets(status["targets"])
    yield from _checks(status["targets"])
    yield from _peers(list(peers))


def _instance(status: Mapping[str, Any], runs: Mapping[str, Any]) -> Iterator[Family]:
    yield _gauge("pom_offline", "Is this instance's own network down.", [({}, status["offline"])])
    yield _gauge("pom_undelivered", "Messages that are still owed.", [({}, status["undelivered"])])
    yield _gauge(
        "pom_alert_open",
        "An open alert; target is empty where it is about the instance itself.",
        [({name: one[name] for name in ("target", "alert", "status")}, 1) for one in status["alerts"]],
    )
    yield _gauge(
        "pom_runs_overdue", "Is this kind of check overdue.", [({"kind": k}, run["overdue"]) for k, run in runs.items()]
    )
    yield _gauge(
        "pom_runs_last_timestamp_seconds",
        "When this kind of check last ran.",
        [({"kind": kind}, _instant(run["last_run"])) for kind, run in runs.items()],
    )


def _targets(targets: list[dict[str, Any]]) -> Iterator[Family]:
    yield _states("pom_target_status", "A target's status.", "target", Status, _pairs(targets, "status"))
    for name, told, value in (
        ("pom_target_since_timestamp_seconds", "Since when it has this status.", lambda one: _instant(one["since"])),
        ("pom_target_incident", "Does an incident last.", lambda one: one["incident"] is not None),
        ("pom_target_deployed_timestamp_seconds", "Its newest deployment.", lambda one: _deployed(one["deployed"])),
        ("pom_target_latency_median_seconds", "Of the last 24 hours.", lambda one: _s(one["latency"]["median_ms"])),
        ("pom_target_latency_p95_seconds", "Of the last 24 hours.", lambda one: _s(one["latency"]["p95_ms"])),
        ("pom_target_latency_baseline_seconds", "The usual one.", lambda one: _s(one["latency"]["baseline_ms"])),
        ("pom_target_latency_drifting", "Is it unusually slow.", lambda one: one["latency"]["drift"]),
    ):
        yield _gauge(name, told, [({"target": one["name"]}, value(one)) for one in targets])
    windows = [
        ({"target": one["name"], "window": window}, uptime)
        for one in targets
        for window, uptime in one["uptime"].items()
    ]
    up = [(labels, None if one["percent"] is None else one["percent"] / 100) for labels, one in windows]
    yield _gauge("pom_target_uptime_ratio", "Of the time that is known.", up)
    known = [(labels, one["coverage"]) for labels, one in windows]
    yield _gauge("pom_target_uptime_coverage_ratio", "The share of the window that is known.", known)


def _checks(targets: list[dict[str, Any]]) -> Iterator[Family]:
    checks = [
        ({"target": one["name"], "kind": check["kind"], "subject": check["subject"]}, check)
        for one in targets
        for check in one["checks"]
    ]
    for name, told, value in (
        (
            "pom_check_severity",
            "0 operational, 1 unknown, 2 degraded, 3 error, 4 unreachable.",
            lambda check: SEVERITY[Status(check["status"])],
        ),
        ("pom_check_last_timestamp_seconds", "When it was last looked at.", lambda one: _instant(one["checked_at"])),
        ("pom_check_latency_seconds", "Of the newest look.", lambda check: _s(check["latency_ms"])),
        (
            "pom_check_expiry_timestamp_seconds",
            "When the certificate or the domain expires.",
            lambda check: _instant(check["detail"].get("expires_at")),
        ),
    ):
        yield _gauge(name, told, [(labels, value(check)) for labels, check in checks])


def _peers(peers: list[Mapping[str, Any]]) -> Iterator[Family]:
    yield _states("pom_peer_state", "A peer's state.", "peer", (ALIVE, LATE, MISSING), _pairs(peers, "state"))
    for name, told, value in (
        ("pom_peer_misses", "Heartbeats in a row without an answer.", lambda one: one["misses"]),
        ("pom_peer_last_seen_timestamp_seconds", "When it last answered.", lambda one: _instant(one["last_seen"])),
        ("pom_peer_clock_skew_seconds", "Its clock less this one's.", lambda one: one["clock_skew_s"]),
        ("pom_peer_overdue", "How many of its kinds of check are overdue.", lambda one: len(one["overdue"])),
    ):
        yield _gauge(name, told, [({"peer": one["name"]}, value(one)) for one in peers])


def _pairs(rows: Iterable[Mapping[str, Any]], state: str) -> list[tuple[str, str]]:
    return [(row["name"], row[state]) for row in rows]


def _states(name: str, told: str, label: str, states: Iterable[str], rows: Iterable[tuple[str, str]]) -> Family:
    """A sample for each state, 1 for the current one."""
    listed = [str(state) for state in states]
    samples = [({label: row, name: state}, state == now) for row, now in rows for state in listed]
    return Family(name, "stateset", told, samples)


def _gauge(name: str, told: str, samples: Iterable[Sample]) -> Family:
    return Family(name, "gauge", told, samples)


def _openmetrics(family: Family) -> Iterator[str]:
    yield f"# TYPE {family.name} {family.kind}\n"
    if family.name.endswith("_seconds"):
        yield f"# UNIT {family.name} seconds\n"
    yield f"# HELP {family.name} {family.help}\n"
    yield from _samples(family)


def _plain(family: Family) -> Iterator[str]:
    """It knows neither units nor the types "stateset" and "info": the samples are the same, as gauges."""
    yield f"# HELP {_sample_name(family)} {family.help}\n# TYPE {_sample_name(family)} gauge\n"
    yield from _samples(family)


def _sample_name(family: Family) -> str:
    return f"{family.name}_info" if family.kind == "info" else family.name


def _samples(family: Family) -> Iterator[str]:
    for labels, value in family.samples:
        if value is not None:
            inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            yield f"{_sample_name(family)}{f'{{{inner}}}' if inner else ''} {float(value):.15g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _instant(text: Any) -> float | None:
    """Seconds since the epoch. A detail's instant was written by a check, and is said only where it can be read."""
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return instant.timestamp() if instant and instant.tzinfo else None


def _deployed(one: Mapping[str, Any] | None) -> float | None:
    return _instant(one["at"]) if one else None


def _s(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000
