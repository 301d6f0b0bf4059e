"""What the tables of the checks over HTTP have in common: which URL is asked, and with which headers."""

from typing import Any
from urllib.parse import urlsplit

from pom_cli.checks import Site
from pom_cli.exchange import DEFAULT_PORTS, is_header
from pom_cli.table import Table, http_url, idna


def url(table: Table, site: Site) -> str:
    """`url`, or `path` on the target's own origin, or the target's url."""
    if "path" not in table.data:
        return table.url("url", site.url)
    found = table.read("path", site.url, lambda value: on_site(value, site), 'a path like "/api/health"')
    if "url" in table.data:
        table.known.add("url")
        table.problem("url", "possible beside path; give one of them")
    return found


def on_site(path: Any, site: Site) -> str:
    """The URL of a path at the target's own origin. Raises ValueError where it is none."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError(path)
    parts = urlsplit(site.url)
    return http_url(f"{parts.scheme}://{parts.netloc}{path}")


def is_at(url: str, site: Site) -> bool:
    """Does this URL lead to the site's own host and port?"""
    parts = urlsplit(url)
    return (idna(parts.hostname or ""), parts.port or DEFAULT_PORTS[parts.scheme]) == (site.host, site.port)


def headers(table: Table) -> dict[str, str]:
    """`headers`, a table of what goes along with each request."""
    return table.read("headers", {}, _headers, 'a table of HTTP headers like { Accept = "text/html" }')


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) and is_header(k, v) for k, v in value.items()):
        raise ValueError
    return dict(value)
