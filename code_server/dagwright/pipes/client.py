"""Clients: run an external process in a session and give its results to the step."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from dagwright.authoring.results import AssetCheckResult, MaterializeResult
from dagwright.execution.contexts import OpExecutionContext
from dagwright.execution.executors import printing
from dagwright.pipes.injectors import PipesTempFileContextInjector
from dagwright.pipes.messages import PipesExecutionResult, PipesMessageHandler
from dagwright.pipes.ports import PipesContextInjector, PipesMessageReader
from dagwright.pipes.protocol import PipesError, PipesExecutionError, PipesExtras
from dagwright.pipes.readers import PipesTempFileMessageReader
from dagwright.pipes.session import PipesSession, open_pipes_session
from dagwright_shared.model.events import LogStream
from dagwright_shared.model.metadata import Metadata, normalize_metadata

_READ_BYTES = 64 * 1024
_LOOK_SECONDS = 0.2
_LINGER_SECONDS = 1.0
"""How long output is awaited of what a process that has ended left running with its descriptors."""


class PipesClientCompletedInvocation:
    """What `PipesClient.run` gives back when the external process has ended."""

    def __init__(self, session: PipesSession, metadata: Mapping[str, Any] | None = None) -> None:
        self._session = session
        self._metadata = normalize_metadata(metadata)

    @property
    def metadata(self) -> Metadata:
        """What the client knows of the invocation, added to each result."""
        return self._metadata

    def get_results(self, *, implicit_materializations: bool = True) -> Sequence[PipesExecutionResult]:
        """All results, for a step of several assets or checks; see `PipesSession.get_results`."""
        return tuple(self._session.get_results(implicit_materializations=implicit_materializations, metadata=self._metadata))

    def get_materialize_result(self, *, implicit_materialization: bool = True) -> MaterializeResult[Any]:
        """The one materialization, with the check results in it.

        Raises:
            PipesError: there is none, or there are several.
        """
        results = self.get_results(implicit_materializations=implicit_materialization)
        made = [one for one in results if isinstance(one, MaterializeResult)]
        checks = [one for one in results if isinstance(one, AssetCheckResult)]
        if len(made) != 1:
            which = ", ".join(one.asset_key.to_user_string() for one in made if one.asset_key is not None)
            raise PipesError(
                f"get_materialize_result: the external process reported the assets {which}. To mend: `yield from invocation.get_results()`"
                if made
                else "get_materialize_result: the external process reported no asset. "
                "To mend: call report_asset_materialization in it, or leave implicit_materialization on"
            )
        (only,) = made
        return MaterializeResult(
            asset_key=only.asset_key, metadata=only.metadata, check_results=checks, data_version=only.data_version, tags=only.tags
        )

    def get_asset_check_result(self) -> AssetCheckResult:
        """The one check result.

        Raises:
            PipesError: there is none, or there are several results.
        """
        results = self.get_results(implicit_materializations=False)
        checks = [one for one in results if isinstance(one, AssetCheckResult)]
        if len(checks) != 1 or len(results) != 1:
            raise PipesError(
                f"get_asset_check_result: the external process reported {len(checks)} checks and {len(results) - len(checks)} assets. "
                + ("To mend: `yield from invocation.get_results()`" if results else "To mend: call report_asset_check in it")
            )
        return checks[0]

    def get_custom_messages(self) -> Sequence[Any]:
        """The payloads that the process has sent by `report_custom_message`."""
        return self._session.get_custom_messages()


class PipesClient(ABC):
    """Runs external processes of one kind. Give it to steps as a resource; a parameter of this type receives it."""

    is_resource = True

    @abstractmethod
    def run(self, *, context: OpExecutionContext, extras: PipesExtras | None = None, **kwargs: Any) -> PipesClientCompletedInvocation:
        """Run the process to its end."""


class PipesSubprocessClient(PipesClient):
    """Runs a command on this machine. What it prints is captured with the step's output.

    Args:
        env: environment variables, besides those of the step's process.
        cwd: where it runs.
        context_injector, message_reader: the channels; temporary files by default.
        forward_termination: when the run is stopped, stop the process: SIGINT first, SIGKILL after a time of grace.
        forward_stdio: let its output go where the step's goes; else it is discarded.
        termination_timeout_seconds: the time of grace.

    Example:
        >>> import sys
        >>> import dagwright as dg
        >>> @dg.asset
        ... def greeting(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient):
        ...     return pipes.run(command=[sys.executable, "-c", "pass"], context=context).get_materialize_result()
        >>> dg.materialize([greeting], resources={"pipes": dg.PipesSubprocessClient()}).success
        True
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        context_injector: PipesContextInjector | None = None,
        message_reader: PipesMessageReader | None = None,
        *,
        forward_termination: bool = True,
        forward_stdio: bool = True,
        termination_timeout_seconds: float = 20,
    ) -> None:
        if context_injector is not None and not isinstance(context_injector, PipesContextInjector):
            raise TypeError(f"PipesSubprocessClient: context_injector is a {type(context_injector).__name__}, not a PipesContextInjector")
        if message_reader is not None and not isinstance(message_reader, PipesMessageReader):
            raise TypeError(f"PipesSubprocessClient: message_reader is a {type(message_reader).__name__}, not a PipesMessageReader")
        self.env = dict(env or {})
        self.cwd = cwd
        self.context_injector = context_injector or PipesTempFileContextInjector()
        self.message_reader = message_reader or PipesTempFileMessageReader()
        self.forward_termination = forward_termination
        self.forward_stdio = forward_stdio
        self.termination_timeout_seconds = termination_timeout_seconds

    def run(  # type: ignore[override]  # named arguments of its own, as each client has
        self,
        *,
        context: OpExecutionContext,
        command: str | Sequence[str],
        extras: PipesExtras | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> PipesClientCompletedInvocation:
        """Run a command to its end.

        Args:
            context: of the op or asset.
            command: the program and its arguments; a text is a program without arguments.
            extras: JSON that the process finds in `context.extras`.
            env, cwd: in place of the client's, or besides them.

        Raises:
            PipesExecutionError: it could not be started, or ended with another code than 0.
        """
        folder = os.fspath(cwd) if cwd is not None else self.cwd
        with open_pipes_session(context, self.context_injector, self.message_reader, extras) as session:
            process = self._start(command, folder, {**os.environ, **self.env, **(env or {}), **session.get_bootstrap_env_vars()})
            try:
                with _forwarded(process):
                    code = _wait(process)
            except BaseException:  # the run was stopped
                if self.forward_termination:
                    self._stop(process, context)
                raise
        if code != 0:
            raise PipesExecutionError(_failure(command, code, session.message_handler))
        return PipesClientCompletedInvocation(session)

    def _start(self, command: str | Sequence[str], cwd: str | None, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        output = subprocess.DEVNULL if not self.forward_stdio else None if printing.current.get() is None else subprocess.PIPE
        sys.stdout.flush()  # or what was printed before would come after
        sys.stderr.flush()
        try:
            # One that is to outlive the step leaves its process group, which is stopped as a whole.
            return subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=output, start_new_session=not self.forward_termination)
        except OSError as error:
            missing = cwd if cwd is not None and not Path(cwd).is_dir() else None
            what = f"there is no folder {missing}" if missing else f"{error.strerror}: {error.filename}"
            raise PipesExecutionError(
                f"the command {_shown(command)} could not be started ({what}). "
                + ("To mend: name an existing folder as cwd" if missing else "To mend: name a program that is on the PATH, as a list")
            ) from error

    def _stop(self, process: subprocess.Popen[bytes], context: OpExecutionContext) -> None:
        context.log.info("[pipes] the run is stopped: asking the external process to end")
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(self.termination_timeout_seconds)
        except subprocess.TimeoutExpired:
            context.log.warning("[pipes] the external process did not end in %s s: it is killed", self.termination_timeout_seconds)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


@contextmanager
def _forwarded(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Give what the process prints to the step, where steps share this process and its descriptors."""
    step = printing.current.get()
    threads = []

    def forward(pipe: IO[bytes], stream: LogStream, output: printing.StepOutput) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), _READ_BYTES):
                output.write(stream, data)

    for pipe, stream in ((process.stdout, LogStream.STDOUT), (process.stderr, LogStream.STDERR)):
        if pipe is not None and step is not None:
            threads.append(threading.Thread(target=forward, args=(pipe, stream, step), name=f"pipes {stream}", daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(_LINGER_SECONDS)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end in a way that a stop of the run interrupts: by a signal in the main thread, between two looks in others."""
    if threading.current_thread() is threading.main_thread():
        return process.wait()
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_SECONDS)


def _failure(command: str | Sequence[str], code: int, handler: PipesMessageHandler) -> str:
    how = f"was ended by {signal.Signals(-code).name}" if -code in signal.valid_signals() else f"ended with code {code}"
    text = f"the external process {_shown(command)} {how}"
    if handler.exception is not None:
        frame = next((f"{one.file}:{one.line}: " for one in reversed(handler.exception.frames) if one.line), "")
        return f"{text}: {frame}{handler.exception}"
    if not handler.received_opened_message:
        return f"{text} before it opened its Pipes session. To mend: see the step's stderr, and call open_dagster_pipes() first of all"
    if not handler.received_closed_message:
        return f"{text} without closing its Pipes session. To mend: see the step's stderr"
    return f"{text} after it had closed its Pipes session. To mend: see the step's stderr"


def _shown(command: str | Sequence[str]) -> str:
    text = command if isinstance(command, str) else shlex.join(os.fspath(part) for part in command)
    return f"`{text if len(text) <= 200 else text[:200] + '...'}`"
