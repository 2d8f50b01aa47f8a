"""What people get wrong in requests: each is refused with a problem document that says what and where, and nothing is half-written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack, start

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("bad-input")]
PIPELINE = Path(__file__).parent / "location" / "pipeline.py"
RUNS = "/api/v1/runs"
CLIENT = httpx.Client(timeout=60)  # one for all: making one costs more than a request
NO_RUN = "0199a5c2-7b1e-7cc3-9f5e-0c8f4a1d2b3e"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with start(tmp_path_factory.mktemp("bad-input") / "home", "-f", str(PIPELINE)) as running:
        running.finished(running.launch(job="one_op"))
        yield running
    CLIENT.close()


@pytest.fixture(autouse=True)
def unchanged(stack: Stack) -> Iterator[None]:
    """Whatever a test sends, the runs are what they were, and no schedule runs."""
    before = written(stack)
    yield
    assert written(stack) == before


def written(stack: Stack) -> Any:
    (schedule,) = CLIENT.get(stack.url + "/api/v1/schedules").json()["items"]
    return CLIENT.get(stack.url + RUNS).json(), schedule["running"]


def refused(stack: Stack, method: str, path: str, status: int, kind: str, **request: Any) -> dict[str, Any]:
    """Send a bad request; returns the problem document that it is answered with."""
    response = CLIENT.request(method, stack.url + path, **request)
    assert response.status_code == status, response.text[:2000]
    assert response.headers["content-type"].partition(";")[0] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"urn:dagwright:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert isinstance(problem["problems"], list)
    assert "Traceback" not in response.text
    return dict(problem)


def launch(stack: Stack, **body: Any) -> list[dict[str, Any]]:
    """The problems of a run that cannot be launched."""
    return list(refused(stack, "POST", RUNS, 422, "invalid-request", json=body)["problems"])


class TestNames:
    @pytest.mark.parametrize(
        ("body", "path", "suggestion"),
        [
            ({"job": "one_opp"}, "job", "one_op"),
            ({"assets": ["plan"]}, "assets[0]", "plain"),
            ({"assets": ["plain", "dayly"]}, "assets[1]", "daily"),
            ({"job": "one_op", "location": "pipelin"}, "location", "pipeline"),
        ],
    )
    def test_unknown(self, stack: Stack, body: dict[str, Any], path: str, suggestion: str) -> None:
        (problem,) = launch(stack, **body)
        assert (problem["path"], problem["suggestion"]) == (path, suggestion)
        assert problem["value"] is not None
        assert suggestion in problem["message"]

    @pytest.mark.parametrize(
        "body",
        [{}, {"assets": []}, {"job": ""}, {"assets": [""]}, {"job": "one_op", "assets": ["plain"]}, {"job": "one_op", "steps": ["two"]}],
    )
    def test_nothing_that_can_be_run(self, stack: Stack, body: dict[str, Any]) -> None:
        assert launch(stack, **body)

    @pytest.mark.parametrize(
        ("path", "suggestion"),
        [("/api/v1/jobs/one_opp", "one_op"), ("/api/v1/assets/plan", "plain"), ("/api/v1/locations/pipelin", "pipeline")],
    )
    def test_what_does_not_exist_is_not_found(self, stack: Stack, path: str, suggestion: str) -> None:
        problem = refused(stack, "GET", path, 404, "not-found")
        assert problem["suggestion"] == suggestion
        assert repr(suggestion) in problem["detail"]

    @pytest.mark.parametrize(
        "path", ["/api/v1/schedules/every_minut/start", "/api/v1/locations/pipelin/reload", "/api/v1/assets/plan/materialize"]
    )
    def test_nor_can_it_be_told_anything(self, stack: Stack, path: str) -> None:
        assert refused(stack, "POST", path, 404, "not-found", json={})["suggestion"]

    def test_assets_with_and_without_partitions_at_once(self, stack: Stack) -> None:
        (problem,) = launch(stack, assets=["daily", "plain"])
        assert problem["path"] == "partition"


class TestConfig:
    PLACE = "config.ops.configured.config"

    def problems(self, stack: Stack, config: Any) -> dict[str, dict[str, Any]]:
        return {problem["path"]: problem for problem in launch(stack, job="configured_job", config=config)}

    def test_each_thing_wrong_is_told_at_once(self, stack: Stack) -> None:
        found = self.problems(stack, {"ops": {"configured": {"config": {"limit": "many", "labell": "x"}}}})
        limit, label = found[f"{self.PLACE}.limit"], found[f"{self.PLACE}.labell"]
        assert (limit["value"], limit["expected"]) == ("many", "a whole number")
        assert (label["value"], label["suggestion"]) == ("x", "label")

    def test_missing(self, stack: Stack) -> None:
        (path,) = self.problems(stack, {"ops": {"configured": {"config": {"limit": 3}}}})
        assert path in (self.PLACE, f"{self.PLACE}.label")

    def test_unknown_op_and_section(self, stack: Stack) -> None:
        found = self.problems(stack, {"ops": {"configurd": {"config": {"label": "x"}}}, "resource": {}})
        assert found["config.ops.configurd"]["suggestion"] == "configured"
        assert found["config.resource"]["suggestion"] == "resources"

    @pytest.mark.parametrize("config", [[], "x", 3])
    def test_not_an_object(self, stack: Stack, config: Any) -> None:
        assert "config" in self.problems(stack, config)

    def test_none_where_some_is_required(self, stack: Stack) -> None:
        assert launch(stack, job="configured_job")


class TestPartition:
    @pytest.mark.parametrize("partition", ["2024-13-01", "2024-01-1", "2025-01-01", "2023-12-31", "2024-02-01", "x", "", "2024-01-05|x"])
    def test_not_one_of_the_definition(self, stack: Stack, partition: str) -> None:
        (problem,) = launch(stack, assets=["daily"], partition=partition)
        assert (problem["path"], problem["value"]) == ("partition", partition)
        assert problem["expected"] or problem["suggestion"]

    def test_missing(self, stack: Stack) -> None:
        (problem,) = launch(stack, assets=["daily"])
        assert problem["path"] == "partition"

    @pytest.mark.parametrize("body", [{"job": "one_op"}, {"assets": ["plain"]}])
    def test_for_what_has_none(self, stack: Stack, body: dict[str, Any]) -> None:
        (problem,) = launch(stack, partition="2024-01-01", **body)
        assert problem["path"] == "partition"


class TestLists:
    @pytest.mark.parametrize("path", [RUNS, "/api/v1/assets", "/api/v1/jobs", "/api/v1/assets/plain/materializations"])
    @pytest.mark.parametrize("cursor", ["rubbish", "e30=", "%00", "ä" * 300])
    def test_bad_cursor(self, stack: Stack, path: str, cursor: str) -> None:
        problem = refused(stack, "GET", path, 422, "invalid-request", params={"cursor": cursor})
        assert [item["path"] for item in problem["problems"]] == ["cursor"]

    @pytest.mark.parametrize("limit", ["0", "-1", "1000000", "x", "1.5", ""])
    def test_limit_out_of_range(self, stack: Stack, limit: str) -> None:
        problem = refused(stack, "GET", RUNS, 422, "invalid-request", params={"limit": limit})
        assert [item["path"] for item in problem["problems"]] == ["limit"]

    def test_a_status_that_does_not_exist(self, stack: Stack) -> None:
        problem = refused(stack, "GET", RUNS, 422, "invalid-request", params={"status": "FAILED"})
        assert "FAILURE" in str(problem["problems"])


class TestBody:
    @pytest.mark.parametrize("content", [b"{", b"", b"nonsense", b'{"job": "one_op"', b"\xff\xfe", b'{"job": NaN}'])
    def test_not_json(self, stack: Stack, content: bytes) -> None:
        response = CLIENT.post(stack.url + RUNS, content=content, headers={"Content-Type": "application/json"})
        assert response.status_code in (400, 422), response.text
        assert response.headers["content-type"].startswith("application/problem+json")
        assert response.json()["detail"]

    @pytest.mark.parametrize("body", [[], "one_op", 3, None])
    def test_not_an_object(self, stack: Stack, body: Any) -> None:
        refused(stack, "POST", RUNS, 422, "invalid-request", json=body)

    def test_not_said_to_be_json(self, stack: Stack) -> None:
        problem = refused(stack, "POST", RUNS, 415, "media-type", content=b'{"job": "one_op"}', headers={"Content-Type": "text/plain"})
        assert "application/json" in problem["detail"]

    def test_unknown_field(self, stack: Stack) -> None:
        (problem,) = launch(stack, job="one_op", partitions="2024-01-01")
        assert (problem["path"], problem["suggestion"]) == ("partitions", "partition")

    @pytest.mark.parametrize(
        ("body", "path"), [({"job": 3}, "job"), ({"assets": "plain"}, "assets"), ({"job": "one_op", "tags": {"a": 1}}, "tags.a")]
    )
    def test_wrong_type(self, stack: Stack, body: dict[str, Any], path: str) -> None:
        (problem,) = launch(stack, **body)
        assert problem["path"] == path
        assert problem["expected"]

    def test_what_the_database_cannot_hold(self, stack: Stack) -> None:
        (problem,) = launch(stack, job="one_op", tags={"a": "nul \x00 in it"})
        assert problem["path"].startswith("tags")

    @pytest.mark.parametrize("chunked", [False, True])
    def test_too_large(self, stack: Stack, chunked: bool) -> None:
        body = b'{"job": "one_op", "tags": {"a": "' + b"x" * (32 << 20) + b'"}}'
        content = (body[start : start + (1 << 20)] for start in range(0, len(body), 1 << 20)) if chunked else body
        try:
            problem = refused(stack, "POST", RUNS, 413, "too-large", content=content, headers={"Content-Type": "application/json"})
        except httpx.WriteError:  # the server hung up on a sender who would not stop
            return
        assert "MiB" in problem["detail"]

    def test_nested_too_deeply(self, stack: Stack) -> None:
        content = b'{"job": "one_op", "config": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"
        response = CLIENT.post(stack.url + RUNS, content=content, headers={"Content-Type": "application/json"})
        assert response.status_code in (400, 422)
        assert response.headers["content-type"].startswith("application/problem+json")

    def test_idempotency_key_that_is_none(self, stack: Stack) -> None:
        refused(stack, "POST", RUNS, 422, "invalid-request", json={"job": "one_op"}, headers={"Idempotency-Key": "x" * 1000})


class TestPaths:
    def test_unknown(self, stack: Stack) -> None:
        assert "/api/v1/run" in refused(stack, "GET", "/api/v1/run", 404, "not-found")["detail"]

    @pytest.mark.parametrize(("method", "path"), [("DELETE", RUNS), ("PUT", RUNS), ("GET", f"{RUNS}/{NO_RUN}/cancel"), ("POST", "/readyz")])
    def test_wrong_method(self, stack: Stack, method: str, path: str) -> None:
        assert method in refused(stack, method, path, 405, "method-not-allowed")["detail"]

    @pytest.mark.parametrize("run_id", [NO_RUN, "x", "1", "a" * 300, "00000000-0000-0000-0000-00000000000g"])
    @pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/re-execute")])
    def test_a_run_that_does_not_exist(self, stack: Stack, run_id: str, method: str, rest: str) -> None:
        problem = refused(stack, method, f"{RUNS}/{run_id}{rest}", 404, "not-found", **({"json": {}} if method == "POST" else {}))
        assert "run" in problem["detail"]

    @pytest.mark.parametrize("page", ["/runs/x", f"/runs/{NO_RUN}", "/assets/no/such", "/jobs/nope", "/nowhere"])
    def test_pages_are_readable(self, stack: Stack, page: str) -> None:
        response = CLIENT.get(stack.url + page, headers={"Accept": "text/html"})
        assert response.status_code == 404
        assert response.headers["content-type"].startswith("text/html")
        assert "Traceback" not in response.text


def test_a_run_that_is_over_cannot_be_canceled_or_resumed(stack: Stack) -> None:
    (run, *_) = stack.get(RUNS)["items"]
    assert run["run_id"] in refused(stack, "POST", f"{RUNS}/{run['run_id']}/cancel", 409, "conflict")["detail"]
    refused(stack, "POST", f"{RUNS}/{run['run_id']}/re-execute", 409, "conflict", json={"strategy": "FROM_FAILURE"})
