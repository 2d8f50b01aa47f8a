"""A session: the context goes out, messages come in, results are given to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from dagwright.authoring.partitions import TimeWindow
from dagwright.authoring.results import AssetCheckResult, MaterializeResult
from dagwright.execution.contexts import OpExecutionContext
from dagwright.pipes import protocol
from dagwright.pipes.messages import PipesExecutionResult, PipesMessageHandler
from dagwright.pipes.ports import PipesContextInjector, PipesLaunchedData, PipesMessageReader
from dagwright.pipes.protocol import PipesError, PipesExtras, PipesParams
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.metadata import normalize_metadata


@dataclass(slots=True)
class PipesSession:
    """One external process's conversation with a step. `open_pipes_session` makes it."""

    context_data: Mapping[str, Any]
    message_handler: PipesMessageHandler
    context_injector_params: PipesParams
    message_reader_params: PipesParams
    context: OpExecutionContext
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def get_bootstrap_params(self) -> Mapping[str, Any]:
        """What the process must be given, by the names of the environment variables; not encoded."""
        return {protocol.CONTEXT_VARIABLE: self.context_injector_params, protocol.MESSAGES_VARIABLE: self.message_reader_params}

    def get_bootstrap_env_vars(self) -> Mapping[str, str]:
        """The environment variables to start the process with."""
        return {name: protocol.encode_param(value) for name, value in self.get_bootstrap_params().items()}

    def get_bootstrap_cli_arguments(self) -> Mapping[str, str]:
        """The same as options of a command line, for where the environment cannot be set."""
        return {protocol.option_name(name): protocol.encode_param(value) for name, value in self.get_bootstrap_params().items()}

    def get_per_writer_bootstrap_env_vars(self) -> Sequence[Mapping[str, str]]:
        """The environment variables of each process, where a PipesCompositeMessageReader reads several; else of the one."""
        return [{name: protocol.encode_param(value) for name, value in params.items()} for params in self._per_writer_params()]

    def get_per_writer_bootstrap_cli_arguments(self) -> Sequence[Mapping[str, str]]:
        """The same as options of a command line."""
        return [
            {protocol.option_name(name): protocol.encode_param(value) for name, value in params.items()}
            for params in self._per_writer_params()
        ]

    def _per_writer_params(self) -> list[Mapping[str, Any]]:
        params = self.get_bootstrap_params()
        writers = self.message_reader_params.get(protocol.COMPOSITE_WRITERS)
        return [params] if writers is None else [{**params, protocol.MESSAGES_VARIABLE: writer} for writer in writers]

    def report_launched(self, launched_payload: PipesLaunchedData) -> None:
        """Tell the message reader what became known by launching, such as the id of a remote job."""
        self.message_handler.on_launched(launched_payload)

    @property
    def default_remote_invocation_info(self) -> dict[str, str]:
        """Tags that lead from a remote job back to this run."""
        return {"dagwright/run-id": self.context.run_id, "dagwright/job-name": self.context.job_name}

    def get_reported_results(self) -> Sequence[PipesExecutionResult]:
        """What the process has reported until now."""
        return self.message_handler.get_reported_results()

    def get_custom_messages(self) -> Sequence[Any]:
        """The payloads that the process has sent by `report_custom_message`."""
        return self.message_handler.get_custom_messages()

    def get_results(
        self,
        *,
        implicit_materializations: bool = True,
        metadata: Mapping[str, Any] | None = None,
    ) -> Sequence[PipesExecutionResult]:
        """What the step gives to the engine.

        Args:
            implicit_materializations: also materialize those of the step's assets that the process did not report.
            metadata: added to each result.

        Raises:
            PipesError: messages did not fit the protocol, so that results may be missing.
        """
        problems = self.message_handler.problems
        if problems:
            raise PipesError(
                "the external process's messages do not fit the Pipes protocol: " + "; ".join(problems[:5]) + ". "
                "To mend: correct what it reports, or its Pipes library"
            )
        found = list(self.get_reported_results())
        if implicit_materializations:
            reported = {one.asset_key for one in found if isinstance(one, MaterializeResult)}
            found += [MaterializeResult(asset_key=key) for key in _asset_keys(self.context) if key not in reported]
        return [_with_metadata(one, metadata) for one in found] if metadata else found


@contextmanager
def open_pipes_session(
    context: OpExecutionContext,
    context_injector: PipesContextInjector,
    message_reader: PipesMessageReader,
    extras: PipesExtras | None = None,
) -> Iterator[PipesSession]:
    """A session for a process that the block starts, with `session.get_bootstrap_env_vars()` in its environment.

    Args:
        context: of the step.
        context_injector, message_reader: the two channels.
        extras: JSON that the process finds in `context.extras`.

    Example:
        >>> import os, subprocess, sys
        >>> import dagwright as dg
        >>> @dg.asset
        ... def table(context: dg.AssetExecutionContext):
        ...     with dg.open_pipes_session(
        ...         context, dg.PipesTempFileContextInjector(), dg.PipesTempFileMessageReader(), extras={"rows": 3}
        ...     ) as session:
        ...         subprocess.run([sys.executable, "make_table.py"], env={**os.environ, **session.get_bootstrap_env_vars()}, check=True)
        ...     yield from session.get_results()
    """
    if not isinstance(context, OpExecutionContext):
        raise TypeError(f"open_pipes_session: context is a {type(context).__name__}; give the context of the op or asset")
    data = context_data(context, extras)
    handler = PipesMessageHandler(context, message_reader)
    finished = False
    try:
        with context_injector.inject_context(data) as injected, handler.handle_messages() as reading:
            yield PipesSession(
                context_data=data,
                message_handler=handler,
                context_injector_params=injected,
                message_reader_params=reading,
                context=context,
            )
        finished = True
    finally:
        _tell_what_is_missing(handler, context_injector, message_reader, context, finished=finished)


def context_data(context: OpExecutionContext, extras: PipesExtras | None) -> dict[str, Any]:
    """What the external process learns of the step, as the protocol spells it."""
    keys = _asset_keys(context)
    named = {protocol.format_key(key): key for key in keys}
    window = _window(context)
    return {
        "asset_keys": list(named) or None,
        "code_version_by_asset_key": {text: _code_version(context, key) for text, key in named.items()} or None,
        "provenance_by_asset_key": {text: _provenance(context, key) for text, key in named.items()} or None,
        "partition_key": str(context.partition_key) if context.has_partition_key else None,
        "partition_key_range": _range(context) if context.has_partitions else None,
        "partition_time_window": {"start": window.start.isoformat(), "end": window.end.isoformat()} if window else None,
        "run_id": context.run_id,
        "job_name": None if context.surroundings.built else context.job_name,
        "retry_number": context.retry_number,
        "extras": dict(extras or {}),
    }


def _asset_keys(context: OpExecutionContext) -> list[AssetKey]:
    step = context.surroundings.step
    return list(step.asset_keys) if step is not None else []


def _code_version(context: OpExecutionContext, key: AssetKey) -> str | None:
    step = context.surroundings.step
    outputs = step.outputs if step is not None else ()
    return next((output.code_version for output in outputs if output.asset_key == key), None)


def _provenance(context: OpExecutionContext, key: AssetKey) -> dict[str, Any] | None:
    """What the asset was last made of, where this process can know it."""
    ask = getattr(context, "get_asset_provenance", None)
    known = ask(key) if ask is not None and not context.surroundings.built else None
    if known is None:
        return None
    versions = {protocol.format_key(parent): str(version) for parent, version in known.input_data_versions.items()}
    return {"code_version": known.code_version, "input_data_versions": versions, "is_user_provided": known.is_user_provided}


def _range(context: OpExecutionContext) -> dict[str, str]:
    span = context.partition_key_range
    return {"start": str(span.start), "end": str(span.end)}


def _window(context: OpExecutionContext) -> TimeWindow | None:
    if not context.has_partitions:
        return None
    try:
        return context.partition_time_window
    except ValueError:
        return None  # partitions that are not of time


def _with_metadata(result: PipesExecutionResult, more: Mapping[str, Any]) -> PipesExecutionResult:
    metadata = {**normalize_metadata(more), **result.metadata}
    if isinstance(result, AssetCheckResult):
        return AssetCheckResult(
            passed=result.passed,
            asset_key=result.asset_key,
            check_name=result.check_name,
            metadata=metadata,
            severity=result.severity,
            description=result.description,
        )
    return MaterializeResult(
        asset_key=result.asset_key,
        metadata=metadata,
        check_results=result.check_results,
        data_version=result.data_version,
        tags=result.tags,
        value=result.value,
    )


def _tell_what_is_missing(
    handler: PipesMessageHandler,
    injector: PipesContextInjector,
    reader: PipesMessageReader,
    context: OpExecutionContext,
    *,
    finished: bool,
) -> None:
    """A process that never spoke and one that fell silent are different troubles, with different mends."""
    if not handler.received_opened_message:
        context.log.warning(
            "[pipes] the external process sent no messages: it ended before open_dagster_pipes(), or does not call it. %s %s "
            "To mend: call open_dagster_pipes() first of all in the process, and give it the session's environment variables",
            injector.no_messages_debug_text(),
            reader.no_messages_debug_text(),
        )
    elif not handler.received_closed_message:
        why = "" if finished else ", as it was stopped or failed"
        context.log.warning(
            "[pipes] the external process opened its session but did not close it%s; what it reported until then counts. "
            "To mend: use `with open_dagster_pipes() as pipes:`, or call pipes.close() at its end",
            why,
        )
