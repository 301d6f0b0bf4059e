"""Where a chain of redirects leads and what is sent on: one rule for every check that follows them. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import field, replace
from urllib.parse import SplitResult, quote, urljoin

from pom_cli.frozen import dataclass
from pom_cli.idn import to_ascii
from pom_cli.net import cookies
from pom_cli.net.cookies import Cookie
from pom_cli.net.exchange import DEFAULT_PORTS, PLAIN, Answer, Origin, header, host_field
from pom_cli.text import clean
from pom_cli.toml.table import split_url

DOWNGRADED = "redirected from https to http"
MOST = 5
REDIRECTS = (301, 302, 303, 307, 308)
ELSEWHERE = "redirect to another host"
TOO_MANY = f"more than {MOST} redirects"
# Everything else that is configured may be a secret, or means the one host (as Host does).
_FOR_ANYONE = ("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "user-agent")

Step = Callable[[Origin, Origin], str | None]


def within_host(before: Origin, after: Origin) -> str | None:
    """What forbids the step: another host."""
    return None if _bare(before.host) == _bare(after.host) else f"{ELSEWHERE}, {clean(after.host, 80)}"


def keep_https(before: Origin, after: Origin) -> str | None:
    """What forbids the step: the loss of TLS."""
    return DOWNGRADED if (before.scheme, after.scheme) == ("https", "http") else None


@dataclass(frozen=True)
class Policy:
    """Which redirects are followed. `obstacle` says what forbids a step from one origin to another, None: nothing."""

    final: Collection[int] = ()  # statuses that are the answer even where they redirect
    obstacle: Step = within_host

    @property
    def followed(self) -> frozenset[int]:
        return frozenset(REDIRECTS) - frozenset(self.final)


@dataclass(frozen=True)
class Trail:
    """Where a chain has come to, and what may be sent there."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    jar: tuple[Cookie, ...] = ()
    hops: int = 0
    downgraded: bool = False  # somewhere on the way https became http

    def request_headers(self) -> Mapping[str, str]:
        """The configured headers that may go there, and the cookies that were set on the way."""
        origin, path = place(self.url)
        text = cookies.field(self.jar, origin.scheme, origin.host, path)
        if not text:
            return self.headers
        name = next((name for name in self.headers if name.lower() == "cookie"), "Cookie")
        return {**self.headers, name: "; ".join(filter(None, (self.headers.get(name), text)))}


def follow(trail: Trail, answer: Answer) -> Trail | str | None:
    """The trail one step on, why it may not be gone, or None where the answer is no redirect (RFC 9110, 15.4)."""
    if answer.status not in trail.policy.followed:
        return None
    location = header(answer.headers, "location")
    if not location:
        return "redirect without a Location"
    before, path = place(trail.url)
    try:
        # What a header carries beyond ASCII is UTF-8 where it is anything; it is read as Latin-1.
        after, onward = place(urljoin(trail.url, location.encode("latin-1").decode("utf-8", "replace")))
    except ValueError:
        return "redirect to an unreadable address"
    obstacle = trail.policy.obstacle(before, after)
    if obstacle or trail.hops == MOST:
        return obstacle or TOO_MANY
    set_there = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    return replace(
        trail,
        url=f"{after.scheme}://{host_field(after)}{onward}",
        headers=trail.headers if after == before else _for_anyone(trail.headers),
        jar=cookies.collect(trail.jar, set_there, before.scheme, before.host, path),
        hops=trail.hops + 1,
        downgraded=trail.downgraded or keep_https(before, after) is not None,
    )


def becomes_get(method: str, status: int) -> bool:
    """Whether the request is repeated as a GET without its body, as browsers and curl do (RFC 9110, 15.4)."""
    return (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST")


def _for_anyone(headers: Mapping[str, str]) -> dict[str, str]:
    """Secrets stay with their origin, as curl and browsers keep them: scheme, host and port."""
    return {name: value for name, value in headers.items() if name.lower() in _FOR_ANYONE}


def _bare(host: str) -> str:
    return host.rstrip(".").lower()


def place(url: str) -> tuple[Origin, str]:
    """Where a URL leads: its origin, and the path and query of the request. Raises ValueError."""
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
