"""The shapes of the answers as JSON Schema, for the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from pom_cli.checks import KINDS
from pom_cli.mesh.beats import ALIVE, LATE, MISSING
from pom_cli.model import Status
from pom_cli.report.overview import WINDOWS

TEXT, WHOLE, NUMBER, YES = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
INSTANT = {"type": "string", "format": "date-time"}
STATUS = {"enum": [status.value for status in Status]}
KIND = {"enum": list(KINDS)}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _by_name(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}


def _object(optional: tuple[str, ...] = (), **properties: Mapping[str, Any]) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _of(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: dict[str, Any] = {
    "Error": _object(error=TEXT),
    "Run": _object(last_run=_or_null(INSTANT), age_s=_or_null(WHOLE), overdue=YES),
    "Health": _object(
        ("instance", "checks"),
        status=STATUS,
        time=INSTANT,
        overdue=_list(KIND),
        instance=_object(id=TEXT, name=TEXT, version=TEXT),
        checks=_by_name(_of("Run")),
    ),
    "Uptime": _object(percent=_or_null(NUMBER), coverage=NUMBER, maintenance=NUMBER),
    "Check": _object(
        kind=KIND,
        subject=TEXT,
        status=STATUS,
        since=INSTANT,
        checked_at=INSTANT,
        latency_ms=_or_null(WHOLE),
        summary=TEXT,
        detail={"type": "object"},
    ),
    "Target": _object(
        name=TEXT,
        label=TEXT,
        url=TEXT,
        status=STATUS,
        since=_or_null(INSTANT),
        checks=_list(_of("Check")),
        uptime=_object((), **{window: _of("Uptime") for window in WINDOWS}),
        latency=_object(median_ms=_or_null(NUMBER), p95_ms=_or_null(NUMBER), baseline_ms=_or_null(NUMBER), drift=YES),
        incident=_or_null(_of("Incident")),
        deployed=_or_null(_of("Deployment")),
    ),
    "Alert": _object(
        target=TEXT,
        alert=TEXT,
        status=STATUS,
        since=INSTANT,
        announced_at=_or_null(INSTANT),
        subjects=_list(TEXT),
        summary=TEXT,
        ack=_or_null(_of("Ack")),
    ),
    "Ack": _object(at=INSTANT, by=TEXT, origin=TEXT, note=TEXT),
    "Deployment": _object(rev=TEXT, at=INSTANT, by=TEXT, origin=TEXT, note=TEXT),
    "Notice": _object(reason=TEXT, at=INSTANT, delivered_at=_or_null(INSTANT), recipients=_list(TEXT)),
    "Incident": _object(
        target=TEXT,
        alert=TEXT,
        started_at=INSTANT,
        ended_at=_or_null(INSTANT),
        duration_s=WHOLE,
        worst=STATUS,
        summary=TEXT,
        notices=_list(_of("Notice")),
        covered=_list(_of("Covered")),
        deployed=_or_null(_of("Deployment")),
    ),
    "Covered": _object(
        target=TEXT,
        alert=TEXT,
        started_at=INSTANT,
        ended_at=_or_null(INSTANT),
        duration_s=WHOLE,
        worst=STATUS,
        summary=TEXT,
    ),
    "Peer": _object(
        name=TEXT,
        url=TEXT,
        state={"enum": [ALIVE, LATE, MISSING]},
        since=_or_null(INSTANT),
        last_seen=_or_null(INSTANT),
        misses=WHOLE,
        id=_or_null(TEXT),
        version=_or_null(TEXT),
        clock_skew_s=_or_null(NUMBER),
        overdue=_list(TEXT),
        crashed=_list(TEXT),
        targets=_by_name(TEXT),
    ),
    "Silence": _object(
        id=TEXT,
        target=TEXT,
        kind=TEXT,
        since=INSTANT,
        until=INSTANT,
        reason=TEXT,
        by=TEXT,
        origin=TEXT,
    ),
    "Status": _object(
        instance=TEXT,
        generated_at=INSTANT,
        status=STATUS,
        offline=YES,
        targets=_list(_of("Target")),
        alerts=_list(_of("Alert")),
        undelivered=WHOLE,
        silences=_list(_of("Silence")),
        crashed=_list(TEXT),
        peers=_list(_of("Peer")),
    ),
    "Result": _object(
        target=TEXT,
        kind=KIND,
        subject=TEXT,
        status=STATUS,
        checked_at=INSTANT,
        latency_ms=_or_null(WHOLE),
        summary=TEXT,
    ),
    "History": _list(_of("Result")),
    "Incidents": _list(_of("Incident")),
    "Hour": _object(hour=INSTANT, uptime=_of("Uptime"), median_ms=_or_null(NUMBER), p95_ms=_or_null(NUMBER)),
    "Trends": _list(_of("Hour")),
    "OwnAnswer": _object(
        id=_or_null(TEXT),
        name=TEXT,
        version=TEXT,
        time=INSTANT,
        runs=_by_name(_of("Run")),
        overdue=_list(KIND),
        crashed=_list(TEXT),
        targets={"type": "object"},
        acks=_list({"type": "object"}),
        deployments=_list({"type": "object"}),
        undelivered=WHOLE,
    ),
    "Self": _object(name=TEXT, id=_or_null(TEXT), version=TEXT, crashed=_list(TEXT), targets=_by_name(STATUS)),
    "Mesh": _object(self=_of("Self"), peers=_list(_of("Peer"))),
    "Document": {"type": "object"},
}
OF_PATH = {
    "/api/health": "Health",
    "/api/status": "Status",
    "/api/status/{target}": "Target",
    "/api/history/{target}": "History",
    "/api/incidents": "Incidents",
    "/api/trends/{target}": "Trends",
    "/api/peer": "OwnAnswer",
    "/api/mesh": "Mesh",
    "/api/openapi.json": "Document",
}
