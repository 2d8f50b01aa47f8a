"""The command line without a deployment: what it accepts, what it says, how it prints."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dagwright.cli import _COMMANDS, cli, output
from dagwright.cli.assets import asset
from dagwright.cli.definitions import definitions
from dagwright.cli.jobs import job
from dagwright.client import errors, models
from dagwright.dev import ports
from dagwright.dev.locations import locations_of
from dagwright_shared.model.errors import SettingsError

pytestmark = pytest.mark.unit


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DAGWRIGHT_")}
    return subprocess.run(
        [sys.executable, "-m", "dagwright.cli", *arguments],
        capture_output=True, text=True, check=False, cwd=cwd, env={**clean, "NO_COLOR": "1", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_a_mistyped_command_names_the_nearest(tmp_path: Path) -> None:
    result = command("jobs", cwd=tmp_path)
    assert result.returncode == 2
    assert "Did you mean 'job'?" in result.stderr


def test_no_webserver_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        result = command("run", "list", "--url", url, cwd=tmp_path)
    assert result.returncode == 1
    assert url in result.stderr
    assert "dagwright dev" in result.stderr
    assert "Traceback" not in result.stderr


def test_dev_with_a_used_port_names_it_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "defs.py").write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = command("dev", "-f", "defs.py", "--port", str(port), "--code-server-port", "0", cwd=tmp_path)
    assert result.returncode == 2
    assert f"port {port}" in result.stderr
    assert "--port " in result.stderr
    assert not (tmp_path / ".dagwright" / "postgres").exists()


def test_dev_without_a_target_and_with_a_missing_file(tmp_path: Path) -> None:
    assert "-f FILE" in command("dev", cwd=tmp_path).stderr
    missing = command("dev", "-f", "nowhere.py", cwd=tmp_path)
    assert missing.returncode == 2
    assert "nowhere.py is not there" in missing.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "defs.py").write_text("")
    result = command("dev", "-f", "defs.py", cwd=tmp_path, DAGWRIGHT_MAX_CONCURRENT_RUNS="many")
    assert result.returncode == 2
    assert "DAGWRIGHT_MAX_CONCURRENT_RUNS" in result.stderr
    assert "'many'" in result.stderr


@pytest.mark.parametrize(
    ("value", "complaint"),
    [("{not json", "is not valid"), ("nowhere.json", "neither a JSON object nor a file"), ("list.json", "run config is an object")],
)
def test_config_that_is_wrong(value: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text("[1]")
    result = CliRunner().invoke(job, ["launch", "x", "--config", value])
    assert result.exit_code == 2
    assert complaint in " ".join(result.output.split())


def test_a_tag_without_a_value() -> None:
    result = CliRunner().invoke(asset, ["materialize", "x", "--tag", "team"])
    assert result.exit_code == 2
    assert "KEY=VALUE" in result.output


def test_a_refusal_shows_each_problem_with_its_path() -> None:
    error = errors.made_of(422, {
        "title": "Invalid request", "detail": "the run config does not fit job 'etl'",
        "problems": [{"path": "config.ops.load.config.limit", "message": "'ten' is not an integer", "value": "ten", "expected": "integer"},
                     {"path": "config.ops.lod", "message": "no such op", "value": None, "expected": None, "suggestion": "load"}],
    })  # fmt: skip
    assert error.message.splitlines() == [
        "the run config does not fit job 'etl'",
        "  config.ops.load.config.limit: 'ten' is not an integer; got \"ten\"",
        "  config.ops.lod: no such op; did you mean 'load'?",
    ]


def test_locations_are_named_by_what_says_something(tmp_path: Path) -> None:
    for name in ("flights/definitions.py", "shop/definitions.py", "other/shop.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    files = [str(tmp_path / name) for name in ("flights/definitions.py", "shop/definitions.py", "other/shop.py")]
    found = locations_of(files, ["warehouse.definitions", "plain"])
    assert [location.name for location in found] == ["flights", "shop", "shop-2", "warehouse", "plain"]
    assert found[0].watched() == tmp_path / "flights"
    assert found[3].arguments() == ["--module", "warehouse.definitions"]


def test_a_free_port_is_not_one_of_those_taken() -> None:
    first = ports.free("127.0.0.1", start=20_000)
    assert ports.free("127.0.0.1", start=20_000, taken=frozenset({first})) > first
    with pytest.raises(SettingsError, match="--host"):
        ports.claim("192.0.2.1", 3004, option="--port", what="the webserver")


@pytest.mark.parametrize(("seconds", "text"), [(0.0123, "12 ms"), (3.44, "3.4 s"), (125.0, "2 min 5 s")])
def test_durations(seconds: float, text: str) -> None:
    assert output.seconds_text(seconds) == text


def test_an_error_is_shown_with_the_users_own_lines() -> None:
    frame = models.Frame(file="/p/defs.py", line=3, function="load", source="1 / 0")
    error = models.ErrorInfo(class_name="ZeroDivisionError", message="division by zero", frames=(frame,))
    assert output.error_text(error).splitlines() == ["ZeroDivisionError: division by zero", "  /p/defs.py:3 in load", "    1 / 0"]


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.as_json({"name": "Zürich"})
    assert json.loads(capsys.readouterr().out) == {"name": "Zürich"}


def test_a_range_of_partitions_is_two_keys() -> None:
    wrong = CliRunner().invoke(cli, ["asset", "materialize", "a", "--partition-range", "2013-01-01"])
    assert wrong.exit_code == 2
    assert "is not FIRST...LAST, such as 2013-01-01...2013-01-31" in wrong.output
    both = CliRunner().invoke(cli, ["job", "launch", "j", "--partition", "a", "--partition-range", "a...b"])
    assert both.exit_code == 2
    assert "give --partition or --partition-range" in both.output


def test_simulate_a_file(tmp_path: Path) -> None:
    (tmp_path / "defs.py").write_text(
        "import dagwright as dg\n\n@dg.asset(pool='db')\ndef a(): ...\n\n"
        "defs = dg.Definitions(assets=[a], schedules=[dg.ScheduleDefinition(name='s', target=[a], cron_schedule='0 * * * *')])\n"
    )
    result = command("simulate", "-f", "defs.py", "--until", "+3h", "--pool", "db=1", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["run_count"] == 3
    assert [(pool["name"], pool["slots"], pool["peak"]) for pool in found["pools"]] == [("db", 1, 1)]
    assert "3 runs" in command("simulate", "-f", "defs.py", "--until", "+3h", cwd=tmp_path).stdout
    wrong = command("simulate", "-f", "defs.py", "--until", "soon", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "'soon' is not a length of time, such as +7d" in wrong.stderr


def test_a_backfill_needs_to_know_what(tmp_path: Path) -> None:
    for arguments, said in (
        (("a", "--all", "--partition", "x"), "give one of --all"),
        (("a", "--from", "x"), "a range needs both ends"),
        (("--all",), "name assets, or a job"),
    ):
        result = command("backfill", "launch", *arguments, cwd=tmp_path)
        assert result.returncode == 2
        assert said in result.stderr


def test_validate_tells_what_will_go_wrong(tmp_path: Path) -> None:
    file = tmp_path / "warned.py"
    file.write_text("import dagwright as dg\n\n@dg.asset\ndef rows() -> int: ...\n\n@dg.asset\ndef reads(rows: str) -> None: ...\n")
    result = CliRunner().invoke(definitions, ["validate", "-f", str(file)])
    assert result.exit_code == 0
    assert "ok warned: 2 assets" in result.output
    assert f"warning warned: {file}:6: asset reads takes `rows` as str, but the function of rows returns int" in result.output
    told = json.loads(CliRunner().invoke(definitions, ["validate", "--json", "-f", str(file)]).stdout)
    assert told[0]["warnings"][0]["at"] == f"{file}:6"
