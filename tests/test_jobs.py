"""What a timer's run looks at."""

from __future__ import annotations

from pathlib import Path

import pytest
import web_server
from scene import Scene
from web_server import WebServer, answer

from pom_cli.jobs import due, jobs_of
from pom_cli.store.spare import Database

PATHS = ("/", "/blog", "/login")
ALL = ("health", "routes", "cors")


@pytest.fixture
def scene(tmp_path: Path, web: WebServer) -> Scene:
    return Scene(
        tmp_path,
        f"""
[offline]
witnesses = []
[targets.blog]
url = "{web.url("/blog")}"
health = {{ attempts = 1 }}
[targets.shop]
url = "{web.url()}"
health = {{ attempts = 1 }}
routes = {{ paths = ["/login"], attempts = 1, interval = "1h" }}
cors = {{ origin = "https://app.example.com", attempts = 1 }}
""",
    )


def is_due(scene: Scene, *kinds: str) -> list[tuple[str, str]]:
    database = Database(scene.path, scene.environ)
    try:
        asked = jobs_of(scene.config.targets.values(), kinds)
        return [(job.target.name, job.kind) for job in due(scene.config, asked, database, scene.now)]
    finally:
        database.close()


def test_what_could_not_be_seen_for_want_of_a_network_goes_with_the_next_health(scene: Scene, web: WebServer) -> None:
    for path in PATHS:
        web.on(path, [web_server.CLOSE])
    assert {one.finding.status for one in scene.run(kinds=ALL).results} == {"unknown"}
    health = [("blog", "health"), ("shop", "health")]
    assert is_due(scene, "health") == [*health, ("shop", "routes"), ("shop", "cors")]
    assert is_due(scene, "cors") == [("shop", "cors")], "another kind takes nothing along"
    for path in PATHS:
        web.on(path, answer(200))
    scene.run(kinds=ALL)
    assert is_due(scene, "health") == [], "it was seen a moment ago"
    scene.run(kinds=())
    assert is_due(scene, "health") == health


def test_what_is_unknown_for_another_reason_waits_for_its_own_timer(scene: Scene, web: WebServer) -> None:
    for path in PATHS:
        web.on(path, answer(200))
    scene.run(kinds=ALL)
    scene.run(kinds=())
    assert is_due(scene, "health") == [("blog", "health"), ("shop", "health")]


def test_what_the_config_names_no_more_is_not_missed(scene: Scene, web: WebServer) -> None:
    for path in PATHS:
        web.on(path, [web_server.CLOSE])
    scene.run(kinds=ALL)
    scene.configure(scene.toml.replace('"/login"', '"/"'))
    for path in PATHS:
        web.on(path, answer(200))
    scene.run(kinds=ALL)
    assert is_due(scene, *ALL) == []
