"""Search: definitions by name, runs by id."""

from __future__ import annotations

import httpx
import pytest
from tests.integration.webserver.conftest import Running, problems

pytestmark = pytest.mark.integration


def hits(api: httpx.Client, words: str) -> list[tuple[str, str]]:
    answer = api.get("/search", params={"q": words})
    assert answer.status_code == 200, answer.text
    return [(each["kind"], each["name"]) for each in answer.json()["items"]]


def test_every_kind_is_found(api: httpx.Client) -> None:
    assert hits(api, "carriers")[0] == ("asset", "carriers")
    assert ("check", "stats:row_count") in hits(api, "row count")
    assert hits(api, "etl")[0] == ("job", "etl")
    assert ("schedule", "nightly") in hits(api, "night")
    assert ("sensor", "watch") in hits(api, "wtch")
    assert ("group", "raw") in hits(api, "raw")
    assert hits(api, "flights")[0] == ("location", "flights")
    assert [name for kind, name in hits(api, "ping") if kind == "job"] == ["ping", "ping"]  # of two locations
    assert hits(api, "nothing like it") == []
    assert hits(api, "  ") == []


def test_a_hit_leads_to_its_page(api: httpx.Client, server: Running) -> None:
    for words in ("carriers", "row_count", "etl", "nightly", "watch", "raw", "flights", "ping"):
        for hit in api.get("/search", params={"q": words}).json()["items"]:
            page = httpx.get(server.url + hit["url"], headers={"Accept": "text/html"}, trust_env=False, timeout=60)
            assert (page.status_code, hit["name"].rsplit(":")[-1] in page.text) == (200, True), hit


def test_runs_by_any_form_of_their_id(api: httpx.Client) -> None:
    made = [api.post("/runs", json={"job": "ping", "location": "flights"}).json()["run_id"] for _ in range(3)]
    for run_id in made:
        for words in (run_id, run_id[-8:], run_id[-8:].upper(), run_id[-8:-2]):
            assert ("run", run_id) in hits(api, words), words
    assert all(("run", run_id) in hits(api, run_id[:13]) for run_id in made)
    assert not [name for kind, name in hits(api, "00000000-0000-7000-8000-000000000000") if kind == "run"]


def test_odd_words(api: httpx.Client) -> None:
    for words in ("%", "_", "\\", "'; --", "ffffffff-", "ß" * 200, "((("):
        assert hits(api, words) is not None
    assert "q" in problems(api.get("/search", params={"q": "x" * 201}))
    assert "limit" in problems(api.get("/search", params={"q": "x", "limit": 0}))


def test_the_page_needs_no_script(api: httpx.Client, server: Running) -> None:
    page = httpx.get(f"{server.url}/search", params={"q": "carr"}, headers={"Accept": "text/html"}, trust_env=False, timeout=60)
    assert '<a class="main" href="/assets/carriers">carriers</a>' in page.text
