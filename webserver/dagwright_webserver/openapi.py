"""The OpenAPI document: FastAPI's, with the schemas of the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from dagwright_webserver import access
from dagwright_webserver.reads.view import adapter
from dagwright_webserver.schemas import DOCUMENTED


def document(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """A replacement of `app.openapi`. The document is made once, when it is first asked for."""
    plain = app.openapi

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = plain()
            schemas = found["components"]["schemas"]
            for name, schema in answers().items():
                if schemas.setdefault(name, schema) != schema:
                    raise RuntimeError(f"two different types are called {name} in the document; rename one of them")
            # FastAPI's own form of validation errors, which are problem documents here.
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for schema in schemas.values():
                if "enum" in schema:
                    schema["enum"] = list(dict.fromkeys(schema["enum"]))  # a second name of a member is not a second value
            found["components"]["schemas"] = dict(sorted(schemas.items()))
            for path in found["paths"].values():
                for operation in path.values():
                    _plain_body(operation)
            _tell_of_access(app, found)
        return app.openapi_schema or {}

    return made


def _plain_body(operation: dict[str, Any]) -> None:
    """A body that may be left out is that, and not one that may be null: generators of clients send a null, or fail."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    forms = content.get("schema", {}).get("anyOf", [])
    if {"type": "null"} in forms:
        (content["schema"],) = (form for form in forms if form != {"type": "null"})


def _tell_of_access(app: FastAPI, document: dict[str, Any]) -> None:
    """Each operation with the role that it takes, from the one place that checks it."""
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token, `dgw_...`."},
        "session": {"type": "apiKey", "in": "cookie", "name": "dagwright_session", "description": "Of a browser that has logged in."},
    }
    for route in access.all_routes(app.routes):
        needs = access.needs_of(route)
        path = document["paths"].get(getattr(route, "path_format", ""), {})
        for method in getattr(route, "methods", None) or ():
            operation = path.get(method.lower())
            if operation is not None and needs is not None:
                operation["x-required-role"] = str(needs[0])
                operation["security"] = [] if needs[0] == access.PUBLIC else [{"token": []}, {"session": []}]


def answers() -> dict[str, Any]:
    """The JSON Schemas of all documented answers and their parts, by name."""
    wanted: Any = [(name, "serialization", adapter(kind)) for name, kind in DOCUMENTED.items()]
    _, found = TypeAdapter.json_schemas(wanted, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = found["$defs"]
    return schemas
