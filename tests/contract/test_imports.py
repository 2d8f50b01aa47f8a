"""Who may import whom: the contracts of pyproject.toml, and what importing a package really loads and costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.contract


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(result.stdout))


def import_seconds(statement: str) -> float:
    """CPU time of a fresh interpreter that runs a statement: the best of several, so that a busy machine does not count."""
    best = float("inf")
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-c", statement], check=True, cwd=ROOT)
        after = os.times()
        best = min(best, after.children_user + after.children_system - before.children_user - before.children_system)
    return best


def test_contracts_hold() -> None:
    # In a process of its own: the linter configures logging for itself, and would silence every logger that exists here.
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


DEFINITIONS = """
from dagwright import (
    AssetCheckResult, AssetExecutionContext, AssetIn, AssetKey, AssetSelection, AssetSpec, AutomationCondition, Config,
    ConfigurableIOManager, ConfigurableResource, DagsterInstance, DailyPartitionsDefinition, Definitions, EnvVar, Failure, Field,
    In, MaterializeResult, MetadataValue, OpExecutionContext, Out, Output, RetryPolicy, RunConfig, RunRequest, ScheduleDefinition,
    SensorResult, SkipReason, StaticPartitionsDefinition, asset, asset_check, define_asset_job, get_dagster_logger, job,
    load_assets_from_modules, materialize, multi_asset, op, schedule, sensor,
)

@asset
def first(context: AssetExecutionContext) -> MaterializeResult:
    return MaterializeResult()

Definitions(assets=[first], jobs=[define_asset_job("all")])
"""
"""What files of definitions import most, and a first asset."""
SERVICES = {"sqlalchemy", "alembic", "grpc", "google", "fastapi", "starlette", "psycopg2", "dagwright_webserver", "dagwright_daemon"}
CLIENTS = {"rich", "httpx"}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import dagwright", {*SERVICES, *CLIENTS, "pydantic"}),
        (DEFINITIONS, {*SERVICES, *CLIENTS, "asyncio", "ssl", "ctypes", "yaml", "jinja2", "jsonschema", "apscheduler"}),
        ("import dagwright.cli", {"sqlalchemy", "grpc", "fastapi", "pydantic", "rich", "httpx"}),
        ("import dagwright_webserver", {"dagwright", "dagwright_daemon"}),
        ("import dagwright_daemon", {"dagwright", "dagwright_webserver", "fastapi"}),
        ("import dagwright_shared.model.snapshot", {"sqlalchemy", "grpc", "google", "pydantic"}),
    ],
)
def test_what_an_import_does_not_load(statement: str, absent: set[str]) -> None:
    assert not loaded_by(statement) & absent


def test_importing_dagwright_is_cheap() -> None:
    """At most 100 ms more than pydantic, which it needs: each spawned worker and each user test pays it."""
    assert import_seconds("import dagwright") - import_seconds("import pydantic") <= 0.1


def test_help_is_quick() -> None:
    assert (
        import_seconds(
            "import sys; sys.argv = ['dagwright', '--help']\nfrom dagwright.cli import main\ntry: main()\nexcept SystemExit: pass"
        )
        <= 0.2
    )
