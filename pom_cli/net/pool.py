"""Many jobs at once in threads that can be left behind: a job that never ends holds up neither the run nor the exit."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any, Generic, TypeVar

from pom_cli.frozen import dataclass

MOST = 256  # threads at once
GRACE_S = 1.0  # on top of a job's own budget
_STACKS = threading.Lock()  # the stack size is the whole process's: one pool at a time sets it
_STACK = 1 << 20  # bytes of a thread's stack; only what is touched is taken
# How the crew grows. More threads than help would only stretch the latencies that they measure.
_TICK_S = 0.01
_PATIENCE = 2  # ticks after which a growth shows what it was good for
_ALONE_S = 0.06  # at first one thread alone: its first job loads what the others would only wait for
_MANY, _FEW = 8, 2  # more threads in one tick, where the processor idles and where it does not
_BUSY = 0.7  # of one processor's time: it does not idle
_LATE_S = 0.002  # a tick that comes later than this had to wait for the processor, as the threads then do
_SLOW = 8  # ticks a job: such jobs only wait, and more of them do no harm
_GAIN = 1.25  # quicker jobs must end so much faster than before the last growth, or it did not help

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Overdue:
    """A job that did not end within this many seconds and was left behind."""

    seconds: float


@dataclass
class _Crew(Generic[Job, Result]):
    """What the threads share. `lock` guards `running` and `workers`; the deques are safe by themselves."""

    work: Callable[[Job], Result]
    pending: deque[tuple[int, Job]]
    done: deque[tuple[int, Result | Exception]] = field(default_factory=deque)
    running: dict[int, float] = field(default_factory=dict)  # job number → when it began
    workers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    news: threading.Event = field(default_factory=threading.Event)


def each(
    jobs: Sequence[Job], work: Callable[[Job], Result], budget: Callable[[Job], float]
) -> Iterator[tuple[Job, Result | Overdue | Exception]]:
    """Every job with its result, as they end. An exception of `work` is that job's result.

    It begins with one thread and adds more while that helps, so that fast jobs run cheaply and slow ones together.
    `budget` is a job's time in seconds.
    """
    crew = _Crew(work, deque(enumerate(jobs)))
    limits = [budget(job) + GRACE_S for job in jobs]
    left, pace = len(jobs), _Pace(time.monotonic() + _ALONE_S)
    _hire(crew, 1)
    try:
        while left:
            if crew.pending:
                _hire(crew, _appetite(crew, pace))
            elif not crew.done:
                crew.news.wait(_next_limit(crew, limits))
            crew.news.clear()
            for number, result in _ended(crew, limits):
                left -= 1
                yield jobs[number], result
    finally:
        crew.pending.clear()  # whoever gave up early leaves no thread with more to do


def _ended(crew: _Crew[Any, Result], limits: Sequence[float]) -> list[tuple[int, Result | Overdue | Exception]]:
    """What is new: the results, and the jobs that are over their time."""
    results: list[tuple[int, Result | Overdue | Exception]] = []
    results += [crew.done.popleft() for _ in range(len(crew.done))]
    return results + [(number, Overdue(limits[number])) for number in _abandon(crew, limits)]


def _abandon(crew: _Crew[Any, Any], limits: Sequence[float]) -> list[int]:
    """The jobs that are over their time. Their threads no longer count, and their late results are dropped."""
    now = time.monotonic()
    with crew.lock:
        late = [number for number, begun in crew.running.items() if now - begun > limits[number]]
        for number in late:
            del crew.running[number]
        crew.workers -= len(late)
    return late


def _next_limit(crew: _Crew[Any, Any], limits: Sequence[float]) -> float:
    """Seconds until the first running job is over its time."""
    now = time.monotonic()
    with crew.lock:
        ends = [begun + limits[number] - now for number, begun in crew.running.items()]
    return max(_TICK_S, min(ends, default=_TICK_S))


@dataclass
class _Pace:
    """What the crew's growth depends on, besides the crew."""

    alone_until: float
    before: float = 0.0  # jobs that ended in a tick before the last growth
    ended: list[int] = field(default_factory=list)  # those of each tick since


def _appetite(crew: _Crew[Any, Any], pace: _Pace) -> int:
    """How many more threads would help, as one tick, which is awaited here, and those before it show."""
    if not crew.workers:
        return _MANY  # all that there were hang, and are left behind
    idle = _tick()
    pace.ended.append(len(crew.done))
    if not any(pace.ended) and not pace.before and time.monotonic() < pace.alone_until:
        return 0
    rate = sum(pace.ended) / len(pace.ended)
    slow = rate < crew.workers / _SLOW
    if len(pace.ended) < _PATIENCE or not (slow or (idle and rate > _GAIN * pace.before)):
        return 0
    pace.before, pace.ended = rate, []
    return _MANY if idle else _FEW


def _tick() -> bool:
    """Wait for one tick. Did the processor idle meanwhile?"""
    start, worked = time.monotonic(), time.process_time()
    time.sleep(_TICK_S)
    took = time.monotonic() - start
    return took < _TICK_S + _LATE_S and time.process_time() - worked < _BUSY * took


def _hire(crew: _Crew[Any, Any], wanted: int) -> None:
    """At most so many threads more, but never more than as many again, nor more than there are jobs for."""
    with crew.lock:
        count = min(wanted, max(1, crew.workers), MOST - crew.workers, len(crew.pending))
        crew.workers += count
    if not count:
        return
    with _STACKS:
        before = threading.stack_size(_STACK)
        try:
            started, error = _start(crew, count)
        finally:
            threading.stack_size(before)
    if error:  # no more threads here: go on with those that there are
        with crew.lock:
            crew.workers -= count - started
        if not crew.workers:
            _refuse(crew, error)


def _start(crew: _Crew[Any, Any], count: int) -> tuple[int, RuntimeError | None]:
    """How many of so many threads could be started, and what kept the next one from it."""
    for started in range(count):
        try:
            threading.Thread(target=_labour, args=(crew,), daemon=True).start()
        except RuntimeError as error:
            return started, error
    return count, None


def _refuse(crew: _Crew[Any, Any], error: Exception) -> None:
    while crew.pending:
        crew.done.append((crew.pending.popleft()[0], error))


def _labour(crew: _Crew[Any, Any]) -> None:
    """One thread: job after job until none is left, or until one has been given up meanwhile."""
    while True:
        with crew.lock:
            if not crew.pending:
                crew.workers -= 1
                return
            number, job = crew.pending.popleft()
            crew.running[number] = time.monotonic()
        result = _result(crew.work, job)
        with crew.lock:
            if crew.running.pop(number, None) is None:
                return
        crew.done.append((number, result))
        if not crew.pending:
            crew.news.set()  # while more wait, the next tick is soon enough, and cheaper


def _result(work: Callable[[Job], Result], job: Job) -> Result | Exception:
    try:
        return work(job)
    except Exception as error:  # noqa: BLE001 - a bug in one job must not stop the others; the caller tells it
        return error
