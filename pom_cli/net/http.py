"""One URL asked within one deadline, redirects within its host followed. One exchange of it is `exchange`'s."""

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import replace
from urllib.parse import SplitResult, quote, urljoin

from pom_cli.idn import to_ascii
from pom_cli.net.body import MAX_BODY
from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import DEFAULT_PORTS, PLAIN, Answer, Origin, exchange, host_field, open_connection
from pom_cli.text import clean
from pom_cli.toml.table import split_url

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
ELSEWHERE = "redirect to another host"


def fetch(
    url: str,
    headers: Mapping[str, str],
    deadline: Deadline,
    *,
    verify: bool = True,
    ca_file: str | None = None,
    method: str = "GET",
    max_body: int = MAX_BODY,
    final: Collection[int] = (),
) -> Answer:
    """One request, redirects within the same host followed. Raises NoAnswer, and ValueError for a URL that is none.

    `final` are statuses that are the answer even where they redirect. The configured headers may be secrets: they go
    along only to the origin that they were meant for. The answer's times are those of the last hop, but `total_ms` is
    of everything.
    """
    total_ms = 0.0
    for hop in range(MAX_REDIRECTS + 1):
        origin, path = place(url)
        stop = frozenset(REDIRECTS) - frozenset(final)
        with closing(open_connection(origin, deadline, verify=verify, ca_file=ca_file)) as connection:
            answer = exchange(connection, method, path, headers, deadline, max_body=max_body, bodiless=stop)
        total_ms += answer.dns_ms + answer.connect_ms + (answer.tls_ms or 0.0) + answer.total_ms
        answer = replace(answer, url=url, total_ms=total_ms)
        if answer.status not in stop:
            return answer
        onward, obstacle = redirect(answer)
        if obstacle or hop == MAX_REDIRECTS:
            return replace(answer, unfollowed=obstacle or f"more than {MAX_REDIRECTS} redirects")
        if not _keeps_headers(origin, place(onward)[0]):
            headers = {}
        url = onward
    raise AssertionError("the last hop returns")


def place(url: str) -> tuple[Origin, str]:
    """Where a URL leads: its origin, and the path and query as they stand in the request. Raises ValueError."""
    parts = split_url(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(url)
    host = to_ascii(parts.hostname)
    if not PLAIN.fullmatch(host):
        raise ValueError(url)
    return Origin(parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme]), _request_path(parts)


def _request_path(parts: SplitResult) -> str:
    path = parts.path or "/"
    text = f"{path}?{parts.query}" if parts.query else path
    return text if PLAIN.fullmatch(text) else quote(text, safe="/?%:@!$&'()*+,;=~[]|^`{}\"<>\\#")


def redirect(answer: Answer) -> tuple[str, str | None]:
    """Where a redirecting answer leads, and what forbids to follow it there (None: nothing)."""
    location = header(answer.headers, "location")
    if not location:
        return "", "redirect without a Location"
    try:
        # What a header carries beyond ASCII is UTF-8 where it is anything; the parser read it as Latin-1.
        text = location.encode("latin-1").decode("utf-8", "replace")
        origin, path = place(urljoin(answer.url, text))
    except ValueError:
        return "", "redirect to an unreadable address"
    if _bare(origin.host) != _bare(place(answer.url)[0].host):
        return "", f"{ELSEWHERE}, {clean(origin.host, 80)}"
    return f"{origin.scheme}://{host_field(origin)}{path}", None


def _bare(host: str) -> str:
    return host.rstrip(".").lower()


def _keeps_headers(before: Origin, after: Origin) -> bool:
    """Secrets stay with their origin; the plain upgrade to https of the same host counts as the same."""
    upgraded = Origin("https", before.host, 443) if (before.scheme, before.port) == ("http", 80) else before
    return after in (before, upgraded)


def header(headers: list[tuple[str, str]], name: str) -> str | None:
    """The first value of a header, by its name in lower case. Blanks around it are none of it, which the parser keeps
    (RFC 9110, section 5.5)."""
    return next((value.strip(" \t") for key, value in headers if key.lower() == name), None)
