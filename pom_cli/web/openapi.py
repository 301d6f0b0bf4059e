"""This API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), from the routes that answer it."""

from collections.abc import Iterable
from typing import Any

from pom_cli import __version__
from pom_cli.checks import KINDS
from pom_cli.report.history import MOST, SINCE_RULE, USUAL
from pom_cli.web import metrics, schemas
from pom_cli.web.answers import JSON
from pom_cli.web.content import Route

_SINCE = {"/api/incidents": "30d"}  # where nothing is said; "24h" elsewhere
# That a day is in its month is left to the answer.
_PATTERN = (
    r"^(([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+ -][0-9]{2}:[0-9]{2}))$"
)
_PARAMETERS = {
    "kind": {"enum": list(KINDS)},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
}
_REFUSALS = {
    "400": "A value of the query is wrong.",
    "401": "It needs a right token.",
    "404": "The config names no such target.",
    "405": "Only GET and HEAD are spoken here.",
    "429": "This client has had its share; Retry-After says when again.",
    "503": "The database cannot be read.",
}
_HEADERS = {
    "401": {"WWW-Authenticate": {"schema": {"const": "Bearer"}}},
    "405": {"Allow": {"schema": {"const": "GET, HEAD"}}},
    "429": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document of these routes."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PoM",
            "version": __version__,
            "description": "Read-only. Every answer carries Cache-Control: no-store and X-Content-Type-Options:"
            " nosniff. If-None-Match gives 304 where nothing but the time has changed.",
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas.SCHEMAS,
        },
        "security": [{"token": []}],
        "paths": {route.path: _path(route) for route in routes},
    }


def _path(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {"get": _operation(route, body=True), "head": _operation(route, body=False)}
    if "{target}" in route.path:
        found["parameters"] = [{"name": "target", "in": "path", "required": True, "schema": {"type": "string"}}]
    return found


def _operation(route: Route, body: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": route.summary,
        "responses": {**_answers(route, body), **{code: _refusal(code, body) for code in _codes(route)}},
    }
    if route.parameters:
        found["parameters"] = [_parameter(route, name) for name in route.parameters]
    if route.public:
        found["security"] = [{}, {"token": []}]
    return found


def _parameter(route: Route, name: str) -> dict[str, Any]:
    usual = _SINCE.get(route.path, "24h")
    since = {"type": "string", "pattern": _PATTERN, "description": SINCE_RULE, "default": usual}
    return {"name": name, "in": "query", "allowEmptyValue": True, "schema": _PARAMETERS.get(name, since)}


def _answers(route: Route, body: bool) -> dict[str, Any]:
    text = route.path == "/metrics"
    schema = {"type": "string"} if text else {"$ref": f"#/components/schemas/{schemas.OF_PATH[route.path]}"}
    kinds = (metrics.PLAIN, metrics.OPENMETRICS) if text else (JSON,)
    found = {"200": _response("The answer.", {kind: {"schema": schema} for kind in kinds} if body else {})}
    found["304"] = _response("Nothing but the time has changed.", {})
    if route.public:
        told = "The same, where own checks are overdue or the database cannot be read."
        found["503"] = _response(told, {JSON: {"schema": schema}} if body else {})
    return found


def _codes(route: Route) -> list[str]:
    """The refusals that this route knows."""
    closed = not route.public
    applies = {"400": bool(route.parameters), "401": closed, "404": "{" in route.path, "503": closed}
    return [code for code in _REFUSALS if applies.get(code, True)]


def _refusal(code: str, body: bool) -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}} if body else {}
    return {**_response(_REFUSALS[code], content), "headers": _HEADERS.get(code, {})}


def _response(told: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": told, **({"content": content} if content else {})}
