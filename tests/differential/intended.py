"""Where dagwright differs from Dagster on purpose, and why.

Each entry pins what dagwright tells: when that changes, or when the two come to agree, the test fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Intended:
    why: str
    ours: Any


_CHECK = {"checked": "table", "severity": "ERROR", "blocking": False, "description": None, "metadata": {}}

_BOTH: dict[str, Any] = {
    "success": True,
    "steps": {"after": ["success"], "made": ["success"]},
    "records": [{"materialized": name, "partition": None, "metadata": {}, "description": None, "tags": {}} for name in ("after", "p", "q")],
}

INTENDED: Mapping[str, Intended] = {
    "automation_ticks.case_eager_update_after_the_asset_itself": Intended(
        "An upstream that was made after the asset itself is news, also when one tick sees both. Dagster takes the own update for the "
        "answer to all that this tick sees, whatever came first; dagwright's ticks follow events, and what comes of them must not hang on "
        "how many events a tick finds.",
        [[0, {}], [1, {"down": ["None"]}], [0, {}]],
    ),
    "clock_changes.case_days_that_begin_within_the_change_of_autumn": Intended(
        "Half past two comes twice when clocks are put back. dagwright takes the first, when cron and its own schedules fire; Dagster the "
        "second.",
        [
            ["2024-10-25T02:30:00+02:00", "2024-10-26T02:30:00+02:00"],
            ["2024-10-26T02:30:00+02:00", "2024-10-27T02:30:00+02:00"],
            ["2024-10-27T02:30:00+02:00", "2024-10-28T02:30:00+01:00"],
            ["2024-10-28T02:30:00+01:00", "2024-10-29T02:30:00+01:00"],
        ],
    ),
    "asset_checks.case_beside": Intended(
        "A check that returns True or False means its verdict. Dagster runs such a check and records nothing; dagwright records it.",
        {
            "success": True,
            "steps": {"table": ["success"], "table_has_rows": ["success"], "table_plain_answer": ["success"], "table_small": ["success"]},
            "records": [
                {**_CHECK, "check": "has_rows", "passed": True, "metadata": {"rows": ["IntMetadataValue", 3]}},
                {**_CHECK, "check": "plain_answer", "passed": True},
                {**_CHECK, "check": "small", "passed": False, "severity": "WARN", "description": "too many"},
                {"materialized": "table", "partition": None, "metadata": {"path": "a path"}, "description": None, "tags": {}},
            ],
        },
    ),
    "asset_chain.case_specs": Intended(
        "Kinds are in `kinds` alone and not a second time among the tags; `group_name` is what was written, `group` is the one in force.",
        [
            ["numbers", "where it begins", {"team": "north"}, ["team:north"], ["python"], "first", []],
            ["reports/daily/printed", None, {}, [], [], None, ["total"]],
        ],
    ),
    "asset_jobs.case_bare_key_in_text": Intended(
        "A key inside a larger selection may stand without `key:`; Dagster refuses that.", ["clean", "clean_positive", "raw"]
    ),
    "io_managers.case_built_contexts": Intended(
        "Of a context that a test builds, what was not given has a default name; Dagster raises where it is read.", 7
    ),
    "types.case_python_types": Intended(
        "A whole number is accepted where a float is declared, as type checkers do; Dagster fails the step.",
        [True, False, True, False, True, False, True],
    ),
    "check_kinds.case_in_asset_forgotten": Intended(
        "What a function said that it made is recorded, though it forgot a check and so fails.",
        {
            "success": False,
            "steps": {"own": ["failure"]},
            "records": [{"materialized": "own", "partition": None, "metadata": {}, "description": None, "tags": {}}],
        },
    ),
    "check_kinds.case_wrong_return": Intended(
        "A check that gives neither a verdict nor a bool fails; Dagster lets it pass and records nothing.",
        {
            "success": False,
            "steps": {"table": ["success"], "table_wrong": ["failure"]},
            "records": [{"materialized": "table", "partition": None, "metadata": {"path": "a path"}, "description": None, "tags": {}}],
        },
    ),
    "spec_values.case_nothing_said": Intended("`-> None` may be written on a function of several specs; Dagster refuses it.", _BOTH),
    "spec_values.case_list_of_results": Intended(
        "A list of results is as good as a tuple.",
        {**_BOTH, "records": [*_BOTH["records"][:2], {**_BOTH["records"][2], "metadata": {"a": ["IntMetadataValue", 1]}}]},
    ),
    "spec_values.case_results_with_values": Intended(
        "A value that a result carries is stored, also of a spec.",
        {**_BOTH, "records": [_BOTH["records"][0], *({**one, "metadata": {"path": "a path"}} for one in _BOTH["records"][1:])]},
    ),
}


def is_intended(case: str, ours: Any) -> bool:
    return case in INTENDED and INTENDED[case].ours == ours
