from typing import Any

import pytest

from pom_cli.views.render import days_left


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
