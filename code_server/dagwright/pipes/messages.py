"""Taking in the messages of one session: results are kept, log lines become events of the run."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from dagwright.authoring.results import AssetCheckResult, AssetCheckSeverity, DataVersion, MaterializeResult
from dagwright.execution.contexts import OpExecutionContext
from dagwright.pipes import protocol
from dagwright.pipes.ports import PipesLaunchedData, PipesMessageReader
from dagwright.pipes.protocol import Message, PipesError, PipesParams
from dagwright_shared.model.errors import ErrorInfo, error_info
from dagwright_shared.model.events import EngineMessage, LogLevel
from dagwright_shared.model.keys import AssetKey

PipesExecutionResult: TypeAlias = "MaterializeResult[Any] | AssetCheckResult"


class PipesMessageHandler:
    """What becomes of the messages of one session. A reader calls `handle_message`, from whatever thread it likes.

    Args:
        context: of the step that the session belongs to.
        message_reader: where the messages come from.
    """

    def __init__(self, context: OpExecutionContext, message_reader: PipesMessageReader) -> None:
        self._context = context
        self._reader = message_reader
        self._lock = threading.RLock()
        self._results: list[PipesExecutionResult] = []
        self._custom: list[Any] = []
        self._materialized: set[AssetKey] = set()
        self._problems: list[str] = []
        self._opened = 0
        self._closed = 0
        self._exception: ErrorInfo | None = None

    @contextmanager
    def handle_messages(self) -> Iterator[PipesParams]:
        """Read while the block runs."""
        with self._reader.read_messages(self) as params:
            yield params

    def handle_message(self, message: Mapping[str, Any]) -> None:
        """Take in one message, decoded from JSON. What is wrong with it is logged, and told again by `get_results`."""
        try:
            read = protocol.message_of(message)
        except PipesError as error:
            self.report_problem(error.message)
            return
        self._take(read)

    def handle_line(self, line: str) -> None:
        """Take in one line of JSON; an empty one is nothing."""
        if not line.strip():
            return
        try:
            read = protocol.read_message(line)
        except PipesError as error:
            self.report_problem(error.message)
            return
        self._take(read)

    def report_problem(self, text: str) -> None:
        """Remember that the messages are not as they should be, and log it."""
        with self._lock:
            self._problems.append(text)
        self._context.log.error("[pipes] %s", text)

    def report_pipes_framework_exception(self, origin: str, exc_info: Any) -> None:
        """A reader or a log reader broke."""
        error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
        self._engine(f"[pipes] {origin} broke; messages that it did not read are lost", error_info(error))
        with self._lock:
            self._problems.append(f"{origin} broke: {error}")

    def on_launched(self, launched_payload: PipesLaunchedData) -> None:
        """Tell the reader what is known of the process."""
        self._reader.on_launched(launched_payload)

    # ---- what has come in

    def get_reported_results(self) -> Sequence[PipesExecutionResult]:
        """Materializations and check results, in the order of reporting."""
        with self._lock:
            return tuple(self._results)

    def get_custom_messages(self) -> Sequence[Any]:
        """Payloads of `report_custom_message`."""
        with self._lock:
            return tuple(self._custom)

    @property
    def received_opened_message(self) -> bool:
        return self._opened > 0

    @property
    def received_closed_message(self) -> bool:
        """Whether every process has closed its session."""
        return self._closed >= self._reader.expected_writer_count

    @property
    def problems(self) -> Sequence[str]:
        """What was wrong with messages."""
        with self._lock:
            return tuple(self._problems)

    @property
    def exception(self) -> ErrorInfo | None:
        """With which the external process closed its session."""
        return self._exception

    # ---- each method

    def _take(self, message: Message) -> None:
        if self.received_closed_message:
            self._context.log.warning("[pipes] a message after `closed` was not taken: %s %s", message.method, str(message.params)[:500])
            return
        try:
            with self._lock:
                getattr(self, f"_on_{message.method}")(message.params)
        except PipesError as error:
            self.report_problem(f"{message.method}: {error.message}")

    def _on_opened(self, params: Mapping[str, Any]) -> None:
        self._opened += 1
        self._context.log.debug("[pipes] the external process has opened its session")
        self._reader.on_opened(params)

    def _on_closed(self, params: Mapping[str, Any]) -> None:
        self._closed += 1
        raised = params.get("exception")
        if raised:
            self._exception = protocol.read_exception(raised)
            self._engine("[pipes] the external process closed its session with an exception", self._exception)

    def _on_log(self, params: Mapping[str, Any]) -> None:
        level = logging.getLevelNamesMapping().get(str(params.get("level") or "INFO").upper(), logging.INFO)
        self._context.log.log(level, "%s", _text(params, "message"))

    def _on_report_asset_materialization(self, params: Mapping[str, Any]) -> None:
        key = protocol.parse_key(_text(params, "asset_key"))
        if key in self._materialized:
            raise PipesError(
                f"the asset {key.to_user_string()} was reported twice; report each asset once in a session, with all its metadata"
            )
        version = params.get("data_version")
        result: MaterializeResult[Any] = MaterializeResult(
            asset_key=key,
            metadata=protocol.read_metadata(params.get("metadata")),
            data_version=DataVersion(str(version)) if version is not None else None,
        )
        self._materialized.add(key)
        self._results.append(result)

    def _on_report_asset_check(self, params: Mapping[str, Any]) -> None:
        passed, severity = params.get("passed"), params.get("severity") or "ERROR"
        if not isinstance(passed, bool):
            raise PipesError(f"passed is {passed!r}; send true or false")
        if severity not in AssetCheckSeverity.__members__:
            raise PipesError(f"severity is {severity!r}; send {' or '.join(AssetCheckSeverity.__members__)}")
        self._results.append(
            AssetCheckResult(
                asset_key=protocol.parse_key(_text(params, "asset_key")),
                check_name=_text(params, "check_name"),
                passed=passed,
                severity=AssetCheckSeverity[severity],
                metadata=protocol.read_metadata(params.get("metadata")),
            )
        )

    def _on_report_custom_message(self, params: Mapping[str, Any]) -> None:
        self._custom.append(params.get("payload"))

    def _on_log_external_stream(self, params: Mapping[str, Any]) -> None:
        stream = params.get("stream")
        if stream not in ("stdout", "stderr"):
            raise PipesError(f"the stream is {stream!r}; send stdout or stderr")
        target = sys.stdout if stream == "stdout" else sys.stderr
        target.write(_text(params, "text"))
        target.flush()

    def _engine(self, text: str, error: ErrorInfo) -> None:
        self._context.surroundings.emit(EngineMessage(message=text, level=LogLevel.ERROR, error=error))


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise PipesError(f"{name} is {value!r}; send a text")
    return value
