"""The composition root of a run: a forked process that plans and executes one run and streams what happens."""

from __future__ import annotations

import logging
import os
import signal
import socket

from dagwright.authoring.definitions import Definitions
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.ports import NO_HISTORY, AskedKeys
from dagwright.execution.run import execute
from dagwright.planning.plan import plan_run
from dagwright.server import history, origin
from dagwright.server.sink import ChannelSink
from dagwright_shared.model.errors import error_info
from dagwright_shared.model.events import AssetFailed, RunFailed
from dagwright_shared.model.runs import LaunchSpec
from dagwright_shared.runtime.process import kill_session

log = logging.getLogger("dagwright.worker")


def run(definitions: Definitions, channel: socket.socket, spec: LaunchSpec) -> None:
    """Execute a run to its end; returns once its last event is committed."""
    sink = ChannelSink(channel, spec, lost=_end)
    cancellation = Cancellation()
    cancellation.install((signal.SIGTERM,))
    try:
        instance = history.of_this_process()
        plan = plan_run(
            definitions,
            job_name=spec.job_name,
            asset_keys=spec.asset_keys,
            check_keys=spec.check_keys,
            only_checks=spec.only_checks,
            step_keys=spec.step_keys,
            partition=spec.partition,
            partition_end=spec.partition_end,
            config=spec.config,
            inherited=spec.inherited,
            # A single partition was looked up when the run was asked for; of a range the keys in between are needed.
            dynamic=AskedKeys(instance.history) if instance is not None and spec.partition_end is not None else None,
        )
        execute(
            definitions,
            plan,
            spec=spec,
            sink=sink,
            cancellation=cancellation,
            history=instance.history if instance is not None else NO_HISTORY,
            instance=instance,
            origin=origin.of_this_process(),
        )
    except Exception as error:  # noqa: BLE001 - the run must end with a status, whatever is wrong
        # A request that no longer fits the definitions, or a fault of our own: `execute` handles user errors itself.
        for key in spec.asset_keys:
            sink.emit(
                AssetFailed(
                    asset_key=key,
                    partition=spec.partition,
                    reason="the run could not start",
                )
            )
        sink.emit(
            RunFailed(
                error=error_info(error),
                reason="the run could not be planned or executed",
            )
        )
    sink.close()


def _end(reason: str) -> None:
    """Nobody records this run any more: end the worker with all its processes."""
    os.write(2, f"run worker {os.getpid()} ends itself: {reason}\n".encode())
    kill_session(os.getsid(0))  # includes this process
