"""The OpenAPI document: what other people's programs are written against."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dagwright_shared.runtime import settings
from dagwright_webserver.main import create_app

pytestmark = pytest.mark.contract
SNAPSHOT = Path(__file__).with_name("openapi.json")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    # Nothing connects before the first request.
    app = create_app(settings.load(database_url="postgresql://nobody@127.0.0.1:1/none"))
    made: dict[str, Any] = json.loads(json.dumps(app.openapi()))
    made["info"]["version"] = "0"
    return made


def test_it_is_as_recorded(document: dict[str, Any]) -> None:
    """After a change that is meant: `DAGWRIGHT_RECORD=1 pytest tests/contract/test_openapi.py`."""
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    if os.environ.get("DAGWRIGHT_RECORD"):
        SNAPSHOT.write_text(text)
    assert json.loads(SNAPSHOT.read_text()) == document


def test_every_operation_is_documented(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    ids = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            ids.append(operation["operationId"])
            assert operation["summary"], where
            assert operation["description"], where
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")) and path != "/readyz":
                    assert "application/problem+json" in answer["content"], f"{where} {status}"
    assert len(ids) == len(set(ids))


def test_every_field_is_documented(document: dict[str, Any]) -> None:
    shared = {"ErrorInfo", "Frame"}  # of the model, whose fields speak for themselves
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            if name not in shared:
                assert described.get("description") or "$ref" in described, f"{name}.{field}"


def test_generators_of_clients_can_read_it(document: dict[str, Any]) -> None:
    """Of an optional body that may be null they send one; a const counts as the only form of a union; a body of no schema is none."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                assert kind != "*/*", f"{method} {path}"
                assert {"type": "null"} not in content["schema"].get("anyOf", []), f"{method} {path}"
    assert '"const":' not in json.dumps(document)
