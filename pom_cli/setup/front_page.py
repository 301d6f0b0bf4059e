"""What answers say about their site: sections, a health path, a delivery network in front of it. Pure."""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from pom_cli.net.exchange import Answer, header
from pom_cli.outside import Unreadable, from_json

_FIRST = ("/", "/login", "/docs")
_LAST = ("/robots.txt", "/sitemap.xml", "/favicon.ico")
_LINKS = 6  # of the page, at most
_READ, _LOOKED_AT = 1 << 18, 500  # bytes of a page, and links in them
_HREF = re.compile(rb"""\bhref\s{0,4}=\s{0,4}(?:"([^"]{1,300})"|'([^']{1,300})'|([^\s"'>]{1,300}))""", re.IGNORECASE)
# One plain word: a section of the site, which stays. Articles, files and campaigns come and go.
_SECTION = re.compile(r"/(?!.*\d{4})[A-Za-z][A-Za-z0-9_-]{0,30}/?")
_NEVER = re.compile(r"log-?out|sign-?out|delete|remove|unsubscribe|cart|feed|search|cdn-cgi|wp-", re.IGNORECASE)

# What the networks that stand before a site add to its answers. They move it among their addresses as they like.
_NETWORKS = (
    *("cf-ray", "x-amz-cf-id", "x-vercel-id", "x-nf-request-id", "fly-request-id", "x-azure-ref", "x-served-by"),
    *("x-github-request-id", "x-sucuri-id", "cdn-requestid", "x-akamai-transformed", "x-fastly-request-id"),
)
_SERVERS = (
    "cloudflare",
    "cloudfront",
    "akamai",
    "gws",
    "esf",
    "vercel",
    "netlify",
    "ecs ",
    "ecacc",
    "bunnycdn",
    "fly/",
)

CANDIDATES = ("/api/health", "/health", "/healthz", "/api/healthz", "/status", "/up", "/ping")
_STATUS_FIELDS = ("status", "state", "health")
_WELL = ("ok", "operational", "healthy", "up", "pass")
_TRUE_FIELDS = ("ok", "healthy")
_PAGE = 2048  # bytes: what is longer and no JSON is a page for people, about health perhaps


def routes_to_try(body: bytes, url: str, own: str) -> tuple[str, ...]:
    """Paths that are worth a look: the site's `own`, the usual ones, and sections that the page at `url` links to."""
    found: dict[str, str] = {}
    for path in (own or "/", *_FIRST, *links(body, url), *_LAST):
        found.setdefault(path.rstrip("/"), path)
    return tuple(found.values())


def links(body: bytes, url: str) -> tuple[str, ...]:
    """The first sections of the page's own origin that it links to, in its order."""
    found: dict[str, str] = {}
    for number, match in enumerate(_HREF.finditer(body[:_READ])):
        if number == _LOOKED_AT or len(found) == _LINKS:
            break
        path = _section((match[1] or match[2] or match[3]).decode("utf-8", "replace"), url)
        if path:
            found.setdefault(path.rstrip("/"), path)
    return tuple(found.values())


def _section(href: str, url: str) -> str:
    try:
        parts, own = urlsplit(urljoin(url, html.unescape(href).strip())), urlsplit(url)
    except ValueError:
        return ""
    here = (parts.scheme, parts.netloc.lower()) == (own.scheme, own.netloc.lower())
    fits = here and not parts.query and _SECTION.fullmatch(parts.path) and not _NEVER.search(parts.path)
    return parts.path if fits else ""


def delivered_by_network(headers: Iterable[tuple[str, str]]) -> bool:
    """Does a content delivery network or the like stand between us and the site?"""
    for name, value in headers:
        known = name.lower()
        if known in _NETWORKS or (known == "server" and value.strip().lower().startswith(_SERVERS)):
            return True
    return False


def chosen(answers: Sequence[tuple[str, Answer]], decoy: Answer | None) -> str:
    """The path that tells the site's health best, "" for none. `decoy` is the answer to a path that cannot exist.

    Without it nothing is certain: a site may answer the same to everything.
    """
    if decoy is None:
        return ""
    usable = [(_rank(answer), number, path) for number, (path, answer) in enumerate(answers) if _own(answer, decoy)]
    rank, _, path = min(usable, default=(9, 0, ""))
    return path if rank < 9 else ""


def _own(answer: Answer, decoy: Answer) -> bool:
    """Is this a good answer, and one that this path alone gives?"""
    if not _good(answer):
        return False
    return not _good(decoy) or (answer.body != decoy.body and _type(answer) != _type(decoy))


def _good(answer: Answer) -> bool:
    return 200 <= answer.status < 300 and answer.complete


def _type(answer: Answer) -> str:
    return (header(answer.headers, "content-type") or "").partition(";")[0].strip().lower()


def _rank(answer: Answer) -> int:
    if well_said(answer.body):
        return 0
    if _json(answer.body):
        return 1
    return 2 if len(answer.body) <= _PAGE else 9


def well_said(body: bytes) -> dict[str, Any]:
    """The field at the top of a JSON body that says plainly that all is well, with its value; {} for none."""
    found = _json(body)
    for name in _STATUS_FIELDS:
        value = found.get(name)
        if isinstance(value, str) and value.lower() in _WELL:
            return {name: value}
    return next(({name: True} for name in _TRUE_FIELDS if found.get(name) is True), {})


def _json(body: bytes) -> dict[str, Any]:
    """The JSON object that the body is; {} for anything else."""
    try:
        found = from_json(body)
    except Unreadable:
        return {}
    return found if isinstance(found, dict) else {}
