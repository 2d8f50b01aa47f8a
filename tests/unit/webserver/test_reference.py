"""The API reference, from a small OpenAPI document."""

from __future__ import annotations

from typing import Any

from dagwright_webserver import reference
from dagwright_webserver.reference import Kind

DOCUMENT: dict[str, Any] = {
    "info": {"title": "t", "version": "1", "description": "About."},
    "paths": {
        "/api/v1/ships/{name}/sail": {
            "post": {
                "tags": ["ships"],
                "operationId": "sail",
                "summary": "Sail",
                "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Voyage"}}}},
                "responses": {"default": {"description": "Fault."}, "204": {"description": "Done."}},
            }
        },
        "/api/v1/ships": {
            "get": {
                "tags": ["ships"],
                "operationId": "list_ships",
                "summary": "List ships",
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5}},
                    {"name": "flag", "in": "query", "schema": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}},
                ],
                "responses": {
                    "200": {"description": "As asked.", "content": {"application/json": {"schema": {"type": "array", "items": {}}}}}
                },
            }
        },
        "/api/v1/runs": {"get": {"tags": ["runs"], "operationId": "list_runs", "responses": {}}},
    },
    "components": {
        "schemas": {
            "Voyage": {
                "type": "object",
                "required": ["to", "speed"],
                "properties": {
                    "to": {"$ref": "#/components/schemas/Port"},
                    "speed": {"type": "number", "description": "In knots."},
                    "via": {"type": "array", "items": {"$ref": "#/components/schemas/Port"}},
                    "captain": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
            },
            "Port": {"enum": ["OSLO", "BERGEN"], "type": "string"},
        }
    },
}


def test_nouns_in_the_order_of_the_dashboard_and_lists_first() -> None:
    view = reference.read(DOCUMENT)
    assert [noun.name for noun in view.nouns] == ["runs", "ships"]
    assert [operation.id for operation in view.nouns[1].operations] == ["list_ships", "sail"]


def test_parameters_tell_defaults_and_limits() -> None:
    limit, flag = reference.read(DOCUMENT).nouns[1].operations[0].parameters
    assert limit.notes == ("5 unless given", "at least 1", "at most 9")
    assert flag.kind == Kind("string")
    assert flag.notes == ("at most 3 characters",)


def test_a_body_by_its_fields_and_an_example() -> None:
    sail = reference.read(DOCUMENT).nouns[1].operations[1]
    assert sail.body == Kind("Voyage", "Voyage")
    assert [(field.name, field.kind.text, field.required) for field in sail.fields] == [
        ("to", "Port", True),
        ("speed", "number", True),
        ("via", "list of Port", False),
        ("captain", "string or null", False),
    ]
    assert sail.curl == 'POST /api/v1/ships/{name}/sail {"to": "OSLO", "speed": 0}'
    assert [(answer.status, answer.media) for answer in sail.answers] == [("204", ""), ("other", "")]


def test_enumerations_list_their_values() -> None:
    port = reference.read(DOCUMENT).schemas[1]
    assert (port.name, port.values) == ("Port", ("OSLO", "BERGEN"))
