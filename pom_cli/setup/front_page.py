"""What an answer tells of its site: the paths that it links to, and whether a delivery network sent it. Pure."""

import html
import re
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit

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
