"""Who may ask, and how the server fares while Postgres does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.webserver import places
from tests.integration.webserver.conftest import Running, problems, publish

from dagwright_shared.model.errors import SettingsError
from dagwright_shared.runtime import settings
from dagwright_shared.store import embedded, engine, schema
from dagwright_webserver import edge, main, static_files

pytestmark = pytest.mark.integration


def until(probe: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/static/app.css", "/api/v1/runs", "/api/v1/runs/nope", "/api/v1/stream?topics=runs", "/openapi.json", "/readyz"]
)
def test_head_is_get_without_the_body(server: Running, path: str) -> None:
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client, client.stream("GET", path) as whole:
        head = client.head(path)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        for name in ("content-type", "content-length", "content-security-policy"):
            assert head.headers.get(name) == whole.headers.get(name), name
        assert client.get("/healthz").status_code == 200  # on the same connection


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/runs", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/runs/nope", "DELETE, GET, HEAD, OPTIONS"),
        ("/api/v1/runs/nope/cancel", "OPTIONS, POST"),
        ("/runs", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_an_address_says_its_methods(server: Running, path: str, methods: str) -> None:
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        asked = client.options(path)
        assert (asked.status_code, asked.headers["allow"], asked.content) == (204, methods, b"")
        refused = client.patch(path)
        assert (refused.status_code, refused.headers["allow"]) == (405, methods)
        assert methods in refused.json()["detail"]
        assert client.options("/api/v1/nothing").status_code == 404


def test_a_word_that_is_none_of_some(api: httpx.Client) -> None:
    for given, nearest in (("FAILED", "FAILURE"), ("success", "SUCCESS"), ("x", None)):
        problem = problems(api.get("/runs", params={"status": given}))["status[0]"]
        assert problem["suggestion"] == nearest
        assert problem["expected"].split(", ").count("QUEUED") == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "{url}"}, 201),
        ({"Origin": "{url}", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost"}, 201),
        ({"Host": "webserver:3004"}, 201),
        ({"Host": "[::1]:3004"}, 201),
    ],
)
def test_only_own_pages_and_programs_change_anything(server: Running, headers: dict[str, str], status: int) -> None:
    sent = {name: value.format(url=server.url) for name, value in headers.items()}
    body = {"job": "ping", "location": "flights"}
    answer = httpx.post(f"{server.url}/api/v1/runs", json=body, headers=sent, trust_env=False, timeout=60)
    assert answer.status_code == status, answer.text
    if status == 403:
        problems(answer, 403)


def test_a_name_that_is_allowed(store: Any, database_url: str) -> None:
    with Running(database_url=database_url, allowed_hosts=("dagwright.example",)) as server:
        headers = {"Host": "dagwright.example", "Origin": "https://dagwright.example"}
        body = {"job": "ping", "location": "flights"}
        assert httpx.post(f"{server.url}/api/v1/runs", json=body, headers=headers, trust_env=False, timeout=60).status_code == 201


def test_every_answer_has_a_request_id(server: Running) -> None:
    answer = httpx.get(f"{server.url}/api/v1/runs/x", headers={"X-Request-Id": "abc-1"}, trust_env=False, timeout=60)
    assert answer.headers["x-request-id"] == "abc-1"
    assert len(httpx.get(f"{server.url}/healthz", trust_env=False, timeout=60).headers["x-request-id"]) == 16
    odd = httpx.get(f"{server.url}/healthz", headers={"X-Request-Id": "a b"}, trust_env=False, timeout=60)
    assert odd.headers["x-request-id"] != "a b"


def test_a_fault_shows_no_trace(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_conn: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(server.app.state.web.definitions, "current", broken)
    answer = httpx.get(f"{server.url}/api/v1/jobs", trust_env=False, timeout=60)
    problems(answer, 500)
    page = httpx.get(f"{server.url}/jobs", headers={"Accept": "text/html"}, trust_env=False, timeout=60)
    assert page.status_code == 500
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"]
    assert "This is a fault of the webserver" in page.text
    assert page.headers["x-request-id"] in page.text
    assert "secret detail" not in page.text
    assert answer.headers["x-request-id"] in answer.json()["detail"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_binding_for_others_needs_to_be_meant() -> None:
    with pytest.raises(SettingsError, match="DAGWRIGHT_ALLOW_UNAUTHENTICATED=1"):
        edge.check_binding(settings.load(host="0.0.0.0"))
    edge.check_binding(settings.load(host="0.0.0.0", allow_unauthenticated=True))
    edge.check_binding(settings.load(host="::1"))
    edge.check_binding(settings.load(host="localhost"))


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port} is in use .* --port or DAGWRIGHT_PORT"):
            main.bind(settings.load(port=port))
    with pytest.raises(SettingsError, match="not an address of this machine"):
        main.bind(settings.load(host="192.0.2.1", port=0))


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("DAGWRIGHT_")} | environment
    return subprocess.run([sys.executable, "-m", "dagwright_webserver"], env=given, capture_output=True, text=True, timeout=60, check=False)


def test_what_cannot_start_says_why(database_url: str) -> None:
    for environment, said in (
        ({}, "DAGWRIGHT_DATABASE_URL"),
        ({"DAGWRIGHT_DATABASE_URL": "mysql://a:secret@b/c"}, "not a Postgres database"),
        ({"DAGWRIGHT_DATABASE_URL": database_url.replace("/tests_", "/no_such_")}, "refuses"),
        ({"DAGWRIGHT_DATABASE_URL": database_url, "DAGWRIGHT_HOST": "0.0.0.0"}, "ALLOW_UNAUTHENTICATED"),
        ({"DAGWRIGHT_DATABASE_URL": database_url, "DAGWRIGHT_PORT": "x"}, "DAGWRIGHT_PORT"),
    ):
        ended = start(**environment)
        assert ended.returncode == 2, ended.stderr
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "secret" not in ended.stderr


@pytest.mark.slow
def test_it_outlives_a_restart_of_postgres(tmp_path: Path) -> None:
    home = tmp_path / "home"
    cluster = embedded.start(home)
    made = engine.create(cluster.url, name="tests")
    try:
        schema.upgrade(made)
        publish(made, places.flights())
        made.dispose()
        with Running(database_url=cluster.url) as server, httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            body = {"job": "ping"}
            assert client.post("/api/v1/runs", json=body).status_code == 201
            embedded.stop_cluster(home)
            away = client.post("/api/v1/runs", json=body)
            problems(away, 503)
            assert away.headers["retry-after"] == "2"
            problems(client.get("/api/v1/runs"), 503)
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["parts"]["database"]["ok"]) == (503, False)
            assert client.get("/healthz").status_code == 200
            assert client.get("/metrics").status_code == 200
            embedded.start_cluster(home)
            assert until(lambda: client.get("/readyz").status_code == 200)
            # The first request after it finds pooled connections that are dead, and does not show it.
            embedded.restart(home)
            assert client.post("/api/v1/runs", json=body).status_code == 201
            assert len(client.get("/api/v1/runs").json()["items"]) == 2
    finally:
        made.dispose()
        cluster.stop()


def test_files_are_kept_by_browsers_as_long_as_they_are_the_same(server: Running) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        current = client.get(static_files.url("app.js"))
        assert "immutable" in current.headers["cache-control"]
        for address in ("/static/app.js", "/static/v-000000000000/app.js"):  # by hand, and from a page of an earlier version
            other = client.get(address)
            assert (other.headers["cache-control"], other.text) == ("no-cache", current.text)
        assert client.get("/static/v-000000000000/../../render.py").status_code == 404
        assert client.get(static_files.url("nothing.js")).status_code == 404
