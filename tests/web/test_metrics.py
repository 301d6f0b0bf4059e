"""OpenMetrics text, read back by a parser that takes nothing but what the specification allows."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api_server import load, see
from hypothesis import given
from hypothesis import strategies as st

from pom_cli import store
from pom_cli.alerting import overdue
from pom_cli.mesh import report as mesh_view
from pom_cli.model import UNREACHABLE
from pom_cli.report import overview
from pom_cli.web.metrics import Family, families, openmetrics, plain, wanted

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (-?[0-9][0-9.e+-]*)")
SUFFIXES = {"gauge": [""], "info": ["_info"], "stateset": [""]}
Labels = tuple[tuple[str, str], ...]


@dataclass
class Read:
    kind: str
    unit: str = ""
    help: str = ""
    samples: dict[Labels, float] = field(default_factory=dict)


def parse(page: str) -> dict[str, Read]:
    """The families by name (OpenMetrics 1.0.0: ABNF, and the rules for MetricFamilies)."""
    assert page.endswith("# EOF\n")
    found: dict[str, Read] = {}
    name = ""
    for line in page.removesuffix("# EOF\n").splitlines():
        if line.startswith("# "):
            _, what, of, rest = line.split(" ", 3)
            if what == "TYPE":
                assert of not in found, "families must not be interleaved"
                found[of], name = Read(rest), of
            assert of == name
            if what == "UNIT":
                assert of.endswith(f"_{rest}")
                found[of].unit = rest
            if what == "HELP":
                found[of].help = rest
            continue
        matched = SAMPLE.fullmatch(line)
        assert matched, line
        family = found[name]
        assert matched[1] in [name + suffix for suffix in SUFFIXES[family.kind]]
        labels = _labels(matched[2])
        assert labels not in family.samples, "a sample must not be there twice"
        family.samples[labels] = float(matched[3])
    for family_name, family in found.items():
        _check(family_name, family)
    return found


def _labels(inner: str | None) -> Labels:
    pairs = LABEL.findall(inner or "")
    assert ",".join(f'{name}="{value}"' for name, value in pairs) == (inner or "")
    assert len({name for name, _ in pairs}) == len(pairs)
    return tuple((name, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value)) for name, value in pairs)


def _check(name: str, family: Read) -> None:
    assert family.help
    if family.kind == "stateset":
        groups: dict[Labels, list[float]] = {}
        for labels, value in family.samples.items():
            assert name in dict(labels)
            groups.setdefault(tuple(pair for pair in labels if pair[0] != name), []).append(value)
        assert all(sorted(values) == [0.0] * (len(values) - 1) + [1.0] for values in groups.values())
    if family.kind == "info":
        assert set(family.samples.values()) == {1.0}


def page(folder: Path, form: Callable[[Iterable[Family]], str] = openmetrics) -> str:
    loaded = load(folder)
    see(loaded, "shop", ago="600s", ms=50)
    see(loaded, "blog", UNREACHABLE, ms=None)
    now = datetime.now(UTC)
    db = store.open_(loaded.instance.data_dir / "pom.db")
    try:
        found = overview.status(db, loaded, now)
        peers = mesh_view.mesh(db, loaded, now)["peers"]
        return form(families("the-id", found, overdue.runs(db, loaded, now), peers))
    finally:
        db.close()


def text(*about: Any) -> str:
    return openmetrics(families(*about))


def test_it_is_openmetrics_and_tells_what_status_tells(tmp_path: Path) -> None:
    found = parse(page(tmp_path))
    assert found["pom_target_status"].samples[(("target", "blog"), ("pom_target_status", "unreachable"))] == 1
    assert found["pom_check_latency_seconds"].samples == {
        (("target", "shop"), ("kind", "health"), ("subject", "")): 0.05
    }
    assert found["pom_alert_open"].samples == {(("target", "blog"), ("alert", "health"), ("status", "unreachable")): 1}
    assert found["pom_target_incident"].samples == {(("target", "shop"),): 0, (("target", "blog"),): 1}
    assert found["pom_runs_overdue"].samples == {(("kind", "health"),): 0}
    assert found["pom_peer_state"].samples[(("peer", "astra"), ("pom_peer_state", "late"))] == 1
    assert found["pom_offline"].samples == {(): 0}
    assert next(iter(found["pom_instance"].samples))[:2] == (("name", "hetzner"), ("id", "the-id"))


def test_names_stand(tmp_path: Path) -> None:
    """Dashboards and alerts of others are made of them: none may go or mean something else."""
    assert list(parse(page(tmp_path))) == [
        "pom_instance",
        "pom_offline",
        "pom_undelivered",
        "pom_alert_open",
        "pom_runs_overdue",
        "pom_runs_last_timestamp_seconds",
        "pom_target_status",
        "pom_target_since_timestamp_seconds",
        "pom_target_incident",
        "pom_target_deployed_timestamp_seconds",
        "pom_target_latency_median_seconds",
        "pom_target_latency_p95_seconds",
        "pom_target_latency_baseline_seconds",
        "pom_target_latency_drifting",
        "pom_target_uptime_ratio",
        "pom_target_uptime_coverage_ratio",
        "pom_check_severity",
        "pom_check_last_timestamp_seconds",
        "pom_check_latency_seconds",
        "pom_check_expiry_timestamp_seconds",
        "pom_peer_state",
        "pom_peer_misses",
        "pom_peer_last_seen_timestamp_seconds",
        "pom_peer_clock_skew_seconds",
        "pom_peer_overdue",
    ]


def check(subject: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "tls",
        "subject": subject,
        "status": "operational",
        "since": "2026-11-24T06:00:00Z",
        "checked_at": "2026-11-24T06:00:00Z",
        "latency_ms": None,
        "summary": "",
        "detail": detail,
    }


def with_checks(*checks: dict[str, Any]) -> dict[str, Any]:
    uptime = {"24h": {"percent": None, "coverage": 0.0, "maintenance": 0.0}}
    latency = {"median_ms": None, "p95_ms": None, "baseline_ms": None, "drift": False}
    return {
        "instance": "hetzner",
        "offline": False,
        "undelivered": 0,
        "alerts": [],
        "targets": [
            {"name": "shop", "status": "operational", "since": None, "incident": None, "deployed": None,
             "checks": list(checks),
             "uptime": uptime, "latency": latency}
        ],
    }  # fmt: skip


@given(st.text())
def test_whatever_a_label_holds_is_read_back_as_it_was(subject: str) -> None:
    # A line ends with a line feed alone; what else Python would split at stands within quotes.
    shown = text("id", with_checks(check(subject, {})), {}, []).replace("\r", "␍")
    for odd in "\v\f\x1c\x1d\x1e\x85\u2028\u2029":
        shown = shown.replace(odd, "?")
        subject = subject.replace(odd, "?")
    (labels,) = parse(shown)["pom_check_severity"].samples
    assert dict(labels)["subject"] == subject.replace("\r", "␍")


def test_an_expiry_is_told_only_where_it_is_an_instant() -> None:
    details = [{"expires_at": value} for value in ("2027-03-01T00:00:00Z", "soon", "2027-03-01", 7, None)]
    checks = [check(str(number), detail) for number, detail in enumerate(details)]
    found = parse(text("id", with_checks(*checks), {}, []))["pom_check_expiry_timestamp_seconds"].samples
    assert list(found.values()) == [datetime(2027, 3, 1, tzinfo=UTC).timestamp()]


def test_what_is_not_known_is_not_said() -> None:
    found = parse(text("id", with_checks(), {"tls": {"last_run": None, "age_s": None, "overdue": True}}, []))
    assert found["pom_target_uptime_ratio"].samples == {}
    assert found["pom_runs_last_timestamp_seconds"].samples == {}
    assert found["pom_runs_overdue"].samples == {(("kind", "tls"),): 1}


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", True),
        # Prometheus 2.42, and one told to read plain text alone
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", True),
        ("text/plain;version=0.0.4;q=1,*/*;q=0.1", False),
        ("application/openmetrics-text;q=0, text/plain", False),
        ("application/openmetrics-text; Q=0.000", False),
        ("application/openmetrics-textual", False),
    ],
)  # fmt: skip
def test_openmetrics_is_for_those_who_ask_for_it(accept: str, openmetrics: bool) -> None:
    assert wanted(accept) is openmetrics


def test_plain_text_has_the_same_samples_as_gauges(tmp_path: Path) -> None:
    def samples(shown: str) -> list[str]:
        return [line for line in shown.splitlines() if not line.startswith("#")]

    shown = page(tmp_path, plain)
    assert len(samples(shown)) == len(samples(page(tmp_path)))
    names = {line.split(" ")[2] for line in shown.splitlines() if line.startswith("# TYPE ")}
    assert {re.split("[{ ]", line)[0] for line in samples(shown)} <= names
    assert {line.split(" ")[3] for line in shown.splitlines() if line.startswith("# TYPE ")} == {"gauge"}
    assert not re.search("^# (EOF|UNIT)", shown, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian package prometheus)")
def test_promtool_reads_it_without_a_complaint(tmp_path: Path) -> None:
    odd = with_checks(check('quoted "path\\to\nshop é', {"expires_at": "2027-03-01T00:00:00Z"}))
    for shown in (page(tmp_path, plain), plain(families("id", odd, {}, []))):
        ran = subprocess.run(["promtool", "check", "metrics"], input=shown, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
