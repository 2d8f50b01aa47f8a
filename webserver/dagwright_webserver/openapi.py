"""The OpenAPI document, where it must say more than FastAPI knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from dagwright_webserver.errors import MEDIA_TYPE
from dagwright_webserver.schemas import PROBLEMS, ProblemDocument

_PROBLEM = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
# Any request can meet these, whatever its route says of itself.
_EVERYWHERE = {
    "422": PROBLEMS[422]["description"],
    "default": "Any other failure: 403 for a foreign web page, 413 for too large a body, 415 for another media type, 500 for a fault.",
}


def document(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """A replacement of `app.openapi`: every failure is a problem document. Made once, when it is first asked for."""
    plain = app.openapi

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = plain()
            for operations in found["paths"].values():
                for operation in operations.values():
                    _state_failures(operation["responses"])
            for unused in ("HTTPValidationError", "ValidationError"):
                found["components"]["schemas"].pop(unused, None)
            app.openapi_schema = found
        return app.openapi_schema

    return made


def _state_failures(responses: dict[str, Any]) -> None:
    for status, text in _EVERYWHERE.items():
        responses.setdefault(status, {"description": text})
        responses[status]["description"] = responses[status].get("description") or text
    for status, answer in responses.items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema", _PROBLEM)
        if status == "default" or (
            status[0] in "45" and schema.get("$ref") in (_PROBLEM["$ref"], "#/components/schemas/HTTPValidationError")
        ):
            answer["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
            if status == "422":
                answer["description"] = _EVERYWHERE["422"]
