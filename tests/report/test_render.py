from typing import Any

import pytest

from pom_cli.report.render import days_left, newest_run


def check(kind: str, **detail: Any) -> dict[str, Any]:
    return {"kind": kind, "detail": detail}


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ([check("health", http_status=200)], []),
        ([check("tls", phase="connect")], []),
        ([check("tls", days_left=79)], [("certificate", 79)]),
        ([check("tls", days_left=79), check("tls", days_left=-1)], [("certificate", -1)]),
        ([check("tls", days_left=79, chain_days_left=4)], [("certificate", 4)]),
        ([check("whois", days_left=300), check("tls", days_left=0)], [("certificate", 0), ("domain", 300)]),
    ],
)
def test_the_nearest_expiry_of_the_certificates_and_of_the_domain_is_told(
    checks: list[dict[str, Any]], told: list[tuple[str, int]]
) -> None:
    assert days_left({"checks": checks}) == told


@pytest.mark.parametrize(
    ("status", "detail", "told"),
    [
        ("operational", {"passed": 42, "failed": 0}, "42 passed"),
        ("operational", {"exit": 0}, "passed"),
        ("error", {"passed": 40, "failed": 3}, "3 of 43 failed"),
        ("error", {"exit": 3}, "failed"),
        ("degraded", {"passed": 42, "failed": 0}, "stale"),
        ("unknown", {}, ""),
    ],
)
def test_the_newest_test_run_is_told_in_two_words(status: str, detail: dict[str, Any], told: str) -> None:
    assert newest_run({"checks": [check("tests", **detail) | {"status": status}]}) == told


def test_a_target_without_tests_says_nothing_of_them() -> None:
    assert newest_run({"checks": [check("tls", days_left=79) | {"status": "operational"}]}) == ""
