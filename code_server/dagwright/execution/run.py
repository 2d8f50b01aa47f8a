"""A run, from its first event to its last."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from dagwright.execution.cancellation import Cancellation, RunInterrupted
from dagwright.execution.executors import Executor
from dagwright.execution.executors.choice import choose
from dagwright.execution.ports import NO_HISTORY, EventSink, History
from dagwright.execution.progress import Progress
from dagwright.execution.scope import Kept, RunHistory, RunScope
from dagwright.planning.state import Phase
from dagwright.planning.steps import ExecutionPlan, planned
from dagwright_shared.model.errors import error_info
from dagwright_shared.model.events import RunCanceled, RunFailed, RunStarted, RunSucceeded
from dagwright_shared.model.runs import LaunchSpec, RunStatus


def execute(  # noqa: PLR0913 - what a run is tied to
    definitions: Any,
    plan: ExecutionPlan,
    *,
    spec: LaunchSpec,
    sink: EventSink,
    cancellation: Cancellation,
    history: History = NO_HISTORY,
    executor: Executor | None = None,
    captures: bool = True,
    instance: Any = None,
    kept: Kept | None = None,
    origin: Callable[[], Any] | None = None,
) -> RunStatus:
    """Execute a plan and tell the sink all that happens; returns the final status.

    Trouble of user code is told as events and never raised; a fault of dagwright itself ends the run as failed.

    Args:
        definitions: what the plan was made from.
        spec: identity and limits of the run.
        cancellation: asked to stop, the run starts nothing more, stops what runs, and ends as CANCELED.
        history: what is known of assets that this run does not make.
        executor: in place of the plan's own.
        captures: whether to catch what steps print.
        instance: what `context.instance` gives to user code.
        kept: filled with values and exceptions by an executor that runs in this process.
        origin: gives the definitions in another process, for executors that run steps elsewhere; it can be pickled.
    """
    del definitions  # the plan holds what is needed; the argument keeps the definitions alive for it
    scope = RunScope(
        plan=plan,
        spec=spec,
        sink=sink,
        cancellation=cancellation,
        history=RunHistory(history),
        captures=captures,
        instance=instance,
        kept=kept,
        origin=origin,
    )
    runner = executor or choose(plan, instance)
    sink.emit(RunStarted(pid=os.getpid(), host=socket.gethostname(), executor=runner.name, steps=planned(plan.steps)))
    # On its way before any user code: a run that dies from here on has started, and is not launched again as if it had not.
    sink.flush()
    progress = Progress(scope)
    try:
        progress.begin()
        runner.run(scope, progress)
    except RunInterrupted:
        progress.stop()
    except Exception as error:  # noqa: BLE001 - the run must end with a status, also by a fault of our own
        progress.give_up("dagwright itself failed")
        sink.emit(RunFailed(error=error_info(error), reason="dagwright itself failed while it executed the run"))
        sink.flush()
        return RunStatus.FAILURE
    return _conclude(progress, sink, cancellation)


def _conclude(progress: Progress, sink: EventSink, cancellation: Cancellation) -> RunStatus:
    failed = progress.failed_steps()
    if progress.state.in_phase(Phase.CANCELED):
        sink.emit(RunCanceled(reason=cancellation.reason))
        status = RunStatus.CANCELED
    elif failed:
        names = ", ".join(failed[:5]) + (" ..." if len(failed) > 5 else "")
        sink.emit(RunFailed(failed_steps=failed, reason=f"{len(failed)} step{'s' if len(failed) > 1 else ''} failed: {names}"))
        status = RunStatus.FAILURE
    else:
        sink.emit(RunSucceeded())
        status = RunStatus.SUCCESS
    sink.flush()
    return status
