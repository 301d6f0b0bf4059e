"""A few paths of one origin, asked one after another over one connection, with their bodies kept."""

from collections.abc import Generator, Sequence

from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Answer, Connection, Origin, exchange, open_connection
from pom_cli.net.faults import NoAnswer
from pom_cli.net.lanes import is_quiet

_PATIENCE = 2.0  # seconds for one path
_FAULTS = 2  # paths without an answer, until the site is left in peace
_BODY = 1 << 18
_ENOUGH = 429  # Too Many Requests


def tour(
    origin: Origin, paths: Sequence[str], verify: bool, deadline: Deadline
) -> Generator[tuple[str, Answer], None, None]:
    """Each path with its answer, as it comes; redirects are not followed. It ends early where the site has enough."""
    kept: list[Connection] = []
    faults = 0
    try:
        for path in paths:
            try:
                answer = _ask(
                    kept, origin, path, verify, min(deadline, Deadline.after(_PATIENCE), key=lambda d: d.ends)
                )
            except (NoAnswer, TimeoutError):
                faults += 1
                if faults == _FAULTS or deadline.ends <= Deadline.after(0).ends:
                    return
                continue
            if answer.status == _ENOUGH:
                return
            yield path, answer
    finally:
        for connection in kept:
            connection.close()


def _ask(kept: list[Connection], origin: Origin, path: str, verify: bool, deadline: Deadline) -> Answer:
    """One answer; the connection stays in `kept` where it can take another request. Raises NoAnswer, TimeoutError."""
    connection = kept.pop() if kept else None
    if connection and not is_quiet(connection):
        connection.close()
        connection = None
    connection = connection or open_connection(origin, deadline, verify=verify)
    reusable = False
    try:
        answer = exchange(connection, "GET", path, {}, deadline, keep=True, max_body=_BODY)
        reusable = answer.reusable
    finally:
        if reusable:
            kept.append(connection)
        else:
            connection.close()
    return answer
