"""The OpenAPI document: whole, and true of what the paths answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from api_server import TOKEN, database, load, see

from pom_cli.model import UNREACHABLE
from pom_cli.web.application import Application, Request
from pom_cli.web.openapi import document
from pom_cli.web.reader import Source
from pom_cli.web.routes import ROUTES

DOCUMENT = document(ROUTES)
SCHEMAS = DOCUMENT["components"]["schemas"]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    loaded = load(tmp_path_factory.mktemp("api"))
    see(loaded, "shop", ago="3700s")
    see(loaded, "blog", UNREACHABLE, ms=None)
    return Application(loaded, "the-id", Source(database(loaded), print), print)


def ask(application: Application, uri: str, token: str | None = TOKEN) -> tuple[int, Any]:
    answer = application.answer(Request("GET", uri, "192.0.2.7", f"Bearer {token}" if token else ""))
    return answer.status, json.loads(answer.body) if answer.kind == "application/json" else answer.body.decode()


def wrong(value: Any, schema: dict[str, Any], at: str = "$") -> Iterator[str]:
    """What in the value is not as the schema says: of JSON Schema what this document uses, and no more."""
    known = {"$ref", "anyOf", "enum", "const", "type", "format", "items", "required", "properties",
             "additionalProperties", "minimum", "maximum", "default", "description"}  # fmt: skip
    assert set(schema) <= known
    if "$ref" in schema:
        yield from wrong(value, SCHEMAS[schema["$ref"].rpartition("/")[2]], at)
    if "anyOf" in schema and all(list(wrong(value, one, at)) for one in schema["anyOf"]):
        yield f"{at}: {value!r} is none of {schema['anyOf']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is not one of {schema['enum']}"
    kinds: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict,
                             "array": list, "null": type(None)}  # fmt: skip
    if "type" in schema and (not isinstance(value, kinds[schema["type"]]) or
                             (isinstance(value, bool) and schema["type"] != "boolean")):  # fmt: skip
        yield f"{at}: {value!r} is no {schema['type']}"
        return
    if schema.get("format") == "date-time":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value), f"{at}: {value}"
        datetime.fromisoformat(value)
    for number, item in enumerate(value if isinstance(value, list) else ()):
        yield from wrong(item, schema.get("items", {}), f"{at}[{number}]")
    if isinstance(value, dict):
        yield from (f"{at}: without {name}" for name in schema.get("required", ()) if name not in value)
        for name, item in value.items():
            more = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            yield from wrong(item, more, f"{at}.{name}")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_what_a_path_answers_is_as_the_document_says(application: Application, route: Any) -> None:
    status, value = ask(application, route.path.replace("{target}", "blog"))
    described = DOCUMENT["paths"][route.path]["get"]["responses"][str(status)]["content"]
    assert [list(wrong(value, content["schema"])) for content in described.values()] == [[]] * len(described)
    kinds = {kind.partition(";")[0] for kind in described}
    assert kinds == ({"text/plain", "application/openmetrics-text"} if isinstance(value, str) else {"application/json"})


def test_an_incident_and_an_alert_are_as_it_says_too(application: Application) -> None:
    _, found = ask(application, "/api/status")
    assert found["alerts"]
    assert any(target["incident"] for target in found["targets"])
    assert list(wrong(found, SCHEMAS["Status"])) == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_a_refusal_is_one_of_those_that_it_names(application: Application, route: Any) -> None:
    named = DOCUMENT["paths"][route.path]["get"]["responses"]
    path = route.path.replace("{target}", "nobody")
    for uri, token in (
        (path, None),
        (path, TOKEN),
        (f"{path}?since=x&limit=x&kind=x".replace("nobody", "shop"), TOKEN),
    ):
        status, value = ask(application, uri, token)
        assert str(status) in named
        if status not in (200, 503):
            assert list(wrong(value, SCHEMAS["Error"])) == []


def test_every_path_is_there_for_both_methods() -> None:
    assert {path: set(item) - {"parameters"} for path, item in DOCUMENT["paths"].items()} == {
        route.path: {"get", "head"} for route in ROUTES
    }


def test_only_health_is_open() -> None:
    assert DOCUMENT["security"] == [{"token": []}]
    assert [path for path, item in DOCUMENT["paths"].items() if "security" in item["get"]] == ["/api/health"]


def test_every_reference_leads_somewhere() -> None:
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert referred <= set(SCHEMAS)


def test_it_is_served_as_it_is(application: Application, tmp_path: Path) -> None:
    assert ask(application, "/api/openapi.json") == (200, json.loads(json.dumps(DOCUMENT)))
    assert ask(application, "/api/openapi.json", None)[0] == 401
