"""Pools: names under which steps, or whole runs, share a number of slots.

A slot is a lease of the attempt that holds it: the row names the run, its epoch, the step and the step's attempt, and goes with any of
them. `release` and `release_runs` are called in the transaction that ends the attempt; nobody grants there. Whoever waits hears
`pools` and calls `grant`, which takes the lock of the pool first, so that a slot is never given twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.keys import RunId, StepKey
from dagwright_shared.model.limits import Granularity, Limits
from dagwright_shared.store import json_rows, listen

TOPIC = "pools"
"""Notified when slots become free, or a pool changes."""
_MOST_SLOTS = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotClaim:
    """A step attempt that wants a slot."""

    run_id: RunId
    epoch: int
    step_key: StepKey
    attempt: int
    pool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRow:
    """A slot that is held, or waited for."""

    pool: str
    run_id: RunId
    step_key: StepKey
    """Empty: the run as a whole."""
    attempt: int
    background: bool
    priority: int
    requested_at: datetime
    acquired_at: datetime | None
    """None: it waits."""
    job_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    name: str
    slots: int | None
    """None: nobody has set a limit, and the deployment has no default."""
    used: int
    waiting: int
    defined: bool
    """Whether somebody has set its slots; else the default of the deployment holds."""


def define(conn: Connection, name: str, slots: int) -> None:
    """Set how many slots a pool has; fewer than are in use lets those finish.

    Raises:
        InvalidRequestError: no name, or a number that is not 0 .. 2,147,483,647.
    """
    problems = []
    if not name.strip():
        problems.append(Problem(path="name", message="a pool needs a name", value=name))
    if not 0 <= slots <= _MOST_SLOTS:
        problems.append(Problem(path="slots", message=f"give 0 to {_MOST_SLOTS:,}", value=slots))
    if problems:
        raise InvalidRequestError(f"Pool {name!r} cannot have {slots} slots", problems=problems)
    conn.execute(_DEFINE, {"name": name, "slots": slots})
    listen.notify(conn, TOPIC, "queue")


def remove(conn: Connection, name: str) -> bool:
    """Forget the limit of a pool: the deployment's default holds from then on. False: there was none."""
    removed = bool(conn.execute(text("DELETE FROM pools WHERE name = :name"), {"name": name}).rowcount)
    if removed:
        listen.notify(conn, TOPIC, "queue")
    return removed


def list(conn: Connection, limits: Limits) -> tuple[PoolRow, ...]:
    """All pools that have a limit, are in use or are waited for, by name."""
    return tuple(
        PoolRow(
            name=row.name,
            slots=row.slots if row.slots is not None else limits.default_pool_slots,
            used=row.used,
            waiting=row.waiting,
            defined=row.slots is not None,
        )
        for row in conn.execute(_LIST)
    )


def slots(conn: Connection, pool_names: Collection[str] | None = None, run_id: RunId | None = None) -> tuple[SlotRow, ...]:
    """Who holds and who waits, in the order of being served: holders first, the one that has held longest at the top.

    Args:
        pool_names: of these pools; None means all.
        run_id: only of this run.
    """
    parameters = {"pools": None if pool_names is None else [*pool_names], "run_id": run_id}
    return tuple(_slot(row) for row in conn.execute(_SLOTS, parameters))


def usage(conn: Connection, limits: Limits) -> dict[str, tuple[int, int | None]]:
    """For each pool that is limited or used: the slots in use, and how many there are (None: any number)."""
    return {pool.name: (pool.used, pool.slots) for pool in list(conn, limits)}


def ask(conn: Connection, claims: Sequence[SlotClaim], limits: Limits) -> set[tuple[RunId, StepKey]]:
    """Have step attempts wait for their slots, and grant what is free. A repeated call changes nothing.

    An attempt that is not its run's current one, or whose run is ending, gets nothing, and leaves nothing behind.

    Returns:
        Those that hold their slot now.
    """
    if limits.pool_granularity is Granularity.RUN:
        return {(claim.run_id, claim.step_key) for claim in claims}  # the queue has taken slots for the whole run
    live = {RunId(str(row.run_id)): row for row in conn.execute(_LOCK_RUNS, {"ids": sorted({claim.run_id for claim in claims})})}
    kept = [claim for claim in claims if (row := live.get(claim.run_id)) is not None and row.epoch == claim.epoch]
    if not kept:
        return set()
    fresh = [claim.run_id for claim in kept if not live[claim.run_id].pooled]
    if fresh:
        conn.execute(_MARK, {"ids": fresh})
    conn.execute(_ASK, {"rows": json_rows.dumps([_claim_row(claim, live[claim.run_id]) for claim in kept])})
    grant(conn, {claim.pool for claim in kept}, limits)
    return held(conn, kept)


def grant(conn: Connection, names: Iterable[str], limits: Limits) -> int:
    """Give free slots to those who wait, in order: others before background runs, higher priority first, then who asked first."""
    ordered = sorted(set(names))
    if not ordered:
        return 0
    conn.execute(_LOCK_POOLS, {"pools": ordered})
    # A statement of its own for each: it must see what was committed before the lock was had.
    return sum(conn.execute(_GRANT, {"pool": name, "default": limits.default_pool_slots}).rowcount for name in ordered)


def held(conn: Connection, claims: Sequence[SlotClaim]) -> set[tuple[RunId, StepKey]]:
    """Which of these hold their slot."""
    rows = [{"r": claim.run_id, "e": claim.epoch, "s": claim.step_key, "a": claim.attempt, "p": claim.pool} for claim in claims]
    return {(RunId(str(row.run_id)), StepKey(row.step_key)) for row in conn.execute(_HELD, {"rows": json_rows.dumps(rows)})}


def hold(conn: Connection, wanted: Mapping[tuple[RunId, int], Collection[str]]) -> None:
    """Slots for whole runs that have just been claimed, by run and epoch; the caller has locked the pools and counted."""
    rows = [{"pool": pool, "run_id": run_id, "epoch": epoch} for (run_id, epoch), names in wanted.items() for pool in sorted(names)]
    if rows:
        conn.execute(_HOLD, {"rows": json_rows.dumps(rows)})
        conn.execute(_MARK, {"ids": sorted({run_id for run_id, _ in wanted})})


def lock(conn: Connection, names: Collection[str]) -> None:
    """Nobody else grants slots of these pools until the transaction ends."""
    conn.execute(_LOCK_POOLS, {"pools": sorted(set(names))})


def release(conn: Connection, ended: Sequence[tuple[RunId, StepKey, int]]) -> int:
    """Free the slots of step attempts (up to the given one) that have ended."""
    if not ended:
        return 0
    rows = [{"run_id": run_id, "step_key": step_key, "attempt": attempt} for run_id, step_key, attempt in ended]
    return _freed(conn, conn.execute(_RELEASE, {"rows": json_rows.dumps(rows)}).rowcount)


def release_runs(conn: Connection, run_ids: Collection[RunId]) -> int:
    """Free all that these runs hold or wait for: they have ended, or their worker is gone."""
    return _freed(conn, conn.execute(_RELEASE_RUNS, {"ids": [*run_ids]}).rowcount) if run_ids else 0


def withdraw(conn: Connection, run_id: RunId, epoch: int, step_key: StepKey) -> bool:
    """A step attempt does not want its slot any more: it has not started, and will not."""
    return bool(_freed(conn, conn.execute(_WITHDRAW, {"run_id": run_id, "epoch": epoch, "step_key": step_key}).rowcount))


def _freed(conn: Connection, count: int) -> int:
    if count:
        listen.notify(conn, TOPIC)
    return count


def _claim_row(claim: SlotClaim, run: Any) -> dict[str, Any]:
    return {
        "pool": claim.pool,
        "run_id": claim.run_id,
        "step_key": claim.step_key,
        "epoch": claim.epoch,
        "attempt": claim.attempt,
        "background": run.background,
        "priority": run.priority,
    }


def _slot(row: Any) -> SlotRow:
    return SlotRow(
        pool=row.pool,
        run_id=RunId(str(row.run_id)),
        step_key=StepKey(row.step_key),
        attempt=row.attempt,
        background=row.background,
        priority=row.priority,
        requested_at=row.requested_at,
        acquired_at=row.acquired_at,
        job_name=row.job_name,
    )


_DEFINE = text("INSERT INTO pools (name, slots) VALUES (:name, :slots) ON CONFLICT (name) DO UPDATE SET slots = EXCLUDED.slots")
_LIST = text("""
SELECT coalesce(p.name, s.pool) AS name, p.slots, coalesce(s.used, 0) AS used, coalesce(s.waiting, 0) AS waiting
FROM pools p FULL JOIN (
    SELECT pool, count(*) FILTER (WHERE acquired_at IS NOT NULL) AS used, count(*) FILTER (WHERE acquired_at IS NULL) AS waiting
    FROM pool_slots GROUP BY pool) s ON s.pool = p.name
ORDER BY 1
""")
_ORDER = "background, priority DESC, requested_at, run_id, step_key"
_SLOTS = text(f"""
SELECT s.*, r.job_name FROM pool_slots s JOIN runs r USING (run_id)
WHERE (CAST(:pools AS text[]) IS NULL OR s.pool = ANY(CAST(:pools AS text[]))) AND (CAST(:run_id AS uuid) IS NULL OR s.run_id = :run_id)
ORDER BY s.pool, s.acquired_at NULLS LAST, {", ".join(f"s.{part}" for part in _ORDER.split(", "))}
""")
# In the order of ids, as the hub does it. A run that is being canceled starts no more steps.
_LOCK_RUNS = text("""
SELECT run_id, epoch, pooled, background, priority FROM runs
WHERE run_id = ANY(CAST(:ids AS uuid[])) AND status IN ('STARTING', 'STARTED') ORDER BY run_id FOR NO KEY UPDATE
""")
_MARK = text("UPDATE runs SET pooled = true WHERE run_id = ANY(CAST(:ids AS uuid[]))")
_LOCK_POOLS = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('dagwright pool ' || p, 0)) FROM unnest(CAST(:pools AS text[])) WITH ORDINALITY u(p, n)"
)
_ASK = text("""
INSERT INTO pool_slots (pool, run_id, step_key, epoch, attempt, background, priority)
SELECT pool, run_id, step_key, epoch, attempt, background, priority FROM json_to_recordset(CAST(:rows AS json)) AS r(
    pool text, run_id uuid, step_key text, epoch integer, attempt integer, background boolean, priority integer)
ON CONFLICT (pool, run_id, step_key) DO UPDATE SET epoch = EXCLUDED.epoch, attempt = EXCLUDED.attempt,
    requested_at = clock_timestamp(), acquired_at = NULL
WHERE (pool_slots.epoch, pool_slots.attempt) <> (EXCLUDED.epoch, EXCLUDED.attempt)
""")
# LIMIT NULL is no limit. Materialized, since a join may run a subquery again for each of its rows, and would find others each time.
_GRANT = text(f"""
WITH next AS MATERIALIZED (
    SELECT run_id, step_key FROM pool_slots WHERE pool = :pool AND acquired_at IS NULL ORDER BY {_ORDER}
    LIMIT (SELECT CASE WHEN has.slots IS NOT NULL THEN greatest(0, has.slots - used.count) END
           FROM (SELECT coalesce((SELECT slots FROM pools WHERE name = :pool), CAST(:default AS integer)) AS slots) AS has,
                (SELECT count(*) FROM pool_slots WHERE pool = :pool AND acquired_at IS NOT NULL) AS used)
    FOR UPDATE SKIP LOCKED)
UPDATE pool_slots SET acquired_at = clock_timestamp() FROM next
WHERE pool_slots.pool = :pool AND pool_slots.run_id = next.run_id AND pool_slots.step_key = next.step_key
""")
_HELD = text("""
SELECT s.run_id, s.step_key FROM pool_slots s JOIN json_to_recordset(CAST(:rows AS json)) AS w(r uuid, e integer, s text, a integer, p text)
    ON s.pool = w.p AND s.run_id = w.r AND s.step_key = w.s AND s.epoch = w.e AND s.attempt = w.a
WHERE s.acquired_at IS NOT NULL
""")
_HOLD = text("""
INSERT INTO pool_slots (pool, run_id, epoch, acquired_at)
SELECT pool, run_id, epoch, clock_timestamp() FROM json_to_recordset(CAST(:rows AS json)) AS r(pool text, run_id uuid, epoch integer)
ON CONFLICT (pool, run_id, step_key) DO UPDATE SET epoch = EXCLUDED.epoch, acquired_at = clock_timestamp()
""")
_RELEASE = text("""
DELETE FROM pool_slots s USING json_to_recordset(CAST(:rows AS json)) AS r(run_id uuid, step_key text, attempt integer)
WHERE s.run_id = r.run_id AND s.step_key = r.step_key AND s.attempt <= r.attempt
""")
_RELEASE_RUNS = text("DELETE FROM pool_slots WHERE run_id = ANY(CAST(:ids AS uuid[]))")
_WITHDRAW = text("DELETE FROM pool_slots WHERE run_id = :run_id AND epoch = :epoch AND step_key = :step_key")
