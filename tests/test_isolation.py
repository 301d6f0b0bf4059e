"""A look in a process of its own sees what it sees in this one, whatever its kind; how that process ends is told."""

# ruff: noqa: F811

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from scene import Scene
from test_every_kind import EVERY, scene, web  # noqa: F401 - fixtures: a target with every kind set

from pom_cli import isolation
from pom_cli import jobs as looks
from pom_cli.jobs import Look
from pom_cli.store.progress import NOWHERE


def apart(scene: Scene, kinds: Sequence[str] = EVERY) -> list[Look]:
    jobs = looks.jobs_of(scene.config.targets.values(), kinds)
    return isolation.look(jobs, {job.key for job in jobs}, scene.now, NOWHERE)


def told(seen: list[Look], scene: Scene) -> dict[str, list[tuple[str, str, str]]]:
    return {
        one[0].kind: [(f.subject, f.status.value, f.summary) for f in looks.judge(one, {}, scene.now)] for one in seen
    }


def test_every_kind_is_seen_alike(scene: Scene) -> None:
    scene.configure(scene.toml.replace('timeout = "2s"', 'timeout = "40s"'))
    here = looks.look(looks.jobs_of(scene.config.targets.values(), EVERY))
    assert told(apart(scene), scene) == told(here, scene)


def ended(scene: Scene, kinds: Sequence[str] = EVERY) -> set[str]:
    """What is told of every subject: it is unknown, for one and the same reason."""
    found = told(apart(scene, kinds), scene)
    assert set(found) == set(kinds)
    assert {status for subjects in found.values() for _, status, _ in subjects} == {"unknown"}
    return {summary for subjects in found.values() for _, _, summary in subjects}


def python(folder: Path, program: str) -> str:
    """In the place of the interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("program", "summary"),
    [
        ("kill -SEGV $$", "the check crashed (signal 11)"),
        ("kill -KILL $$", "the check crashed (signal 9)"),
        ("exit 7", "the check crashed (exit 7)"),
    ],
)
def test_however_the_process_ends_it_is_unknown(
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    summary: str,
) -> None:
    monkeypatch.setattr(sys, "executable", python(tmp_path, program))
    assert ended(scene) == {summary}


def test_one_that_hangs_is_killed(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", python(tmp_path, "exec sleep 60"))
    monkeypatch.setattr(isolation, "START_S", 0.0)
    budget = scene.config.targets["shop"].checks["health"].settings.budget
    assert ended(scene, ["health"]) == {f"the check hung: its process was killed after {budget:.0f} s"}


def test_without_time_or_processes_it_is_unknown_too(
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert ended(scene) == {"no process could be started to check it: No such file or directory"}
    monkeypatch.setattr(isolation, "ALL_S", 0.0)
    assert ended(scene) == {"no time was left to check it in a separate process"}


def test_the_process_apart_knows_no_secret(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POM_API_TOKEN", "a-secret")
    monkeypatch.setattr(sys, "executable", python(tmp_path, f'echo "$POM_API_TOKEN" >{tmp_path}/told; exit 1'))
    ended(scene)
    assert (tmp_path / "told").read_text() == "\n"
