"""External processes under each executor: their reports, what they print, and what becomes of them when the run is canceled."""

from __future__ import annotations

import os
import sys
import textwrap

import pytest

import dagwright as dg
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors.coroutines import AsyncioExecutor
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.execution.executors.threads import ThreadsExecutor
from dagwright.execution.ports import MemorySink
from dagwright_shared.model.events import AssetMaterialized, LogMessage, LogStream
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit

EXECUTORS = {
    "in_process": InProcessExecutor,
    "multiprocess": lambda: MultiprocessExecutor(2),
    "threads": ThreadsExecutor,
    "asyncio": AsyncioExecutor,
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))


def asset_of(tmp_path, body, **options):
    script = tmp_path / "child.py"
    script.write_text("from dagster_pipes import open_dagster_pipes\n" + textwrap.dedent(body))
    client = dg.PipesSubprocessClient(**options)

    @dg.asset
    def table(context: dg.AssetExecutionContext):
        return client.run(command=[sys.executable, str(script)], context=context).get_materialize_result()

    return table


@pytest.mark.parametrize("name", list(EXECUTORS))
def test_reports_and_output(tmp_path, name):
    table = asset_of(
        tmp_path,
        """
        import sys
        with open_dagster_pipes() as pipes:
            print("printed")
            print("told", file=sys.stderr)
            pipes.log_external_stream("stdout", "streamed\\n")
            pipes.log.warning("x" * 50_000)
            pipes.report_asset_materialization(metadata={"n": 1})
        """,
    )
    ran = run(table, executor=EXECUTORS[name](), assets=["table"])
    assert ran.status is RunStatus.SUCCESS
    assert ran.of(AssetMaterialized)[0].metadata["n"].value == 1
    assert any(message.message == "x" * 50_000 for message in ran.of(LogMessage))
    out = ran.sink.output("table", LogStream.STDOUT)
    assert b"printed" in out
    assert b"streamed" in out
    assert b"told" in ran.sink.output("table", LogStream.STDERR)


class StopOn(MemorySink):
    """Asks the run to stop once the external process says its id."""

    def __init__(self, cancellation):
        super().__init__()
        self._cancellation = cancellation
        self.pid = None

    def emit(self, payload, step_key=None):
        super().emit(payload, step_key)
        if isinstance(payload, LogMessage) and payload.message.startswith("pid "):
            self.pid = int(payload.message.split()[1])
            self._cancellation.request("enough")


@pytest.mark.parametrize("name", ["multiprocess", "threads", "asyncio"])
def test_a_canceled_run_ends_the_process(tmp_path, name):
    table = asset_of(
        tmp_path,
        """
        import os, signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with open_dagster_pipes() as pipes:
            pipes.log.info("pid %s", os.getpid())
            time.sleep(120)
        """,
        termination_timeout_seconds=0.3,
    )
    cancellation = Cancellation()
    sink = StopOn(cancellation)
    ran = run(table, executor=EXECUTORS[name](), assets=["table"], cancellation=cancellation, sink=sink)
    cancellation.close()
    assert ran.status is RunStatus.CANCELED
    with pytest.raises(ProcessLookupError):
        os.kill(sink.pid, 0)
