"""Every operation with generated requests, good and bad, as everybody: no fault of ours, and nothing that the document does not say."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import content_type_conformance, response_headers_conformance, response_schema_conformance
from sqlalchemy import Engine
from tests.integration.webserver import people
from tests.integration.webserver.conftest import Running

from dagwright_shared.runtime import settings as runtime_settings
from dagwright_webserver import main

pytestmark = pytest.mark.integration

ENDLESS = {"stream_changes"}
ANYWHERE = {400, 401, 403, 413, 415}
"""What any request can meet, as each operation says under `default`."""
_LONGEST_ADDRESS = 60_000
EXAMPLES = int(os.environ.get("DAGWRIGHT_EXAMPLES", "1"))
"""Good and bad ones of each operation. More find more: run a hundred after a change of REST."""
KNOWN = {
    "key": ("raw/flights", "carriers", "stats"), "asset_key": ("raw/flights",), "job": ("etl", "ping", "day"),
    "location": ("flights", "twin"), "partition": ("2013-01-01",), "preset": ("mine",), "page": ("runs",),
}  # fmt: skip
NAMES = {
    "jobs": ("etl", "day"), "schedules": ("nightly",), "sensors": ("watch",), "hooks": ("watch",), "pools": ("db",),
    "locations": ("flights",), "assets": ("row_count",), "users": ("viewer",), "dynamic-partitions": ("files",),
}  # fmt: skip


def document() -> dict[str, Any]:
    app = main.create_app(runtime_settings.load(database_url="postgresql://nobody@127.0.0.1:1/none"))
    found: dict[str, Any] = json.loads(json.dumps(app.openapi()))
    return found


SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


class Asked:
    """A server, all who ask, and ids of things that there are."""

    def __init__(self, url: str, everybody: Sequence[dict[str, str]], ids: dict[str, str]) -> None:
        """
        Args:
            everybody: the headers by which each is known.
        """
        self.url, self.everybody, self.ids = url, everybody, ids
        self._session = requests.Session()

    def known(self, case: Any) -> dict[str, tuple[str, ...]]:
        noun = case.operation.path.removeprefix("/api/v1/").split("/")[0]
        return {**KNOWN, **{name: (value,) for name, value in self.ids.items()}, "name": NAMES.get(noun, ("nowhere",))}

    def try_out(self, case: Any, draw: Any) -> None:
        for place in (case.path_parameters, case.query, case.body):
            for name in place if isinstance(place, dict) else ():
                choices = self.known(case).get(name)
                if choices and draw(st.booleans()):
                    place[name] = draw(st.sampled_from(choices))
        for headers in self.everybody:
            self.send(case, headers)

    def send(self, case: Any, headers: dict[str, str]) -> None:
        response = case.call(base_url=self.url, headers=headers, session=self._session, timeout=60)
        if response.status_code == 400 and len(response.request.url) > _LONGEST_ADDRESS:
            return  # which the server refuses before it looks at it
        where = f"{case.method} {response.request.url} {response.request.body!r}: {response.status_code} {response.text[:500]}"
        documented = {int(status) for status in case.operation.definition.raw["responses"] if status.isdigit()}
        assert response.status_code in documented | ANYWHERE, where
        assert response.status_code < 500 or response.status_code in {502, 503, 504}, where
        if response.status_code >= 400 and case.operation.path != "/readyz":
            assert response.headers["content-type"][0] == "application/problem+json", where
        if response.status_code in {201, 202}:
            assert response.headers.get("location"), where
        case.validate_response(response, checks=[content_type_conformance, response_schema_conformance, response_headers_conformance])


def try_all(asked: Asked, examples: int) -> None:
    wrong = []
    for operation in OPERATIONS:
        if operation.definition.raw["operationId"] in ENDLESS:
            continue
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
            @settings(
                max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            def one(case: Any, data: Any) -> None:
                asked.try_out(case, data.draw)

            try:
                one()
            except Exception as error:  # noqa: BLE001 - all of them are told together
                if "Unsatisfiable" not in type(error).__name__:  # nothing about it can be wrong
                    wrong.append(f"{operation.label} ({mode.value}): {error}")
    assert wrong == [], "\n\n".join(wrong)


def seeded(url: str, headers: dict[str, str]) -> dict[str, str]:
    """Something of each kind that has an id."""
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers, trust_env=False, timeout=60) as api:
        run = api.post("/runs", json={"job": "ping", "location": "flights"}).json()["run_id"]
        backfill = api.post("/backfills", json={"job": "day", "partitions": ["2013-01-01"]}).json()["backfill_id"]
        api.put("/pools/db", json={"slots": 3})
    return {"run_id": run, "backfill_id": backfill}


def test_without_log_in(server: Running) -> None:
    try_all(Asked(server.url, [{}], seeded(server.url, {})), EXAMPLES)


def test_as_everybody(store: Engine, database_url: str) -> None:
    """The same requests by nobody, by each role, and by each role at one location alone."""
    with Running(database_url=database_url, auth="local") as server:
        headers = people.hire(store)
        try_all(Asked(server.url, list(headers.values()), seeded(server.url, headers["admin"])), max(1, EXAMPLES // 2))
