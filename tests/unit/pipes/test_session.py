"""Sessions with real child processes that use the unmodified dagster-pipes package."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import pytest

import dagwright as dg
from dagwright.execution.cancellation import Cancellation
from dagwright_shared.model.events import AssetMaterialized, CheckEvaluated, EngineMessage, LogLevel, LogMessage, StepFailed

pytestmark = pytest.mark.unit


@pytest.fixture
def script(tmp_path):
    def write(body: str) -> list[str]:
        path = tmp_path / "child.py"
        path.write_text("from dagster_pipes import open_dagster_pipes, PipesContext\n" + textwrap.dedent(body))
        return [sys.executable, str(path)]

    return write


def run_asset(
    command, *, client=None, take=lambda invocation: invocation.get_materialize_result(), raise_on_error=True, extras=None, **options
):
    @dg.asset(**options)
    def table(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
        return take(pipes.run(command=command, context=context, extras=extras))

    return dg.materialize([table], resources={"pipes": client or dg.PipesSubprocessClient()}, raise_on_error=raise_on_error)


def logs(result):
    return [(m.level, m.message) for e in result.events if isinstance(m := e.payload, LogMessage)]


def payloads(result, kind):
    return [e.payload for e in result.events if isinstance(e.payload, kind)]


REPORT = """
    with open_dagster_pipes() as pipes:
        pipes.log.info("making %s", pipes.asset_key)
        pipes.log.warning("careful")
        print("hello from the child")
        pipes.report_asset_materialization(
            metadata={"rows": 3, "where": {"type": "url", "raw_value": "http://x"}}, data_version="v1"
        )
        pipes.report_asset_check("positive", passed=True, severity="WARN", metadata={"least": 1.5})
        pipes.report_custom_message({"tail": [1, 2]})
"""


@pytest.mark.parametrize("injector", [dg.PipesEnvContextInjector, dg.PipesTempFileContextInjector])
def test_a_child_reports(script, injector):
    custom = []

    def take(invocation):
        custom.extend(invocation.get_custom_messages())
        return invocation.get_materialize_result()

    result = run_asset(
        script(REPORT),
        client=dg.PipesSubprocessClient(context_injector=injector()),
        take=take,
        check_specs=[dg.AssetCheckSpec("positive", asset="table")],
    )
    (made,) = payloads(result, AssetMaterialized)
    assert made.metadata["rows"].value == 3
    assert made.metadata["where"] == dg.MetadataValue.url("http://x")
    assert made.data_version == "v1"
    (check,) = payloads(result, CheckEvaluated)
    assert check.passed
    assert check.severity.value == "WARN"
    assert custom == [{"tail": [1, 2]}]
    assert (LogLevel.INFO, "making table") in logs(result)
    assert (LogLevel.WARNING, "careful") in logs(result)
    assert not [text for level, text in logs(result) if "[pipes]" in text and level >= LogLevel.WARNING]


def test_the_child_s_context(script):
    command = script("""
        with open_dagster_pipes() as pipes:
            window = pipes.partition_time_window
            pipes.report_custom_message({
                "key": pipes.asset_key, "version": pipes.code_version, "partition": pipes.partition_key,
                "start": window["start"], "end": window["end"], "range": pipes.partition_key_range,
                "extra": pipes.get_extra("limit"), "retry": pipes.retry_number, "run": pipes.run_id, "job": pipes.job_name,
                "provenance": pipes.provenance,
            })
    """)
    seen = {}

    @dg.asset(key=["raw", "a\\b"], code_version="7", partitions_def=dg.DailyPartitionsDefinition(start_date="2024-01-01"))
    def table(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
        invocation = pipes.run(command=command, context=context, extras={"limit": 5})
        seen.update(invocation.get_custom_messages()[0])
        return invocation.get_materialize_result()

    result = dg.materialize([table], resources={"pipes": dg.PipesSubprocessClient()}, partition_key="2024-01-02")
    assert seen["key"] == "raw/a\\\\b"
    assert (seen["version"], seen["partition"], seen["extra"], seen["retry"]) == ("7", "2024-01-02", 5, 0)
    assert seen["start"].startswith("2024-01-02T00:00:00")
    assert seen["end"].startswith("2024-01-03T00:00:00")
    assert seen["range"] == {"start": "2024-01-02", "end": "2024-01-02"}
    assert seen["run"] == result.run_id


def test_messages_arrive_while_the_child_runs(script, tmp_path):
    seen = tmp_path / "seen"
    command = script(f"""
        import pathlib, sys, time
        with open_dagster_pipes() as pipes:
            pipes.log.info("now")
            deadline = time.monotonic() + 60
            while not pathlib.Path({str(seen)!r}).exists():
                if time.monotonic() > deadline:
                    sys.exit("the step did not see the line")
                time.sleep(0.01)
    """)

    class Watching(dg.PipesTempFileMessageReader):
        @contextmanager
        def read_messages(self, handler):
            take = handler.handle_line

            def watched(line):
                take(line)
                if '"now"' in line:
                    seen.touch()

            handler.handle_line = watched
            with super().read_messages(handler) as params:
                yield params

    assert run_asset(command, client=dg.PipesSubprocessClient(message_reader=Watching())).success


def test_a_child_that_never_opens_is_told_apart_from_one_that_never_closes(script):
    silent = run_asset([sys.executable, "-c", "pass"])
    assert any("sent no messages" in text and "To mend: call open_dagster_pipes()" in text for _, text in logs(silent))
    unclosed = run_asset(script("import os\npipes = open_dagster_pipes()\npipes.log.info('x')\nos._exit(0)\n"))
    assert any("did not close it" in text and "To mend: use `with" in text for _, text in logs(unclosed))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import sys\nsys.exit(3)\n", ["ended with code 3 before it opened", "To mend"]),
        ("import os\npipes = open_dagster_pipes()\nos._exit(4)\n", ["ended with code 4 without closing"]),
        ("with open_dagster_pipes() as pipes:\n    raise ValueError('no rows')\n", ["child.py:3: ValueError: no rows"]),
    ],
)
def test_a_failing_child_fails_the_step_with_its_reason(script, body, words):
    result = run_asset(script(body), raise_on_error=False)
    assert not result.success
    (failed,) = payloads(result, StepFailed)
    for word in words:
        assert word in failed.error.message


def test_the_child_s_exception_is_an_event(script):
    result = run_asset(script("with open_dagster_pipes() as pipes:\n    raise ValueError('no rows')\n"), raise_on_error=False)
    (event,) = [e for e in payloads(result, EngineMessage) if e.error is not None]
    assert event.error.class_name == "ValueError"
    assert event.error.frames[-1].source == "raise ValueError('no rows')"


def test_an_asset_reported_twice_is_refused(script):
    command = script("""
        from dagster_pipes import _make_message
        with open_dagster_pipes() as pipes:
            for _ in range(2):
                pipes._message_channel.write_message(_make_message(
                    "report_asset_materialization", {"asset_key": "table", "data_version": None, "metadata": None}))
    """)
    with pytest.raises(dg.PipesError, match="the asset table was reported twice"):
        run_asset(command)


def test_several_assets_and_implicit_ones(script):
    command = script("""
        with open_dagster_pipes() as pipes:
            pipes.report_asset_materialization(asset_key="one", metadata={"n": 1})
    """)

    @dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two")])
    def both(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
        return pipes.run(command=command, context=context).get_results()

    result = dg.materialize([both], resources={"pipes": dg.PipesSubprocessClient()})
    assert {p.asset_key.to_user_string(): dict(p.metadata) for p in payloads(result, AssetMaterialized)} == {
        "one": {"n": dg.MetadataValue.int(1)},
        "two": {},
    }


def test_a_check_by_a_child(script):
    command = script("""
        with open_dagster_pipes() as pipes:
            pipes.report_asset_check("fresh", passed=False, asset_key="table")
    """)

    @dg.asset
    def table():
        return 1

    @dg.asset_check(asset=table)
    def fresh(context: dg.AssetCheckExecutionContext, pipes: dg.PipesSubprocessClient):
        return pipes.run(command=command, context=context).get_asset_check_result()

    ran = dg.materialize([table, fresh], resources={"pipes": dg.PipesSubprocessClient()})
    assert [p.passed for p in payloads(ran, CheckEvaluated)] == [False]


def test_wrong_kinds_of_results_are_explained(script):
    quiet = script("with open_dagster_pipes():\n    pass\n")
    with pytest.raises(dg.PipesError, match="reported no asset"):
        run_asset(quiet, take=lambda invocation: invocation.get_materialize_result(implicit_materialization=False))
    with pytest.raises(dg.PipesError, match="call report_asset_check"):
        run_asset(quiet, take=lambda invocation: invocation.get_asset_check_result())


def test_a_command_that_does_not_exist(tmp_path):
    with pytest.raises(dg.PipesExecutionError, match=r"nowhere.*To mend: name a program"):
        run_asset(["/nowhere/program"])
    with pytest.raises(dg.PipesExecutionError, match="there is no folder /nowhere"):
        run_asset([sys.executable], client=dg.PipesSubprocessClient(cwd="/nowhere"))


def test_output_is_captured_with_the_step_s(script, capfd):
    # Stream messages go to the step's own stdout, like what a local child prints.
    command = script("""
        with open_dagster_pipes() as pipes:
            print("printed", flush=True)
            pipes.log_external_stream("stdout", "streamed\\n")
    """)
    context = dg.build_asset_context()
    dg.PipesSubprocessClient().run(command=command, context=context)
    out = capfd.readouterr().out
    assert "printed" in out
    assert "streamed" in out


def test_a_session_by_hand_with_options(script, tmp_path):
    import subprocess

    command = script("""
        from dagster_pipes import PipesCliArgsParamsLoader
        with open_dagster_pipes(params_loader=PipesCliArgsParamsLoader()) as pipes:
            pipes.report_asset_materialization(asset_key="any", metadata={"x": pipes.get_extra("x")})
    """)
    context = dg.build_asset_context()
    reader = dg.PipesFileMessageReader(str(tmp_path / "messages"), cleanup_file=True)
    injector = dg.PipesFileContextInjector(str(tmp_path / "context"))
    with dg.open_pipes_session(context, injector, reader, extras={"x": "y"}) as session:
        options = [part for pair in session.get_bootstrap_cli_arguments().items() for part in pair]
        subprocess.run([*command, *options], check=True)
        assert (tmp_path / "context").exists()
    (result,) = session.get_results(metadata={"job": "j"})
    assert (result.metadata["x"].value, result.metadata["job"].value) == ("y", "j")
    assert not (tmp_path / "context").exists()
    assert not (tmp_path / "messages").exists()


def test_a_blob_store_reader(script, tmp_path):
    class Folder(dg.PipesBlobStoreMessageReader):
        @contextmanager
        def get_params(self):
            yield {"path": str(tmp_path)}

        def download_messages_chunk(self, index, params):
            path = tmp_path / f"{index}.json"
            return path.read_text() if path.exists() else None

        def no_messages_debug_text(self):
            return "In a folder."

    command = script("""
        from dagster_pipes import PipesBlobStoreMessageWriter, PipesBufferedFilesystemMessageWriterChannel
        class Writer(PipesBlobStoreMessageWriter):
            def make_channel(self, params):
                return PipesBufferedFilesystemMessageWriterChannel(params["path"], interval=0)
        with open_dagster_pipes(message_writer=Writer()) as pipes:
            pipes.report_asset_materialization(metadata={"n": 1})
    """)
    result = run_asset(command, client=dg.PipesSubprocessClient(message_reader=Folder(interval=0.05)))
    assert payloads(result, AssetMaterialized)[0].metadata["n"].value == 1
    assert not [text for _, text in logs(result) if "did not close" in text]


def test_several_processes_in_one_session(script):
    command = script("""
        import sys
        with open_dagster_pipes() as pipes:
            pipes.report_asset_materialization(asset_key=sys.argv[1], metadata={"n": 1})
    """)

    class Heard(dg.PipesTempFileMessageReader):
        hellos = 0

        def on_opened(self, opened_payload):
            self.hellos += 1

    readers = [Heard(), Heard()]

    @dg.multi_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec("right")])
    def both(context: dg.AssetExecutionContext):
        with dg.open_pipes_session(context, dg.PipesTempFileContextInjector(), dg.PipesCompositeMessageReader(readers)) as session:
            for name, own in zip(["left", "right"], session.get_per_writer_bootstrap_env_vars(), strict=True):
                subprocess.run([*command, name], env={**os.environ, **own}, check=True)
        yield from session.get_results(implicit_materializations=False)

    result = dg.materialize([both])
    assert [made.asset_key.path for made in payloads(result, AssetMaterialized)] == [["left"], ["right"]]
    assert [reader.hellos for reader in readers] == [1, 1]
    assert not [text for _, text in logs(result) if "did not close" in text]


def test_one_of_several_processes_that_does_not_close_is_told(script):
    quiet, spoken = script("open_dagster_pipes()"), []

    @dg.asset
    def table(context: dg.AssetExecutionContext):
        readers = [dg.PipesTempFileMessageReader(), dg.PipesTempFileMessageReader()]
        with dg.open_pipes_session(context, dg.PipesTempFileContextInjector(), dg.PipesCompositeMessageReader(readers)) as session:
            subprocess.run(quiet, env={**os.environ, **session.get_per_writer_bootstrap_env_vars()[0]}, check=True)
            spoken.append(session.get_per_writer_bootstrap_cli_arguments())

    assert [text for _, text in logs(dg.materialize([table])) if "did not close" in text]
    assert len(spoken[0]) == 2


def test_readers_that_cannot_be_put_together():
    with pytest.raises(dg.DagsterPipesError, match="one for each process"):
        dg.PipesCompositeMessageReader([])
    inner = dg.PipesCompositeMessageReader([dg.PipesTempFileMessageReader(), dg.PipesTempFileMessageReader()])
    with pytest.raises(dg.DagsterPipesError, match="reads 2 processes"):
        dg.PipesCompositeMessageReader([inner])


def test_a_blob_store_reader_starts_and_stops_readers_of_output(tmp_path):
    told = []

    class Printed(dg.PipesLogReader):
        running = False

        def start(self, params, is_session_closed):
            self.running = True
            told.append(f"start {params['extras']['file']}")

        def stop(self):
            self.running = False
            told.append("stop")

        def is_running(self):
            return self.running

        def target_is_readable(self, params):
            return "extras" in params

    class Nothing(dg.PipesBlobStoreMessageReader):
        @contextmanager
        def get_params(self):
            yield {"path": str(tmp_path)}

        def download_messages_chunk(self, index, params):
            return (
                json.dumps({"__dagster_pipes_version": "0.1", "method": "opened", "params": {"extras": {"file": "a"}}})
                if index == 1
                else None
            )

    @dg.asset
    def table(context: dg.AssetExecutionContext):
        with dg.open_pipes_session(context, dg.PipesTempFileContextInjector(), Nothing(0.01, log_readers=[Printed()])):
            pass

    dg.materialize([table])
    assert told[:1] == ["start a"]
    assert told[-1] == "stop"


def test_a_broken_reader_is_told(script):
    class Broken(dg.PipesBlobStoreMessageReader):
        @contextmanager
        def get_params(self):
            yield {}

        def download_messages_chunk(self, index, params):
            raise OSError("the store is away")

    with pytest.raises(dg.PipesError, match=r"Broken.*the store is away"):
        run_asset([sys.executable, "-c", "pass"], client=dg.PipesSubprocessClient(message_reader=Broken(0.01)))


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_stop_of_the_run_stops_the_child(script, tmp_path, stubborn):
    started = tmp_path / "started"
    command = script(f"""
        import os, pathlib, signal, time
        if {stubborn}:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        pathlib.Path({str(started)!r}).write_text(str(os.getpid()))
        time.sleep(60)
    """)
    client = dg.PipesSubprocessClient(termination_timeout_seconds=0.2 if stubborn else 20)
    cancellation = Cancellation()
    before = signal.getsignal(signal.SIGUSR1)
    cancellation.install([signal.SIGUSR1])

    def stop_when_started():
        while not started.exists() or not started.read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=stop_when_started)
    thread.start()
    try:
        with pytest.raises(BaseException, match="SIGUSR1"), cancellation.interruptible():
            client.run(command=command, context=dg.build_asset_context())
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match="message_reader is a str"):
        dg.PipesSubprocessClient(message_reader="x")
    with (
        pytest.raises(TypeError, match="context is a str"),
        dg.open_pipes_session("x", dg.PipesEnvContextInjector(), dg.PipesTempFileMessageReader()),
    ):
        pass


def test_an_interval_must_be_above_zero():
    class Nowhere(dg.PipesBlobStoreMessageReader):
        def get_params(self):
            raise NotImplementedError

        def download_messages_chunk(self, index, params):
            raise NotImplementedError

    with pytest.raises(ValueError, match="Nowhere: interval is 0"):
        Nowhere(interval=0)
