"""Why a run waits: which limit, pool or time, held by which runs, since when, and how many are before it.

The reasons are those of `decide.queue`, by which the daemon starts runs, over the facts of now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from dagwright_shared.decide import queue as decide
from dagwright_shared.decide.queue import Facts, PoolUse, Wait
from dagwright_shared.model.backfills import BackfillStatus
from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.keys import LocationName, RunId
from dagwright_shared.model.limits import Granularity, Limits
from dagwright_shared.model.runs import ACTIVE, Run, RunStatus
from dagwright_shared.store import backfills, limits, locations, pools, queue, runs, tables
from dagwright_shared.store.pools import SlotRow
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import Moment, view

_SERVER_SILENCE = 15.0
"""Seconds without a heartbeat after which the daemon asks a code server for nothing."""
_DAEMON_SILENCE = timedelta(seconds=30)
_HOLDERS = 50


@view
class HolderView:
    """A run that has what another waits for."""

    run_id: str
    """UUID."""
    job: str | None
    """Its job; null when assets were picked freely."""
    step_key: str | None
    """The step that holds the slot, where steps claim them."""
    since: Moment | None
    """Since when it has its place or slot."""


@view
class ReasonView:
    """One thing that a run, or a step of it, waits for."""

    kind: str
    """not_before, location, limit, reserved, location_limit, tag_limit, pool, backfill, daemon or turn."""
    message: str
    """In a sentence."""
    name: str | None
    """The location, tag or pool."""
    limit: int | None
    """How many may have it at once."""
    used: int | None
    """How many do."""
    holders: tuple[HolderView, ...]
    """Who has it, the longest first; the first fifty."""
    until: Moment | None
    """When it is over, where that is known."""


@view
class StepWaitView:
    """A step of a run that has started, which waits for a slot of its pool."""

    step_key: str
    """The step."""
    pool: str
    """The pool."""
    since: Moment
    """When it asked."""
    position: int
    """How many steps are before it."""
    reason: ReasonView
    """What it waits for."""


@view
class WaitingView:
    """Why a run waits."""

    run_id: str
    """UUID."""
    status: str
    """Where the run is in its life."""
    waiting: bool
    """Whether it, or one of its steps, waits for something."""
    message: str
    """The answer in one sentence."""
    since: Moment | None
    """Since when it waits."""
    position: int | None
    """How many queued runs are before it; null once it has left the queue."""
    reasons: tuple[ReasonView, ...]
    """All that holds the run in the queue."""
    steps: tuple[StepWaitView, ...]
    """Steps that wait for slots."""


def read_waiting(conn: Connection, defs: Definitions, run_id: str, settings: Limits) -> WaitingView:
    """The answer for one run.

    Raises:
        NotFoundError: there is no such run.
    """
    run = runs.get(conn, run_id)
    if run is None:
        raise NotFoundError("run", run_id)
    force = limits.read(conn, settings)
    if run.status is RunStatus.QUEUED:
        return _queued(conn, defs, run, force)
    steps = _steps(conn, run, force) if run.status in ACTIVE else ()
    if steps:
        names = ", ".join(dict.fromkeys(repr(step.pool) for step in steps))
        count = f"{len(steps)} steps wait" if len(steps) > 1 else f"Step {steps[0].step_key!r} waits"
        message = f"{count} for slots of pool {names}."
    else:
        message = f"The run waits for nothing: it is {run.status}."
    return WaitingView(
        run_id=run.run_id,
        status=run.status,
        waiting=bool(steps),
        message=message,
        since=min((step.since for step in steps), default=None),
        position=None,
        reasons=(),
        steps=steps,
    )


def sentences(conn: Connection, defs: Definitions, queued: Sequence[RunId], settings: Limits) -> Mapping[str, str]:
    """For each of these runs that is queued, why it waits, in a sentence."""
    found = [run for run in runs.get_many(conn, queued) if run.status is RunStatus.QUEUED] if queued else []
    if not found:
        return {}
    facts, _ = _facts(conn, defs, limits.read(conn, settings), found)
    return {run.run_id: waits[0].message for run in found if (waits := decide.reasons(run, facts))}


def _is_canceling(conn: Connection, backfill_id: str) -> bool:
    found = backfills.get(conn, backfill_id)
    return found is not None and found.status is BackfillStatus.CANCELING


def _queued(conn: Connection, defs: Definitions, run: Run, force: Limits) -> WaitingView:
    facts, slots = _facts(conn, defs, force, [run])
    active = {each.run_id: each for each in facts.active}
    reasons = [_reason(wait, active, slots) for wait in decide.reasons(run, facts)]
    position = queue.position(conn, run)
    if run.backfill is not None and _is_canceling(conn, run.backfill.backfill_id):
        reasons = [_plain("backfill", "Its backfill is being canceled: it will not start.")]
    if not _daemon_alive(conn, facts.now):
        reasons.insert(0, _plain("daemon", "No daemon is running, so nothing is launched. Start one with: dagwright daemon"))
    if not reasons:
        said = f"It starts after the {position} runs before it." if position > 1 else "It is about to start."
        reasons.append(_plain("turn", said))
    return WaitingView(
        run_id=run.run_id,
        status=run.status,
        waiting=True,
        message=reasons[0].message,
        since=run.created_at,
        position=position,
        reasons=tuple(reasons),
        steps=(),
    )


def _facts(conn: Connection, defs: Definitions, force: Limits, wanted: Sequence[Run]) -> tuple[Facts, Mapping[str, list[SlotRow]]]:
    now = conn.execute(select(func.clock_timestamp())).scalar_one()
    alive = {server.location for server in locations.servers(conn) if server.heartbeat_age < _SERVER_SILENCE}
    facts = Facts(limits=force, now=now, active=tuple(queue.active(conn)), locations=alive)
    if force.pool_granularity is not Granularity.RUN:
        return facts, {}
    of_runs = {run.run_id: _pools(defs, run) for run in wanted}
    names = {name for each in of_runs.values() for name in each}
    slots: dict[str, list[SlotRow]] = {name: [] for name in names}
    for slot in pools.slots(conn, names):
        slots[slot.pool].append(slot)
    use = {
        name: PoolUse(slots=total, used=used, holders=tuple(slot.run_id for slot in slots.get(name, ())))
        for name, (used, total) in pools.usage(conn, force).items()
    }
    return Facts(limits=force, now=now, active=facts.active, locations=alive, pools=use, wanted=of_runs), slots


def _pools(defs: Definitions, run: Run) -> frozenset[str]:
    snapshot = defs.locations.get(LocationName(run.location))
    return frozenset() if snapshot is None else decide.pools_of(snapshot, run)


def _steps(conn: Connection, run: Run, force: Limits) -> tuple[StepWaitView, ...]:
    mine = [slot for slot in pools.slots(conn, run_id=run.run_id) if slot.acquired_at is None]
    if not mine:
        return ()
    names = {slot.pool for slot in mine}
    by_pool: dict[str, list[SlotRow]] = {name: [] for name in names}
    for slot in pools.slots(conn, names):
        by_pool[slot.pool].append(slot)
    totals = {name: total for name, (_, total) in pools.usage(conn, force).items()}
    return tuple(_step(slot, by_pool[slot.pool], totals.get(slot.pool)) for slot in mine)


def _step(slot: SlotRow, of_pool: Sequence[SlotRow], total: int | None) -> StepWaitView:
    held = [each for each in of_pool if each.acquired_at is not None]
    waiting = [(each.run_id, each.step_key) for each in of_pool if each.acquired_at is None]
    said = f"All slots of pool {slot.pool!r} are in use ({len(held)} of {total})."
    if total == 0:
        said = f"Pool {slot.pool!r} has no slots: set some with: dagwright pool set {slot.pool} 1"
    reason = ReasonView(
        kind="pool",
        message=said,
        name=slot.pool,
        limit=total,
        used=len(held),
        holders=tuple(_slot_holder(each) for each in held[:_HOLDERS]),
        until=None,
    )
    position = waiting.index((slot.run_id, slot.step_key))
    return StepWaitView(step_key=slot.step_key, pool=slot.pool, since=slot.requested_at, position=position, reason=reason)


def _slot_holder(slot: SlotRow) -> HolderView:
    return HolderView(run_id=slot.run_id, job=slot.job_name, step_key=slot.step_key or None, since=slot.acquired_at)


def _reason(wait: Wait, active: Mapping[RunId, Run], slots: Mapping[str, Sequence[SlotRow]]) -> ReasonView:
    holders = tuple(
        HolderView(run_id=run.run_id, job=run.job_name, step_key=None, since=run.claimed_at)
        for run_id in wait.holders[:_HOLDERS]
        if (run := active.get(run_id)) is not None
    )
    if wait.kind is decide.WaitKind.POOL:
        holders = tuple(_slot_holder(slot) for slot in slots.get(wait.name or "", ())[:_HOLDERS])
    return ReasonView(
        kind=wait.kind, message=wait.message, name=wait.name, limit=wait.limit, used=wait.used, holders=holders, until=wait.until
    )


def _plain(kind: str, message: str) -> ReasonView:
    return ReasonView(kind=kind, message=message, name=None, limit=None, used=None, holders=(), until=None)


def _daemon_alive(conn: Connection, now: datetime) -> bool:
    newest = conn.execute(select(func.max(tables.daemons.c.heartbeat_at))).scalar()
    return newest is not None and now - newest < _DAEMON_SILENCE
