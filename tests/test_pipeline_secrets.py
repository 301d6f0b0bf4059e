"""Configured secrets that come back from outside: they stand in no table, no answer, no mail."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from scene import Scene
from web_server import WebServer, answer

from pom_cli import store
from pom_cli.report import overview

HEADER, QUERY, PASSWORD, TOKEN = "header-s3cr3t", "query-s3cr3t", "user-s3cr3t", "token-s3cr3t"
PATHS = '["/?token=one11111", "/?token=two22222"]'
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


def test_what_a_target_echoes_is_masked_wherever_it_is_kept_or_shown(tmp_path: Path, web: WebServer) -> None:
    url = web.url(f"/?token={QUERY}").replace("//", f"//me:{PASSWORD}@", 1)
    toml = (
        f'[targets.shop]\nurl = "{web.url()}"\n'
        f'[targets.shop.health]\nurl = "{web.url(f"/?token={QUERY}")}"\nattempts = 1\nexpect = {{ status = "up" }}\n'
        f'headers = {{ Authorization = "Bearer {HEADER}", X-Url = "{url}" }}\n'
        f'[targets.shop.routes]\npaths = ["/login?token={QUERY}"]\nattempts = 1\n'
    )
    said = f"no {HEADER} {QUERY} {TOKEN.upper()}"
    web.on(f"/?token={QUERY}", answer(200, json.dumps({"status": said})))
    web.on(f"/login?token={QUERY}", answer(500, said, reason=said))
    scene = Scene(tmp_path, toml, {"POM_API_TOKEN": TOKEN})
    report = scene.run(kinds=("health", "routes"))
    assert report.notices
    db = store.open_reader(scene.path)
    assert db is not None
    shown = json.dumps(overview.status(db, scene.config, scene.now)) + repr(report)
    shown += "".join(db.iterdump())
    db.close()
    assert "(hidden)" in shown
    for secret in (HEADER, QUERY, TOKEN):
        assert secret.lower() not in shown.lower()


def test_a_password_is_known_in_base64_too(tmp_path: Path, web: WebServer) -> None:
    toml = f'[targets.shop]\nurl = "{web.url()}"\nhealth = {{ attempts = 1, expect = {{ status = "up" }} }}\n'
    scene = Scene(tmp_path, toml, {"POM_SMTP_PASSWORD": PASSWORD})
    web.on("/", answer(200, json.dumps({"status": f"what is {BASIC}"})))
    (result,) = scene.run().results
    assert "(hidden)" in result.finding.summary
    assert BASIC[5:-3] not in repr(result)


def test_two_paths_that_differ_in_a_token_alone_are_one_mistake(tmp_path: Path, web: WebServer) -> None:
    from pom_cli.errors import ConfigError

    with pytest.raises(ConfigError) as caught:
        Scene(
            tmp_path,
            f'[targets.shop]\nurl = "{web.url()}"\n[targets.shop.routes]\npaths = {PATHS}\n',
        )
    assert "is not a new path" in str(caught.value)
    assert "two22222" not in str(caught.value)
