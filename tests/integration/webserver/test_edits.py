"""Changes that say which state they were decided on, and where to look after others."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import people
from tests.integration.webserver.conftest import Running, problems

from dagwright.client import Client, errors

pytestmark = pytest.mark.integration

EDITS = [
    ("/schedules/nightly", "POST", "/schedules/nightly/start", None, "POST", "/schedules/nightly/stop", None),
    ("/sensors/watch", "POST", "/sensors/watch/start", None, "POST", "/sensors/watch/stop", None),
    ("/sensors/watch", "PUT", "/sensors/watch/cursor", {"cursor": "1"}, "PUT", "/sensors/watch/cursor", {"cursor": "2"}),
    ("/pools/db", "PUT", "/pools/db", {"slots": 2}, "DELETE", "/pools/db", None),
    ("/limits", "PATCH", "/limits", {"max_concurrent_runs": 3}, "DELETE", "/limits", None),
]


@pytest.mark.parametrize(("seen", "method", "path", "body", "later", "later_path", "later_body"), EDITS)
def test_a_change_of_what_has_changed_is_refused(
    api: httpx.Client, seen: str, method: str, path: str, body: object, later: str, later_path: str, later_body: object
) -> None:
    if seen == "/pools/db":
        api.put("/pools/db", json={"slots": 7})
    found = api.get(seen)
    etag = found.headers["etag"]
    assert found.json()["etag"] == etag
    made = api.request(method, path, json=body, headers={"If-Match": f'"other", {etag}'})
    assert made.status_code == 200, made.text
    assert made.headers["etag"] == made.json()["etag"] != etag
    assert api.get(seen).headers["etag"] == made.headers["etag"]
    refused = api.request(later, later_path, json=later_body, headers={"If-Match": etag})
    problems(refused, 412)
    assert refused.json()["type"] == "urn:dagwright:problem:changed"
    assert refused.headers["etag"] == made.headers["etag"]
    assert api.get(seen).json()["etag"] == made.headers["etag"]
    assert api.request(later, later_path, json=later_body, headers={"If-Match": "*"}).is_success


def test_of_many_at_once_one_is_let_through(client: Client) -> None:
    etag = client.limits.get().etag
    done: list[str] = []

    def change(number: int) -> None:
        try:
            client.limits.change(max_concurrent_runs=number, if_match=etag)
            done.append("changed")
        except errors.ChangedError:
            done.append("refused")

    threads = [threading.Thread(target=change, args=(number,)) for number in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["changed", *["refused"] * 7]


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def test_users(store: Engine, database_url: str) -> None:
    with Running(database_url=database_url, auth="local") as server:
        token = people.hire(store)["admin"]["Authorization"].removeprefix("Bearer ")
        with Client(server.url, token=token) as client:
            seen = client.users.get("viewer")
            changed = client.users.change("viewer", role="launcher", if_match=seen.etag)
            assert changed.etag != seen.etag
            with pytest.raises(errors.ChangedError):
                client.users.change("viewer", disabled=True, if_match=seen.etag)
            with pytest.raises(errors.ChangedError):
                client.users.delete("viewer", if_match=seen.etag)
            assert client.users.get("viewer").disabled is False
            client.users.delete("viewer", if_match=changed.etag)


def test_what_was_made_says_where_it_is(api: httpx.Client) -> None:
    run = api.post("/runs", json={"job": "ping", "location": "flights"})
    backfill = api.post("/backfills", json={"job": "day", "partitions": ["2013-01-01"]})
    for made in (
        run,
        backfill,
        api.post(run.headers["location"].removeprefix("/api/v1") + "/cancel"),
        api.post(backfill.headers["location"].removeprefix("/api/v1") + "/cancel"),
        api.post("/assets/raw/flights/materializations", json={"partition": "2013-01-01"}),
    ):
        assert made.status_code in {201, 202}, made.text
        assert api.get(made.headers["location"].removeprefix("/api/v1")).status_code == 200


def test_a_reconnected_stream_of_changes_tells_that_anything_may_have_changed(api: httpx.Client) -> None:
    with api.stream("GET", "/stream?topics=runs,assets", headers={"Last-Event-ID": "1"}) as answer:
        told = []
        for line in answer.iter_lines():
            if line.startswith(("id: ", "data: ")):
                told.append(line)
            if len(told) == 4:
                break
    assert [line for line in told if line.startswith("data")] == [
        'data: {"topic": "assets", "ids": []}',
        'data: {"topic": "runs", "ids": []}',
    ]
    assert all(int(line[4:]) > 0 for line in told if line.startswith("id"))
