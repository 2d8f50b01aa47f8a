"""Every field of every operation with what attackers and accidents send: it is refused in words, never a fault, and breaks nothing."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.integration.webserver.conftest import Running
from tests.integration.webserver.test_schemathesis import ANYWHERE, ENDLESS, document

pytestmark = pytest.mark.integration
DOCUMENT = document()
SCHEMAS: Mapping[str, Any] = DOCUMENT["components"]["schemas"]

TEXTS = {
    "sql": "%_\\%'; DROP TABLE runs; -- UNION SELECT password_hash FROM users",
    "traversal": "../../../../etc/passwd",
    "markup": '"><script>evil()</script>{{7*7}}${7*7}#{7*7}',
    "control": "a\u0001\u001b[31m\r\nSet-Cookie: a=b",
    "letters": "\u202eabc\u2066\u200b\ufeffe\u0301\u1e9b\u0323" + "😀" * 40,
    "surrogate": "\udc80",
    "nul": "a\u0000b",
    "long": "a" * 70_000,
    "empty": "",
}
"""Of a field of text."""
OTHERS: dict[str, Any] = {
    "huge": 10**40, "negative": -(2**63) - 1, "float": 1e308, "null": None, "object": {"a": {"b": []}}, "list": [[[]]],
    "offset": "0001-01-01T00:00:00+23:59", "year 99999": "99999-01-01T00:00:00Z",
}  # fmt: skip
"""Of any field."""
EXAMPLES: dict[str, Any] = {
    "key": "raw/flights", "asset_key": "raw/flights", "run_id": "00000000-0000-7000-8000-000000000001", "tick_id": 1, "delivery_id": 1,
    "backfill_id": "00000000-0000-7000-8000-000000000001", "token_id": 1, "page": "runs", "job": "day", "partition": "2013-01-01",
    "partitions": ["2013-01-01"], "location": "flights", "passed": True, "slots": 1,
    "keys": ["a"], "cursor": "1", "config": {}, "action": "cancel",
}  # fmt: skip


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] not in ENDLESS:
                yield method.upper(), path, operation


def fields_of(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for option in (schema, *schema.get("anyOf", ())):
        if "$ref" in option:
            found: Mapping[str, Any] = SCHEMAS[option["$ref"].rpartition("/")[2]].get("properties", {})
            return found
    return {}


def requests_of(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[tuple[str, httpx.Request]]:
    """One field at a time is hostile, and the others fit."""
    parameters = [each for each in operation.get("parameters", ()) if each["in"] in {"path", "query"}]
    fields = fields_of(operation)
    values = {**TEXTS, **OTHERS}
    of_path = {each["name"] for each in parameters if each["in"] == "path"}
    for place in [*(each["name"] for each in parameters), *fields]:
        for label, value in values.items():
            if place in of_path and (value == "" or {"/", "\n"} & set(written(value).decode(errors="replace"))):
                continue  # another address
            address, query = path, []
            for each in parameters:
                name = each["name"]
                given = value if name == place else EXAMPLES.get(name, "nowhere")
                if each["in"] == "path":
                    address = address.replace(f"{{{name}}}", quote(written(given), safe=""))
                elif name == place or each.get("required"):
                    query.append(f"{quote(name)}={quote(written(given), safe='')}")
            body = {name: value if name == place else EXAMPLES[name] for name in fields if name == place or name in EXAMPLES}
            content = None if not fields else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"} if fields else {}
            address += "?" + "&".join(query) if query else ""
            if len(address) < 60_000:  # more is refused by the server before it looks at it
                yield f"{place} {label}", httpx.Request(method, f"http://server{address}", content=content, headers=headers)


def written(value: Any) -> bytes:
    """A value as a part of an address."""
    plain = value if isinstance(value, str) else json.dumps(value)
    return plain.encode(errors="surrogatepass")


def counted(store: Engine) -> Mapping[str, int]:
    """Rows of what no hostile request may touch."""
    # Reports in Dagster's form may be of assets that nothing defines.
    tables = ("assets WHERE defined", "users", "locations", "snapshots")
    with store.begin() as conn:
        return {table: conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables}


def test_every_field(server: Running, store: Engine) -> None:
    before, wrong, tried = counted(store), [], 0
    where = urlsplit(server.url)
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        for method, path, operation in operations():
            documented = {int(status) for status in operation["responses"] if status.isdigit()} | ANYWHERE
            for label, request in requests_of(method, path, operation):
                request.url = request.url.copy_with(scheme=where.scheme, host=where.hostname, port=where.port)
                answer = client.send(request)
                tried += 1
                told = f"{method} {path} with {label}: {answer.status_code} {answer.text[:300]}"
                if answer.status_code not in documented or answer.status_code in {500, 502}:
                    wrong.append(told)
                elif answer.status_code >= 400 and path != "/readyz" and answer.headers["content-type"] != "application/problem+json":
                    wrong.append(f"no problem document: {told}")
                elif "Traceback" in answer.text or "psycopg" in answer.text or "root:" in answer.text:
                    wrong.append(f"tells of its inside: {told}")
                elif "set-cookie" in answer.headers:
                    wrong.append(f"a header was brought in: {told}")
    assert wrong == [], f"{len(wrong)} of {tried}\n" + "\n".join(wrong[:40])
    assert counted(store) == before
    assert tried > 2000


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"job": "\xff\xfe"}', b"\x00", b'{"job": 1e999}', b'{"tags": {"a": NaN}}', b""]
)
def test_bodies_that_are_hardly_json(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/runs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("depth", [900, 5_000])
def test_config_of_any_depth(api: httpx.Client, depth: int) -> None:
    config = b'{"ops":' * depth + b"1" + b"}" * depth
    answer = api.post("/runs", content=b'{"job": "etl", "config": ' + config + b"}", headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text[:500]
    assert len(answer.content) < 200_000


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../../../etc/passwd", "/static/..%2f..%2f..%2fetc/passwd", "/static/%2e%2e/%2e%2e/pyproject.toml",
        "/static//etc/passwd", "/static/%c0%ae%c0%ae/main.py",
        "/static/..\\..\\etc\\passwd", "/static/css/../../main.py", "/static/%00", "/..;/admin", "//evil.example/%2e%2e",
    ],
)  # fmt: skip
def test_files_outside_are_not_served(server: Running, path: str) -> None:
    where = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=60)
    connection.putrequest("GET", path, skip_host=False)  # as it is: httpx would tidy it up
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status in {400, 404, 405, 307}, (answer.status, content[:200])
    assert b"root:" not in content
    assert b"import " not in content
