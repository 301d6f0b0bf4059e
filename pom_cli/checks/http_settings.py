"""What the tables of the checks over HTTP have in common: which URL is asked, and how."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from pom_cli.checks import Site
from pom_cli.checks.expect import Expected
from pom_cli.net.client import Client
from pom_cli.text import clean
from pom_cli.toml import secrets
from pom_cli.toml.address import host_port, http_url
from pom_cli.toml.files import identity
from pom_cli.toml.table import Table

METHODS = ("GET", "HEAD", "POST")


def url(table: Table, site: Site) -> str:
    """`url`, or `path` on the target's own origin, or the target's url."""
    table.known |= {"path", "url"}  # whichever is read: a typo in either is reported with the right name
    if "path" not in table.data:
        return table.url("url", site.url)
    found = table.read("path", site.url, lambda value: on_site(value, site), 'a path like "/api/health"')
    if "url" in table.data:
        table.problem("url", "possible beside path; give one of them")
    return found


def on_site(path: Any, site: Site) -> str:
    """The URL of a path at the target's own origin. Raises ValueError if it is not a path."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError(path)
    parts = urlsplit(site.url)
    return http_url(f"{parts.scheme}://{parts.netloc}{path}")


def client(table: Table, site: Site) -> Client:
    """How a check asks, from the check's table: what every check over HTTP has."""
    return Client(
        timeout_s=table.duration("timeout", timedelta(seconds=10), "10s", low="100ms", high="5m").total_seconds(),
        attempts=table.integer("attempts", 2, 1, 10),
        pause_s=table.duration("pause", timedelta(seconds=2), "2s", low="0s", high="5m").total_seconds(),
        verify=site.verify,
        ca_file=site.ca_file,
    )


def requesting(table: Table, site: Site) -> Client:
    """The same with a request of the config's own: its method, body and headers, and where it goes."""
    method = table.choice("method", "GET", METHODS)
    if "body" in table.data and method != "POST":
        table.problem("body", 'possible without method = "POST"')
    given = headers(table)
    named = {name: secrets.reference(value) for name, value in given.items()}
    values = {
        name: _value(name, site.secrets.get(variable)) if variable else given[name] for name, variable in named.items()
    }
    return replace(
        client(table, site),
        method=method,
        body=table.text("body"),
        headers={name: value for name, value in values.items() if value or not named[name]},
        connect_to=table.read("connect_to", None, host_port, 'an address like "192.0.2.10:443"'),
        identity=identity(table),
        # The last word too, which is the token of "Bearer token" however the blank is written.
        secrets=tuple(one for name in named if named[name] for one in (values[name], values[name].rpartition(" ")[2])),
        unset=next((variable for name, variable in named.items() if variable and not values[name]), ""),
    )


def _value(name: str, value: str) -> str:
    """A header's value from the environment; "" for one that would break out of its line, as if it were not set."""
    from pom_cli.net.exchange import is_header

    return value if is_header(name, value) else ""


def readable(table: Table, client: Client, expected: Expected) -> Expected:
    """What is expected, where the answer to this request can contain it: that to HEAD has no body."""
    if client.method == "HEAD" and (expected.of_body or expected.absent):
        table.problem("method", "possible where something is expected of the body, which the answer to HEAD lacks")
    return expected


def headers(table: Table) -> dict[str, str]:
    """The requests' own headers. An error omits the value, which may be a secret."""
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
