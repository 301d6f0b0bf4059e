"""Many jobs at once in threads that can be left behind: a job that never ends holds up neither the run nor the exit."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

MOST = 256  # threads at once
GRACE_S = 1.0  # on top of a job's own budget
_TICK_S = 0.01
_MORE = 8  # threads in one tick: as many connections as can be opened in it without waiting for one another
_BUSY = 0.7  # of one processor: more threads would only stretch the latencies that they measure
_STACK = 1 << 20  # bytes; only what is touched is taken

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

    It begins with one thread and adds more while jobs wait and the processor idles, so that fast jobs run cheaply and
    slow ones together. `budget` is a job's time in seconds.
    """
    crew = _Crew(work, deque(enumerate(jobs)))
    limits = [budget(job) + GRACE_S for job in jobs]
    left = len(jobs)
    idle = _Idle()
    try:
        while left:
            ended: list[tuple[int, Any]] = [crew.done.popleft() for _ in range(len(crew.done))]
            ended += [(number, Overdue(limits[number])) for number in _abandon(crew, limits)]
            for number, result in ended:
                yield jobs[number], result
            left -= len(ended)
            if crew.pending and (crew.workers == 0 or idle.now()):
                _hire(crew)
            if not ended:
                crew.news.wait(_TICK_S if crew.pending else _next_limit(crew, limits))
                crew.news.clear()
    finally:
        crew.pending.clear()  # whoever gave up early leaves no thread with more to do


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


def _hire(crew: _Crew[Any, Any]) -> None:
    """As many threads again, within bounds and no more than there are jobs for."""
    with crew.lock:
        count = min(max(1, crew.workers), _MORE, MOST - crew.workers, len(crew.pending))
        crew.workers += count
    before = threading.stack_size(_STACK)
    try:
        for started in range(count):
            try:
                threading.Thread(target=_labour, args=(crew,), daemon=True).start()
            except RuntimeError as error:  # no more threads here: go on with those that there are
                with crew.lock:
                    crew.workers -= count - started
                if not crew.workers:
                    _refuse(crew, error)
                return
    finally:
        threading.stack_size(before)


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


class _Idle:
    """Whether this process left its processor idle since it was last asked."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def now(self) -> bool:
        wall, cpu = time.monotonic(), time.process_time()
        if wall - self._wall < _TICK_S / 2:
            return False
        idle = cpu - self._cpu < _BUSY * (wall - self._wall)
        self._wall, self._cpu = wall, cpu
        return idle
