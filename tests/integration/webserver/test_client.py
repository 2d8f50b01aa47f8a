"""The typed client, and the commands that use it, against a real webserver."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text
from tests.build import batch, log, planned
from tests.integration.webserver import people
from tests.integration.webserver.conftest import Running
from tests.integration.webserver.test_reading import claim, write
from tests.integration.webserver.unsteady import Unsteady

from dagwright.cli import cli
from dagwright.client import ApiError, Client, Pages, errors, models, to_json
from dagwright_shared.model.events import RunSucceeded

pytestmark = pytest.mark.integration
CONFIG = {"ops": {"carriers": {"config": {"limit": 3}}}}


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def finished(client: Client, store: Engine) -> str:
    """A run of `ping` that is over."""
    run = claim(store, client.runs.launch(job="ping", location="flights").run_id)
    write(store, batch(run, [planned("ping"), *[("ping", log(str(n))) for n in range(700)], RunSucceeded()]))
    return str(run.run_id)


def test_a_run_from_launch_to_its_end(client: Client, store: Engine) -> None:
    run_id = finished(client, store)
    run = client.runs.wait(run_id, timeout=60)
    assert (run.status, run.job, run.steps[0].step_key) == ("SUCCESS", "ping", "ping")
    assert run.created_at.tzinfo is not None
    assert [event.seq for event in client.runs.follow(run_id)] == list(range(1, 703))
    assert [event.seq for event in client.runs.follow(run_id, after_seq=700)] == [701, 702]
    assert len(list(client.runs.list_events(run_id, text="1", limit=150))) == 150
    again = client.runs.reexecute(run_id, strategy="ALL_STEPS")
    assert client.runs.get(again.run_id).parent_run_id == run_id
    with pytest.raises(TimeoutError, match=again.run_id):
        client.runs.wait(again.run_id, timeout=0.05)
    assert client.runs.cancel(again.run_id).status == "CANCELED"
    client.runs.delete(run_id)
    with pytest.raises(errors.NotFoundError) as missing:
        client.runs.get(run_id)
    assert (missing.value.kind, missing.value.status) == ("not-found", 404)


def test_lists_go_on_page_by_page(client: Client) -> None:
    made = [client.runs.launch(job="ping", location="flights", tags={"n": str(n)}).run_id for n in range(103)]
    pages = client.runs.list(job="ping")
    assert [run.run_id for run in pages] == made[::-1]
    assert [run.run_id for run in pages] == made[::-1]
    assert len(list(client.runs.list(limit=101))) == 101
    assert [run.tags["n"] for run in client.runs.list(tag=["n=7"])] == ["7"]
    first = client.runs.list().first()
    assert first is not None
    assert first.run_id == made[-1]
    assert client.runs.list(job="nothing").first() is None
    assert list(client.runs.list(created_before=datetime(2020, 1, 1, tzinfo=UTC))) == []


def test_what_is_wrong_has_a_class(client: Client, server: Running) -> None:
    with pytest.raises(errors.InvalidRequestError) as wrong:
        client.runs.launch(job="pnig")
    assert wrong.value.problems[0]["suggestion"] == "ping"
    assert "did you mean 'ping'" in str(wrong.value)
    with pytest.raises(errors.ConflictError):
        client.runs.reexecute(client.runs.launch(job="ping", location="flights").run_id)
    with pytest.raises(errors.UnavailableError):
        client.locations.reload("flights")
    with Client("http://127.0.0.1:9", retries=0) as nobody, pytest.raises(errors.UnreachableError, match="DAGWRIGHT_URL"):
        nobody.runs.list().first()
    with Client(server.url + "/nowhere") as elsewhere, pytest.raises(ApiError):
        elsewhere.instance.get()


def test_null_and_left_out_are_not_the_same(client: Client) -> None:
    changed = client.limits.change(max_concurrent_runs=7, default_pool_slots=3)
    assert (changed.max_concurrent_runs, changed.default_pool_slots) == (7, 3)
    changed = client.limits.change(default_pool_slots=None)
    assert (changed.max_concurrent_runs, changed.default_pool_slots) == (7, None)
    assert client.sensors.set_cursor("watch", cursor="5").cursor == "5"
    assert client.sensors.set_cursor("watch", cursor=None).cursor is None


def test_names_with_slashes_and_other_letters(client: Client) -> None:
    assert client.assets.get("raw/flights").summary.group == "raw"
    name = "a/b ä?#%2F"
    assert client.pools.set(name, slots=2).name == name
    assert client.pools.get(name).slots == 2
    client.pools.delete(name)
    with pytest.raises(errors.NotFoundError):
        client.users.get("..")


def test_an_answer_that_is_lost_is_asked_for_again(client: Client, server: Running) -> None:
    """The run was made, but nobody heard of it: the key of the client keeps the second attempt from making another."""
    port = urlsplit(server.url).port
    assert port is not None
    with Unsteady(port, lost=2) as unsteady, Client(unsteady.url) as shaken:
        made = shaken.runs.launch(job="ping", location="flights")
        assert unsteady.connections == 3
    assert [run.run_id for run in client.runs.list()] == [made.run_id]
    with Unsteady(port, lost=1) as unsteady, Client(unsteady.url) as shaken, pytest.raises(errors.UnreachableError):
        shaken.schedules.start("nightly")  # has no key, so it is not sent twice unasked


def test_a_stream_that_breaks_loses_and_repeats_nothing(client: Client, server: Running, store: Engine) -> None:
    run_id = finished(client, store)
    port = urlsplit(server.url).port
    assert port is not None
    with Unsteady(port, lost=3, after=20_000) as unsteady, Client(unsteady.url) as shaken:
        assert [event.seq for event in shaken.runs.follow(run_id)] == list(range(1, 703))
        assert unsteady.connections == 4


def operations() -> list[Any]:
    path = Path(__file__).parents[3] / ".ci" / "rest_client.py"
    spec = importlib.util.spec_from_file_location("rest_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["rest_client"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[Any] = module.operations(*module.document())
    return found


ENDLESS = {"stream_changes"}


def test_every_operation_reaches_its_route(server: Running) -> None:
    """With names of nothing that there is, and fields of the right type at best: whatever is answered, it is no wrong address."""
    values = {"str": "nowhere", "int": 1, "bool": True, "datetime": datetime(2026, 1, 1, tzinfo=UTC), "Any": {}}
    wrong = {}
    client = Client(server.url, retries=0)
    for each in operations():
        given = {one.name: values.get(one.type.split(" | ")[0], ["x"]) for one in each.parameters if one.default is None}
        method = getattr(getattr(client, each.group), each.method)
        try:
            answer = method(**given)
            if isinstance(answer, Iterator | Pages) and each.operation_id not in ENDLESS:
                list(answer)
        except ApiError as error:
            if error.status not in {400, 401, 403, 404, 409, 415, 422, 503} or "openapi.json" in str(error):
                wrong[each.operation_id] = str(error)
    client.close()
    assert wrong == {}


def test_with_a_token(store: Engine, database_url: str) -> None:
    with Running(database_url=database_url, auth="local") as server:
        token = people.hire(store)["launcher"]["Authorization"].removeprefix("Bearer ")
        with Client(server.url) as nobody, pytest.raises(errors.UnauthenticatedError, match="DAGWRIGHT_TOKEN"):
            nobody.runs.list().first()
        with Client(server.url, token=token) as client:
            assert client.account.get_me().name == "launcher"
            client.runs.launch(job="ping", location="flights")
            with pytest.raises(errors.ForbiddenError) as refused:
                client.pools.set("db", slots=1)
            assert refused.value.document["needed_role"] == "admin"


# ---------------------------------------------------------------- commands


class Shell:
    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, *arguments: str, fails: bool = False) -> Result:
        result = CliRunner().invoke(cli, [*arguments, "--url", self._url], catch_exceptions=True)
        assert (result.exit_code != 0) is fails, (arguments, result.output, result.exception)
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments).stdout)


@pytest.fixture
def shell(server: Running) -> Shell:
    return Shell(server.url)


def test_commands_about_runs(shell: Shell, client: Client, store: Engine) -> None:
    run_id = finished(client, store)
    assert run_id in shell("run", "list", "--status", "SUCCESS", "--job", "ping").stdout
    assert "no runs" in shell("run", "list", "--tag", "a=b").stdout
    assert shell.json("run", "show", run_id, "--json") == to_json(client.runs.get(run_id))
    assert "SUCCESS" in shell("run", "show", run_id, "--wait").stdout
    assert len(shell("run", "logs", run_id).stdout.splitlines()) == 702
    assert len(shell("run", "logs", run_id, "--follow", "--step", "ping").stdout.splitlines()) == 700
    assert len(shell.json("run", "logs", run_id, "--json", "--limit", "5")) == 5
    again = shell("run", "re-execute", run_id, "--all-steps", "--no-wait").stdout.strip()
    assert "No daemon is running" in shell("run", "waiting", again).stdout
    assert "CANCELED" in shell("run", "cancel", again, "--force").stdout
    assert f"deleted {run_id}" in shell("run", "delete", run_id, again).stdout
    assert isinstance(shell("run", "show", run_id, fails=True).exception, errors.NotFoundError)


def test_commands_about_assets_and_jobs(shell: Shell, client: Client) -> None:
    assert [item["key"] for item in shell.json("asset", "list", "--group", "raw", "--json")] == ["carriers", "raw/flights"]
    assert "MISSING" in shell("asset", "list").stdout
    assert "raw" in shell("asset", "show", "raw/flights").stdout
    made = shell.json("asset", "materialize", "carriers", "--config", json.dumps(CONFIG), "--no-wait", "--json")
    assert client.runs.get(made["run_id"]).trigger == "cli"
    ranged = shell.json("asset", "materialize", "raw/flights", "--partition-range", "2013-01-01...2013-01-03", "--no-wait", "--json")
    assert client.runs.get(ranged["run_id"]).partition == "2013-01-01...2013-01-03"
    assert "recorded" in shell("asset", "report", "raw/flights", "--partition", "2013-01-01", "--metadata", '{"rows": 3}').stdout
    shell("asset", "report", "stats", "--check", "row_count", "--failed")
    assert client.assets.get("stats").checks[0].passed is False
    assert "wiped 1" in shell("asset", "wipe", "raw/flights", "--all").stdout
    shell("asset", "wipe", "raw/flights", fails=True)
    assert {item["name"] for item in shell.json("job", "list", "--location", "flights", "--json")} == {"etl", "ping", "day"}
    assert "load" in shell("job", "show", "etl").stdout
    assert shell("job", "launch", "ping", "--location", "flights", "--no-wait").stdout.strip() == client.runs.list().first().run_id  # type: ignore[union-attr]


def test_commands_about_the_rest(shell: Shell, client: Client, store: Engine) -> None:
    assert "flights" in shell("location", "list").stdout
    assert shell.json("location", "show", "twin", "--json")["name"] == "twin"
    assert "watch is on" in shell("sensor", "start", "watch").stdout
    assert "nightly is off" in shell("schedule", "stop", "nightly").stdout
    assert "nightly" in shell("schedule", "list").stdout
    assert "every" in shell("sensor", "list").stdout
    assert shell("sensor", "cursor", "watch", "--set", "5").stdout == "5\n"
    away = shell("schedule", "evaluate", "nightly", "--at", "2013-02-01T01:00:00Z", fails=True)
    assert isinstance(away.exception, errors.UnavailableError)
    assert "no time zone" in shell("schedule", "evaluate", "nightly", "--at", "2013-02-01", fails=True).output
    assert "0 of 4 in use" in shell("pool", "set", "db", "4").stdout
    assert "db" in shell("pool", "list").stdout
    shell("pool", "delete", "db")
    planned_ = shell("backfill", "launch", "raw/flights", "--from", "2013-01-01", "--to", "2013-01-05", "--preview").stdout
    assert "5 partitions" in planned_
    made = shell("backfill", "launch", "--job", "day", "--partition", "2013-01-02").stdout.strip()
    assert made in shell("backfill", "list", "--status", "REQUESTED").stdout
    assert "REQUESTED" in shell("backfill", "show", made).stdout
    assert made in shell("backfill", "cancel", made).stdout
    with store.begin() as conn:
        assert conn.execute(text("SELECT count(*) FROM audit_log")).scalar_one() > 0
    shell("simulate", "--until", "+1d")
    assert shell("partition", "list").exit_code == 0
    assert isinstance(shell("partition", "add", "nothing", "a", fails=True).exception, errors.NotFoundError)


def test_every_operation_as_a_command(shell: Shell, client: Client) -> None:
    run = shell.json("api", "runs", "launch", "--job", "ping", "--location", "flights", "--tags", '{"a": "b"}', "--priority", "3")
    assert (client.runs.get(run["run_id"]).priority, client.runs.get(run["run_id"]).tags) == (3, {"a": "b"})
    assert [item["run_id"] for item in shell.json("api", "runs", "list", "--status", "QUEUED", "--status", "STARTED", "--limit", "1")] == [
        run["run_id"]
    ]
    assert shell.json("api", "limits", "change", "--max-concurrent-runs", "9")["max_concurrent_runs"] == 9
    assert shell.json("api", "runs", "cancel", run["run_id"], "--force", "true")["status"] == "CANCELED"
    partitions = shell.json("api", "backfills", "preview", "--job", "day", "--partitions", '{"start": "2013-01-01", "end": "2013-01-02"}')
    assert partitions["targeted"] == 2
    assert "dagwright_http_request_seconds" in shell("api", "instance", "get_metrics").stdout
    assert "Did you mean 'runs'" in shell("api", "rnus", fails=True).output
    assert "Higher starts first" in CliRunner().invoke(cli, ["api", "runs", "launch", "--help"]).output
    for each in operations():
        found = CliRunner().invoke(cli, ["api", each.group, each.method, "--help"])
        assert found.exit_code == 0, (each.group, each.method, found.output, found.exception)


def test_models_are_frozen(client: Client) -> None:
    pool = client.pools.set("db", slots=1)
    assert isinstance(pool, models.PoolView)
    with pytest.raises(AttributeError):
        pool.slots = 2  # type: ignore[misc]


def test_values_of_a_newer_webserver_are_taken() -> None:
    told = {"run_id": "1", "status": "HIBERNATING", "newer": 1}
    assert msgspec.json.decode(json.dumps(told), type=models.CancelAnswer).status == "HIBERNATING"
