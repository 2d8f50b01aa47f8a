"""Runs by a text, whether few or many fit it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from dagwright_shared.model.keys import AssetKey, Digest, LocationName, RunId, new_run_id
from dagwright_shared.model.runs import NewRun
from dagwright_shared.store import runs
from dagwright_webserver.reads import run_search
from dagwright_webserver.reads.run_list import RunFilter, count_by_status, list_runs

HERE = LocationName("here")


def new(job: str | None = None, *assets: str) -> NewRun:
    keys = tuple(AssetKey.from_user_string(key) for key in assets)
    return NewRun(run_id=new_run_id(), location=HERE, digest=Digest("d"), job_name=job, asset_keys=keys)


MADE = {
    "hourly": new("Hourly_rates"),
    "daily": new("daily_sales", "raw/orders", "marts/revenue"),
    "picked": new(None, "raw/customers"),
    "percent": new("a%b"),
}


@pytest.fixture(params=["few", "many"])
def conn(store_engine: Engine, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Both ways of finding, of which the second is for what many runs fit."""
    if request.param == "many":
        monkeypatch.setattr(run_search, "_FEW", 0)
    with store_engine.connect() as conn:
        runs.enqueue(conn, list(MADE.values()))
        yield conn
        conn.rollback()


def found(conn: Connection, text: str) -> set[str]:
    names = {run.run_id: name for name, run in MADE.items()}
    return {names[RunId(item.run_id)] for item in list_runs(conn, RunFilter(text=text)).items}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("rates", {"hourly"}),
        ("HOURLY", {"hourly"}),
        ("raw/", {"daily", "picked"}),
        ("revenue", {"daily"}),
        ("a%", {"percent"}),
        ("_", {"hourly", "daily"}),
        ("%", {"percent"}),
        ("nothing has this", set()),
        ("'; DROP TABLE runs; --", set()),
    ],
)
def test_by_a_part_of_a_name(conn: Connection, text: str, names: set[str]) -> None:
    assert found(conn, text) == names


def test_by_the_start_of_an_id(conn: Connection) -> None:
    for name, run in MADE.items():
        assert found(conn, run.run_id) == {name}
        assert found(conn, run.run_id.upper()) == {name}
        assert name in found(conn, run.run_id[:13])


def test_by_the_short_form_of_an_id(store_engine: Engine) -> None:
    with store_engine.connect() as conn:
        runs.enqueue(conn, list(MADE.values()))
        for name, run in MADE.items():
            assert name in found(conn, run.run_id[-8:])
        conn.rollback()


def test_counts_are_of_what_fits(conn: Connection) -> None:
    assert count_by_status(conn, RunFilter(text="raw/")) == {"QUEUED": 2}
    assert count_by_status(conn) == {"QUEUED": 4}
    assert sum(count_by_status(conn, cap=3).values()) == 3
