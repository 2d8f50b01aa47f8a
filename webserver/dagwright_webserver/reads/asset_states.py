"""What the store knows of assets: their state over all partitions, in numbers and in one word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot
from dagwright_webserver.reads.definitions import Definitions, pg_array
from dagwright_webserver.reads.runs import active_statuses


class AssetStatus(StrEnum):
    """The state of an asset in one word; with several partitions, the worst that needs attention."""

    MATERIALIZING = "MATERIALIZING"
    FAILED = "FAILED"
    """The newest try of some partition failed."""
    CHECK_FAILED = "CHECK_FAILED"
    """It has data, but a check of severity ERROR did not pass."""
    MATERIALIZED = "MATERIALIZED"
    MISSING = "MISSING"
    """Never materialized."""
    EXTERNAL = "EXTERNAL"
    """Made by somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetState:
    """What the store knows of an asset, over all of its partitions."""

    asset_id: int
    materialized: int = 0
    failed: int = 0
    materialized_at: datetime | None = None
    run_id: str | None = None
    code_version: str | None = None
    active_run_id: str | None = None
    checks_passed: int = 0
    checks_warned: int = 0
    checks_failed: int = 0
    freshness: FreshnessState | None = None
    """None: it has no freshness policy, or has not been judged yet."""
    freshness_since: datetime | None = None


UNKNOWN = AssetState(asset_id=0)
States = Mapping[tuple[str, str], AssetState]


def read_states(conn: Connection, defs: Definitions, keys: Iterable[AssetKey] | None = None) -> States:
    """(location, key as text) to state, for some assets or all that are defined."""
    if keys is None:
        rows = conn.execute(_ALL, defs.words).all()
    else:
        chosen = list(dict.fromkeys(keys))
        rows = conn.execute(_SOME, {**_checks_of(defs, chosen), "wanted": [key.to_user_string() for key in chosen]}).all()
    return {(row.location, row.key): _state(row) for row in rows}


class Mark(NamedTuple):
    """What a graph shows of the state of an asset."""

    status: AssetStatus | None
    """None: nothing is known of it."""
    materialized_at: datetime | None
    checks_failed: int


UNMARKED = Mark(None, None, 0)


def read_marks(conn: Connection, defs: Definitions, keys: Iterable[AssetKey] | None = None) -> Mapping[tuple[str, str], Mark]:
    """(location, key as text) to what a graph shows, for some assets or all."""
    if keys is None:
        rows = conn.execute(_ALL_MARKS, defs.words)
    else:
        chosen = list(keys)
        rows = conn.execute(_SOME_MARKS, {**defs.words, **_checks_of(defs, chosen), "wanted": [key.to_user_string() for key in chosen]})
    return {(place, key): Mark(_STATUSES[word], at, failed) for place, key, word, at, failed in map(tuple, rows)}


def read_words(conn: Connection, defs: Definitions, keys: Iterable[AssetKey] | None = None) -> Mapping[tuple[str, str], AssetStatus]:
    """(location, key as text) to the state in one word, for some assets or all."""
    if keys is None:
        rows = conn.execute(_ALL_WORDS, defs.words)
    else:
        chosen = list(keys)
        rows = conn.execute(_SOME_WORDS, {**defs.words, **_checks_of(defs, chosen), "wanted": [key.to_user_string() for key in chosen]})
    return {(place, key): _STATUSES[word] for place, key, word in map(tuple, rows)}


def status_of_mark(asset: AssetSnapshot, mark: Mark) -> AssetStatus:
    return status_of(asset, UNKNOWN) if mark.status is None else mark.status


def count_statuses(conn: Connection, defs: Definitions) -> dict[AssetStatus, int]:
    """How many assets are in each state."""
    found = {AssetStatus(word): count for word, count in conn.execute(_COUNTS, defs.words)}
    return {status: found.get(status, 0) for status in AssetStatus}


def keys_of_status(conn: Connection, defs: Definitions, status: AssetStatus) -> AbstractSet[tuple[str, str]]:
    """(location, key as text) of the assets in a state."""
    return {(row.location, row.key) for row in conn.execute(_OF_STATUS, {**defs.words, "status": str(status)})}


def _checks_of(defs: Definitions, keys: Iterable[AssetKey]) -> dict[str, str]:
    """The checks of some assets, as `Definitions.words` has those of all."""
    found = [(defs.ids.get((place, key.to_user_string()), 0), check.key.name) for key in keys for place, check in defs.checks.get(key, ())]
    return {"check_ids": pg_array(number for number, _ in found), "check_names": pg_array(name for _, name in found)}


def _state(row: Row[Any]) -> AssetState:
    return AssetState(
        asset_id=row.asset_id,
        materialized=row.materialized or 0,
        failed=row.failed or 0,
        materialized_at=row.materialized_at,
        run_id=row.run_id,
        code_version=row.code_version,
        active_run_id=row.active_run_id,
        checks_passed=row.passed or 0,
        checks_warned=row.warned or 0,
        checks_failed=row.checks_failed or 0,
        freshness=FreshnessState(row.freshness) if row.freshness is not None else None,
        freshness_since=row.since,
    )


def status_of(asset: AssetSnapshot | None, state: AssetState) -> AssetStatus:
    """The state of an asset in one word."""
    if state.active_run_id is not None:
        return AssetStatus.MATERIALIZING
    if state.failed:
        return AssetStatus.FAILED
    if state.checks_failed:
        return AssetStatus.CHECK_FAILED
    if state.materialized:
        return AssetStatus.MATERIALIZED
    if asset is None or asset.execution is AssetExecution.EXTERNAL:
        return AssetStatus.EXTERNAL
    return AssetStatus.MISSING


_ACTIVE = f"""
    SELECT x.asset_id, max(CAST(r.run_id AS text)) AS active_run_id FROM runs r JOIN run_assets x ON x.run_id = r.run_id
    WHERE r.status IN ({", ".join(f"'{status}'" for status in active_statuses())}) GROUP BY x.asset_id"""
# The newest result of each check that is defined, over all partitions: one look into an index for each.
_CHECKS = """
    SELECT w.asset_id, count(*) FILTER (WHERE c.passed) AS passed, count(*) FILTER (WHERE NOT c.passed AND c.severity = 'WARN') AS warned,
        count(*) FILTER (WHERE NOT c.passed AND c.severity <> 'WARN') AS checks_failed
    FROM unnest(CAST(:check_ids AS bigint[]), CAST(:check_names AS text[])) AS w(asset_id, name)
    CROSS JOIN LATERAL (SELECT r.passed, r.severity FROM check_results r WHERE r.asset_id = w.asset_id AND r.name = w.name
        ORDER BY r.evaluated_at DESC LIMIT 1) c
    GROUP BY w.asset_id"""


_STATES = f"""
WITH active AS ({_ACTIVE}), checks AS ({_CHECKS})
SELECT a.asset_id, a.location, a.key, t.materialized, t.failed, n.materialized_at, CAST(n.run_id AS text) AS run_id, n.code_version,
    active.active_run_id, checks.passed, checks.warned, checks.checks_failed, f.state AS freshness, f.since
FROM assets a
LEFT JOIN asset_totals t ON t.asset_id = a.asset_id
LEFT JOIN freshness_states f ON f.asset_id = a.asset_id
LEFT JOIN active ON active.asset_id = a.asset_id
LEFT JOIN checks ON checks.asset_id = a.asset_id
LEFT JOIN LATERAL (
    SELECT p.materialized_at, p.code_version, r.run_id FROM asset_partitions p LEFT JOIN runs r ON r.run_id = p.run_id
    WHERE p.asset_id = a.asset_id AND p.materialized_at IS NOT NULL ORDER BY p.materialized_at DESC NULLS LAST LIMIT 1) n ON true
"""
_ALL = text(f"{_STATES} WHERE a.defined")
_SOME = text(f"{_STATES} WHERE a.key = ANY(CAST(:wanted AS text[]))")


# What `status_of` says, for all assets at once.
_WORDS = f"""
WITH active AS ({_ACTIVE}), checks AS ({_CHECKS}), words AS (
SELECT a.asset_id, a.location, a.key, coalesce(checks.checks_failed, 0) AS checks_failed, CASE
    WHEN active.asset_id IS NOT NULL THEN 'MATERIALIZING' WHEN t.failed > 0 THEN 'FAILED' WHEN checks.checks_failed > 0 THEN 'CHECK_FAILED'
    WHEN t.materialized > 0 THEN 'MATERIALIZED' WHEN a.asset_id = ANY(CAST(:external_ids AS bigint[])) THEN 'EXTERNAL'
    ELSE 'MISSING' END AS word
FROM assets a
LEFT JOIN asset_totals t ON t.asset_id = a.asset_id
LEFT JOIN active ON active.asset_id = a.asset_id
LEFT JOIN checks ON checks.asset_id = a.asset_id
WHERE a.defined)"""
_COUNTS = text(f"{_WORDS} SELECT word, count(*) FROM words WHERE asset_id <> ALL(CAST(:shadowed_ids AS bigint[])) GROUP BY word")
_OF_STATUS = text(f"{_WORDS} SELECT location, key FROM words WHERE word = :status")
_ALL_WORDS = text(f"{_WORDS} SELECT location, key, word FROM words")
_SOME_WORDS = text(f"{_WORDS} SELECT location, key, word FROM words WHERE key = ANY(CAST(:wanted AS text[]))")
_MARKS = f"""{_WORDS} SELECT w.location, w.key, w.word, n.materialized_at, w.checks_failed FROM words w LEFT JOIN LATERAL (
    SELECT p.materialized_at FROM asset_partitions p WHERE p.asset_id = w.asset_id AND p.materialized_at IS NOT NULL
    ORDER BY p.materialized_at DESC NULLS LAST LIMIT 1) n ON true"""
_ALL_MARKS, _SOME_MARKS = text(_MARKS), text(f"{_MARKS} WHERE w.key = ANY(CAST(:wanted AS text[]))")
_STATUSES = {str(status): status for status in AssetStatus}
