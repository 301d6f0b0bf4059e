"""Many jobs at once in a fixed crew of daemon threads: a job that never ends holds up neither the run nor the exit."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from pom_cli.frozen import dataclass

CREW = 64  # threads at once; more of them only stretch the latencies that they measure
GRACE_S = 1.0  # on top of a job's own budget
_TICK_S = 0.1  # how long a job that is over its time may go unnoticed

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Overdue:
    """A job that did not end within this many seconds and was left behind."""

    seconds: float


@dataclass
class _Crew(Generic[Job, Result]):
    """What the threads share. Each operation on it is atomic, so it needs no lock."""

    work: Callable[[Job], Result]
    pending: deque[tuple[int, Job]]
    running: dict[int, float] = field(default_factory=dict)  # job number → when it began
    done: SimpleQueue[tuple[int, Result | Exception]] = field(default_factory=SimpleQueue)


def each(
    jobs: Sequence[Job], work: Callable[[Job], Result], budget: Callable[[Job], float]
) -> Iterator[tuple[Job, Result | Overdue | Exception]]:
    """Every job with its result, as they end. An exception of `work` is that job's result.

    `budget` is a job's time in seconds. A thread whose job is over its time is left behind and replaced.
    """
    crew = _Crew(work, deque(enumerate(jobs)))
    limits = [budget(job) + GRACE_S for job in jobs]
    left, threads = len(jobs), _start(crew, min(CREW, len(jobs)), 0)
    try:
        while left:
            ended = _ended(crew, limits)
            late = sum(isinstance(result, Overdue) for _, result in ended)
            threads = _start(crew, min(late, len(crew.pending)), threads - late)
            for number, result in ended:
                left -= 1
                yield jobs[number], result
    finally:
        crew.pending.clear()  # a caller that stops early leaves no thread with more to do


def _ended(crew: _Crew[Any, Result], limits: Sequence[float]) -> list[tuple[int, Result | Overdue | Exception]]:
    """The next result, or the jobs that are over their time by now."""
    try:
        return [crew.done.get(timeout=_TICK_S)]
    except Empty:
        now = time.monotonic()
        late = [number for number, begun in crew.running.copy().items() if now - begun > limits[number]]
        return [(number, Overdue(limits[number])) for number in late if crew.running.pop(number, None) is not None]


def _start(crew: _Crew[Any, Any], count: int, threads: int) -> int:
    """Start `count` threads beside the `threads` running ones; returns how many run now."""
    try:
        for _ in range(count):
            threading.Thread(target=_labour, args=(crew,), daemon=True).start()
            threads += 1
    except RuntimeError as error:  # this machine has no more: go on with those that there are
        while crew.pending and not threads:
            crew.done.put((crew.pending.popleft()[0], error))
    return threads


def _labour(crew: _Crew[Any, Any]) -> None:
    """One thread: job after job until none is left, or until one has been given up meanwhile."""
    while True:
        try:
            number, job = crew.pending.popleft()
        except IndexError:
            return
        crew.running[number] = time.monotonic()
        result = _result(crew.work, job)
        if crew.running.pop(number, None) is None:
            return
        crew.done.put((number, result))


def _result(work: Callable[[Job], Result], job: Job) -> Result | Exception:
    try:
        return work(job)
    except Exception as error:  # noqa: BLE001 - a bug in one job must not stop the others; the caller tells it
        return error
