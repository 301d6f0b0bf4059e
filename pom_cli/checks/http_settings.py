"""What the tables of the checks over HTTP have in common: which URL is asked, and how."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from pom_cli.checks import Site
from pom_cli.net.client import Client
from pom_cli.text import clean
from pom_cli.toml.address import http_url
from pom_cli.toml.table import Table


def url(table: Table, site: Site) -> str:
    """`url`, or `path` on the target's own origin, or the target's url."""
    table.known |= {"path", "url"}  # whichever is read: a slip in either is told by its right name
    if "path" not in table.data:
        return table.url("url", site.url)
    found = table.read("path", site.url, lambda value: on_site(value, site), 'a path like "/api/health"')
    if "url" in table.data:
        table.problem("url", "possible beside path; give one of them")
    return found


def on_site(path: Any, site: Site) -> str:
    """The URL of a path at the target's own origin. Raises ValueError where it is none."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError(path)
    parts = urlsplit(site.url)
    return http_url(f"{parts.scheme}://{parts.netloc}{path}")


def client(table: Table, site: Site, headers: Mapping[str, str] | None = None) -> Client:
    """How a check asks, from the check's table."""
    return Client(
        timeout_s=table.duration("timeout", timedelta(seconds=10), "10s", low="100ms", high="5m").total_seconds(),
        attempts=table.integer("attempts", 2, 1, 10),
        headers=headers or {},
        verify=site.verify,
        ca_file=site.ca_file,
    )


def headers(table: Table) -> dict[str, str]:
    """The requests' own headers. A mistake is told without the value, which may be a secret."""
    given: Any = table.read("headers", {}, lambda value: value, "")
    if not isinstance(given, dict):
        table.problems.append(f'{table.at("headers")}: not a table of HTTP headers like {{ Accept = "text/html" }}')
        return {}
    if given:
        from pom_cli.net.exchange import is_header
    for name, value in given.items():
        if not isinstance(value, str) or not is_header(name, value):
            table.problems.append(f'{table.at("headers")}.{clean(name, 40)}: not a header like Accept = "text/html"')
    return given
