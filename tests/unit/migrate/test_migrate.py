"""What `dagwright migrate` changes, what it leaves alone and what it asks a person to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dagwright.cli import cli
from dagwright.migrate.rewrite import rewrite

pytestmark = pytest.mark.unit


def changed(text: str) -> str:
    return rewrite(Path("x.py"), text).after


def findings(text: str) -> list[str]:
    return [str(finding) for finding in rewrite(Path("x.py"), text).findings]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import dagster as dg\n", "import dagwright as dg\n"),
        ("import dagster\n\n@dagster.asset\ndef a(): ...\n", "import dagwright\n\n@dagwright.asset\ndef a(): ...\n"),
        ("from dagster import asset, AssetKey as Key  # both\n", "from dagwright import asset, AssetKey as Key  # both\n"),
        ("from dagster import (\n    asset,\n    op,\n)\n", "from dagwright import (\n    asset,\n    op,\n)\n"),
        ("from dagster._core.definitions.events import AssetKey\n", "from dagwright import AssetKey\n"),
        ("from dagster import *\n", "from dagwright import *\n"),
        ("import os, dagster as dg\n", "import os, dagwright as dg\n"),
    ],
)
def test_imports_are_rewritten_and_nothing_else(before: str, after: str) -> None:
    assert changed(before) == after
    assert findings(before) == []


def test_what_is_not_dagster_stays_byte_for_byte() -> None:
    text = "import os\r\nfrom dagster_pipes import open_dagster_pipes\r\nx  =  'dagster.asset'   # odd\r\n"
    assert changed(text) == text
    assert findings(text) == []


def test_private_names_are_named_with_what_to_use() -> None:
    text = "import os\nfrom dagster._utils.backoff import backoff_delays\nimport dagster._check\n"
    assert changed(text) == text
    first, second = findings(text)
    assert first.startswith("x.py:2: dagster._utils.backoff.backoff_delays is private to Dagster; use `RetryPolicy`")
    assert second.startswith("x.py:3: dagster._check is private to Dagster; use a function of `dagwright.check`")


def test_a_statement_with_both_kinds_is_split() -> None:
    after = changed("from dagster._core.events import DagsterEvent, EngineEventData\n")
    assert "from dagwright import DagsterEvent" in after
    assert "from dagster._core.events import EngineEventData" in after


def test_a_name_that_does_not_exist_is_shown_with_the_nearest() -> None:
    assert findings("import dagster as dg\n\nx = dg.StaticPartitionDefinition\n") == [
        "x.py:3: dagwright has no StaticPartitionDefinition; the nearest name is StaticPartitionsDefinition"
    ]
    assert findings("from dagster import solid_thing_of_old\n")[0].startswith("x.py:1: dagwright has no solid_thing_of_old")


def test_integrations_are_shown() -> None:
    assert findings("from dagster_slack import SlackResource\n")[0].startswith("x.py:1: dagster_slack is an integration for Dagster")
    assert findings("import dagster_duckdb\n")[0].startswith("x.py:1: dagster_duckdb is an integration for Dagster")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from dagster_duckdb import DuckDBResource\n", "from dagwright.integrations.duckdb import DuckDBResource\n"),
        (
            "from dagster_duckdb_pandas import DuckDBPandasIOManager as M\n",
            "from dagwright.integrations.duckdb import DuckDBPandasIOManager as M\n",
        ),
        ("from dagster_duckdb.io_manager import DuckDbClient\n", "from dagwright.integrations.duckdb import DuckDbClient\n"),
        ("import dagster._check as check\n", "import dagwright.check as check\n"),
        ("from dagster import _check as check\n", "from dagwright import check as check\n"),
        ("from dagster._check import not_none\n", "from dagwright.check import not_none\n"),
        ("from dagster_shared import check\n", "from dagwright import check\n"),
        ("import dagster_duckdb_polars as dp\n", "import dagwright.integrations.duckdb as dp\n"),
    ],
)
def test_integrations_that_are_here_are_rewritten(before: str, after: str) -> None:
    assert changed(before) == after
    assert findings(before) == []


def test_the_command_shows_a_patch_and_writes_only_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "defs.py"
    file.write_text("import dagster as dg\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "other.py").write_text("import dagster\n")
    shown = CliRunner().invoke(cli, ["migrate", str(tmp_path)], standalone_mode=False)
    assert shown.return_value == 0
    assert "-import dagster as dg\n+import dagwright as dg\n" in shown.output
    assert file.read_text() == "import dagster as dg\n"
    CliRunner().invoke(cli, ["migrate", str(tmp_path), "--write"], standalone_mode=False)
    assert file.read_text() == "import dagwright as dg\n"
    assert (tmp_path / ".venv" / "other.py").read_text() == "import dagster\n"


def test_the_command_ends_with_1_when_a_person_is_needed(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import dagster as (\n")
    (tmp_path / "requirements.txt").write_text("dagster==1.13\n")
    result = CliRunner().invoke(cli, ["migrate", str(tmp_path)], standalone_mode=False)
    assert result.return_value == 1
    assert "broken.py:1: cannot be read as Python" in result.output
    assert "requirements.txt:1: names Dagster: dagster==1.13" in result.output


def test_packages_of_the_project_itself_are_no_integrations(tmp_path: Path) -> None:
    package = tmp_path / "dagster_lakes"
    package.mkdir()
    (package / "__init__.py").write_text("from dagster_lakes.water import Water\n")
    (package / "water.py").write_text("import dagster_slack\n\nclass Water: ...\n")
    result = CliRunner().invoke(cli, ["migrate", str(tmp_path)], standalone_mode=False)
    assert "dagster_lakes is an integration" not in result.output
    assert "water.py:1: dagster_slack is an integration" in result.output


def test_private_names_of_annotations_are_those_that_they_stand_for() -> None:
    assert rewrite(Path("x.py"), "from dagster._core.definitions.metadata import ArbitraryMetadataMapping\n").after == (
        "from collections.abc import Mapping as ArbitraryMetadataMapping\n"
    )


def test_a_migrated_file_runs(tmp_path: Path) -> None:
    file = tmp_path / "project.py"
    file.write_text("import dagster\n\n@dagster.asset\ndef one():\n    return 1\n\nresult = dagster.materialize([one])\n")
    CliRunner().invoke(cli, ["migrate", str(file), "--write"], standalone_mode=False)
    space: dict[str, object] = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    assert space["result"].success  # type: ignore[attr-defined]


def test_private_names_with_a_public_place_or_an_equal_in_the_standard_library() -> None:
    text = (
        "from dagster._utils.cached_method import cached_method\n"
        "from dagster._utils.backoff import backoff\n"
        "from dagster._core.storage.tags import (\n    PARTITION_NAME_TAG,\n)\n"
    )
    found = rewrite(Path("x.py"), text)
    assert found.findings == ()
    assert found.after == (
        "from functools import cache as cached_method\nfrom dagwright import backoff\nfrom dagwright import (\n    PARTITION_NAME_TAG,\n)\n"
    )
