import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pom_cli.net.pool import CREW, Overdue, each
from pom_cli.outside import Unreadable, from_json

LONG = 20.0  # seconds: a budget that the test must never wait for


def run(jobs: list[Any], work: Any, budget: float = LONG) -> dict[Any, Any]:
    return dict(each(jobs, work, lambda job: budget))


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What jobs that hang wait for, so that no thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_every_job_comes_back_once_with_its_result(count: int) -> None:
    results = list(each(range(count), lambda job: job * 2, lambda job: LONG))
    assert sorted(results) == [(job, job * 2) for job in range(count)]


def test_equal_jobs_come_back_as_often_as_they_were_given() -> None:
    assert list(each(["a", "a"], str.upper, lambda job: LONG)) == [("a", "A"), ("a", "A")]


def test_an_exception_is_its_jobs_result_and_stops_no_other() -> None:
    def work(job: int) -> float:
        return 1 / job

    results = run([1, 0, 2], work)
    assert (results[1], results[2]) == (1.0, 0.5)
    assert isinstance(results[0], ZeroDivisionError)


def test_a_job_that_hangs_is_overdue_and_the_others_are_done(release: threading.Event) -> None:
    def work(job: int) -> int:
        if job == 3:
            release.wait()
        return job

    results = dict(each(range(20), work, lambda job: -0.7))
    assert results.pop(3) == Overdue(pytest.approx(0.3))
    assert results == {job: job for job in range(20) if job != 3}


def test_jobs_behind_hanging_ones_still_get_a_thread(release: threading.Event) -> None:
    def work(job: int) -> int:
        if job < CREW:
            release.wait()
        return job

    results = dict(each(range(CREW + 20), work, lambda job: 0.5 if job < CREW else LONG))
    assert Counter(type(result) for result in results.values()) == {Overdue: CREW, int: 20}


def test_each_job_has_its_own_budget(release: threading.Event) -> None:
    def work(job: float) -> None:
        release.wait()

    results = list(each([-0.5, -0.8], work, lambda job: job))
    assert [job for job, _ in results] == [-0.8, -0.5]


def test_a_late_result_is_dropped(release: threading.Event) -> None:
    def work(job: str) -> str:
        time.sleep(0.4 if job == "late" else 0)
        return job

    results = list(each(["late", "early"], work, lambda job: -0.8))
    time.sleep(0.4)
    assert sorted((job, type(result)) for job, result in results) == [("early", str), ("late", Overdue)]


def test_slow_jobs_run_together() -> None:
    together, most, lock = 0, 0, threading.Lock()

    def work(job: int) -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.3)
        with lock:
            together -= 1

    run(list(range(120)), work)
    assert most > CREW // 2


def test_whoever_stops_listening_stops_the_work() -> None:
    done = []

    def work(job: int) -> None:
        time.sleep(0.01)
        done.append(job)

    for _ in each(range(10_000), work, lambda job: LONG):
        break
    time.sleep(0.05)
    count = len(done)
    time.sleep(0.1)
    assert len(done) == count < 10_000


def test_jobs_are_told_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    results = run([1, 2], str)
    assert {str(result) for result in results.values()} == {"can't start new thread"}


def test_fewer_threads_do_where_no_more_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    real, started = threading.Thread.start, []

    def start(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real(thread)

    def work(job: int) -> int:
        time.sleep(0.02)
        return job

    monkeypatch.setattr(threading.Thread, "start", start)
    assert run(list(range(10)), work) == {job: job for job in range(10)}


def test_deep_data_does_not_overrun_the_small_stack_of_a_thread() -> None:
    def work(depth: int) -> str:
        try:
            from_json('{"a":' * depth + "1" + "}" * depth)
        except Unreadable:
            return "too deep"
        return "read"

    assert run([100, 100_000], work) == {100: "read", 100_000: "too deep"}


def test_the_interpreter_ends_although_a_job_hangs(tmp_path: Path) -> None:
    script = tmp_path / "hang.py"
    script.write_text(
        "import sys, threading\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from pom_cli.net.pool import each\n"
        "for job, result in each([1], lambda job: threading.Event().wait(), lambda job: -0.9):\n"
        "    print(job, type(result).__name__)\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1 Overdue\n", "")
