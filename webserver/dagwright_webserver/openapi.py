"""The OpenAPI document: FastAPI's, with the schemas of the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from dagwright_webserver.schemas import DOCUMENTED


def document(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """A replacement of `app.openapi`. The document is made once, when it is first asked for."""
    plain = app.openapi

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = plain()
            schemas = found["components"]["schemas"]
            schemas.update(answers())
            # FastAPI's own form of validation errors, which are problem documents here.
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            found["components"]["schemas"] = dict(sorted(schemas.items()))
        return app.openapi_schema or {}

    return made


def answers() -> dict[str, Any]:
    """The JSON Schemas of all documented answers and their parts, by name."""
    wanted: Any = [(name, "serialization", TypeAdapter(kind)) for name, kind in DOCUMENTED.items()]
    _, found = TypeAdapter.json_schemas(wanted, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = found["$defs"]
    return schemas
