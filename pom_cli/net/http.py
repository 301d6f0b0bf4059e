"""One URL asked within one deadline, along its redirects. One exchange of it is `exchange`'s."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace

from pom_cli.net.body import MAX_BODY
from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Answer, Connection, exchange, open_connection
from pom_cli.net.redirects import Policy, Trail, becomes_get, follow, place

_FOLLOW = Policy()


def fetch(
    url: str,
    headers: Mapping[str, str],
    deadline: Deadline,
    *,
    verify: bool = True,
    ca_file: str | None = None,
    identity: tuple[str, str] | None = None,
    at: tuple[str, int] | None = None,
    method: str = "GET",
    content: str = "",
    max_body: int = MAX_BODY,
    policy: Policy = _FOLLOW,
    admit: Callable[[Connection], None] = lambda connection: None,
) -> Answer:
    """One request, then those of its redirects. Raises NoAnswer, and ValueError for an invalid URL.

    `at` is where to connect to for the URL's own origin, instead of what its name resolves to; `content` is the body.
    `admit` sees each connection before anything is sent over it, and raises NoAnswer where nothing shall be. The
    answer's times are those of the last hop, but `total_ms` is of everything.
    """
    trail, total_ms, own = Trail(url, headers, policy), 0.0, place(url)[0]
    while True:
        origin, path = place(trail.url)
        there = at if origin == own else None
        opened = open_connection(origin, deadline, verify=verify, ca_file=ca_file, identity=identity, at=there)
        with closing(opened) as connection:
            admit(connection)
            answer = exchange(
                connection,
                method,
                path,
                trail.request_headers(),
                deadline,
                content=content,
                max_body=max_body,
                bodiless=policy.followed,
            )
        total_ms += answer.dns_ms + answer.connect_ms + (answer.tls_ms or 0.0) + answer.total_ms
        answer = replace(answer, url=trail.url, total_ms=total_ms, downgraded=trail.downgraded)
        onward = follow(trail, answer)
        if not isinstance(onward, Trail):
            return replace(answer, unfollowed=onward)
        trail = onward
        if becomes_get(method, answer.status):
            method, content = "GET", ""
