"""Filters of a page under a name: of each user their own."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import people
from tests.integration.webserver.conftest import Running, problems

pytestmark = pytest.mark.integration


def test_keep_change_and_forget(api: httpx.Client) -> None:
    assert api.put("/views/runs/what%20failed", json={"query": "?status=FAILURE&cursor=abc&tag=team%3Dops"}).status_code == 204
    assert api.put("/views/runs/mine", json={"query": "job=ping"}).status_code == 204
    assert api.put("/views/runs/mine", json={"query": "job=pong"}).status_code == 204
    found = api.get("/views", params={"page": "runs"}).json()["items"]
    assert [(each["name"], each["url"]) for each in found] == [
        ("mine", "/runs?job=pong"),
        ("what failed", "/runs?status=FAILURE&tag=team%3Dops"),
    ]
    assert api.get("/views", params={"page": "assets"}).json()["items"] == []
    assert api.delete("/views/runs/mine").status_code == 204
    answer = api.delete("/views/runs/mien")
    assert answer.status_code == 404
    assert len(api.get("/views").json()["items"]) == 1


def test_bad_requests(api: httpx.Client) -> None:
    problems(api.put("/views/moon/mine", json={"query": ""}))
    problems(api.put("/views/runs/mine", json={"query": "x" * 5000}))
    problems(api.put("/views/runs/" + "x" * 300, json={"query": ""}))
    assert api.put("/views/runs/odd", json={"query": "javascript:alert(1)//&<b>=%22onclick"}).status_code == 204
    assert api.get("/views").json()["items"][0]["url"] == "/runs?%3Cb%3E=%22onclick"
    for n in range(99):
        assert api.put(f"/views/runs/v{n}", json={"query": "job=ping"}).status_code == 204
    assert "100 views" in problems(api.put("/views/runs/one-more", json={"query": ""}))["name"]["message"]


def test_of_each_user_their_own(store: Engine, database_url: str) -> None:
    with (
        Running(database_url=database_url, auth="local") as running,
        httpx.Client(base_url=f"{running.url}/api/v1", timeout=60, trust_env=False) as api,
    ):
        staff = people.hire(store)
        assert api.put("/views/runs/mine", json={"query": "job=ping"}, headers=staff["viewer"]).status_code == 204
        assert [each["name"] for each in api.get("/views", headers=staff["viewer"]).json()["items"]] == ["mine"]
        assert api.get("/views", headers=staff["admin"]).json()["items"] == []
        assert api.delete("/views/runs/mine", headers=staff["admin"]).status_code == 404
        assert api.get("/views").status_code == 401
