"""How far a run is: what pages that are open are told, however much the run says."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.store import tables
from dagwright_webserver.reads import runs
from dagwright_webserver.reads.view import view


@view
class RunProgress:
    """How far a run is."""

    status: RunStatus
    """Where it is in its life."""
    last_seq: int
    """Number of its newest event."""
    step_counts: Mapping[str, int]
    """Number of steps by status."""
    attempts: int
    """Attempts of all steps together."""


def read_progress(conn: Connection, run_id: str) -> RunProgress:
    """How far a run is, in a few numbers.

    Raises:
        NotFoundError: there is no such run.
    """
    state = runs.run_state(conn, run_id)
    if state is None:
        raise NotFoundError("run", run_id)
    s = tables.steps.c
    rows = conn.execute(select(s.status, func.count(), func.sum(s.attempt)).where(s.run_id == run_id).group_by(s.status)).all()
    counts = {row[0]: row[1] for row in sorted(rows)}
    return RunProgress(status=state[0], last_seq=state[1], step_counts=counts, attempts=int(sum(row[2] for row in rows)))
