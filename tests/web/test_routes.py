"""Which path is which."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_server import load

from pom_cli.web.queries import Refused
from pom_cli.web.routes import ROUTES, asked, find


@pytest.mark.parametrize("path", [route.path for route in ROUTES])
def test_every_path_finds_its_route(path: str) -> None:
    found = find(path.replace("{target}", "shop"))
    assert not isinstance(found, Refused)
    assert found[0].path == path
    assert found[1] == ("shop" if "{target}" in path else "")


@pytest.mark.parametrize(
    "uri",
    ["", "/", "/api", "/api/", "/api/statuses", "/api/status/", "/api/status/shop/x", "//api/status", "/api//status",
     "/api/./status", "/api/x/../status", "/api/%2e%2e/api/status", "/api%2fstatus", "/API/STATUS", "/api/status%00",
     "/api/status%20", "/metrics/", "/openapi.json", "/%"],
)  # fmt: skip
def test_nothing_else_is_a_route(uri: str, tmp_path: Path) -> None:
    found = find(uri)
    if isinstance(found, Refused):
        assert found.status == 404
        return
    with pytest.raises(Refused, match="is not a target"):  # an empty name is looked for like any other
        asked(found, load(tmp_path))


def test_an_encoded_path_is_the_same_path() -> None:
    assert find("/%61pi/%68ealth") == find("/api/health")


def test_a_target_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    found = find("/api/status/shpo")
    assert not isinstance(found, Refused)
    with pytest.raises(Refused, match="'shpo' is not a target; did you mean 'shop'") as refused:
        asked(found, load(tmp_path))
    assert refused.value.status == 404


def test_health_alone_is_public() -> None:
    assert [route.path for route in ROUTES if route.public] == ["/api/health"]
