"""Which executor runs a job's steps, as data; `execution` does the running. And what an executor of a user's own looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol, TypeAlias, overload

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.config import ConfigType
from dagwright.authoring.configured import ConfiguredType
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef, nearest
from dagwright_shared.model.snapshot import JsonSchema


class ExecutorRequirement(Enum):
    """What an executor of Dagster asks of a run. Runs here always have it: jobs are found by name, runs and values are stored."""

    RECONSTRUCTABLE_JOB = "RECONSTRUCTABLE_JOB"
    RECONSTRUCTABLE_PIPELINE = "RECONSTRUCTABLE_JOB"
    NON_EPHEMERAL_INSTANCE = "NON_EPHEMERAL_INSTANCE"
    PERSISTENT_OUTPUTS = "PERSISTENT_OUTPUTS"


def multiple_process_executor_requirements() -> list[ExecutorRequirement]:
    """The requirements of an executor whose steps run in other processes."""
    return [
        ExecutorRequirement.RECONSTRUCTABLE_JOB,
        ExecutorRequirement.NON_EPHEMERAL_INSTANCE,
        ExecutorRequirement.PERSISTENT_OUTPUTS,
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class InitExecutorContext:
    """What a function under `@executor` is given, once at the start of each run.

    Args:
        job: the JobDefinition that runs; None where assets were picked freely.
        executor_def: the definition that the function belongs to.
        executor_config: from `{"execution": {"config": ...}}`, checked against `config_schema`.
        instance: what `context.instance` gives to steps.
    """

    job: Any
    executor_def: ExecutorDefinition
    executor_config: Any
    instance: Any = None


class StepAttempt(Protocol):
    """One attempt of one step, for an `Executor` of a user's own."""

    @property
    def step_key(self) -> str: ...

    @property
    def op_name(self) -> str: ...

    @property
    def tags(self) -> Mapping[str, str]: ...

    @property
    def number(self) -> int:
        """From 1 on."""

    @property
    def stop_requested(self) -> bool:
        """The run is being canceled, or the step's time is over."""

    def run(self) -> None:
        """Run the step here, in this thread, to its end. Never raises: what user code does is told as the run's events.

        Call it once. A step that has been asked to stop before it begins returns at once.
        """


class Executor:
    """An executor of a user's own: where, when and in what order the steps of a run go that may run.

    dagwright decides which steps may run, and does the rest: events, retries, time limits, captured output, cancellation, and the limits
    that the attributes set. The executor calls `attempt.run()` for each step that it is given, in whatever thread of this process.

    Attributes:
        max_concurrent: steps that it is given at once; None: 1,000.
        tag_concurrency_limits: as in the config of `multiprocess_executor`.
        cancel_grace_seconds: how long a step may take to end once it is asked to; then it is left behind.

    Example:
        >>> import concurrent.futures
        >>> class Pool(Executor):
        ...     def __init__(self, threads: int) -> None:
        ...         self.pool = concurrent.futures.ThreadPoolExecutor(threads)
        ...
        ...     def start(self, attempt: StepAttempt) -> None:
        ...         self.pool.submit(attempt.run)
        ...
        ...     def close(self) -> None:
        ...         self.pool.shutdown(wait=False)
        >>> @executor(config_schema={"threads": int})
        ... def pool(context: InitExecutorContext) -> Executor:
        ...     return Pool(context.executor_config["threads"])
        >>> pool.configured({"threads": 3}).name
        'pool'
    """

    max_concurrent: int | None = None
    tag_concurrency_limits: Sequence[Mapping[str, Any]] = ()
    cancel_grace_seconds: float = 10.0

    def start(self, attempt: StepAttempt) -> None:
        """Have `attempt.run()` called soon, and return at once. Called in the run's main thread."""
        raise NotImplementedError(f"{type(self).__name__} has no start(attempt)")

    def stop(self, attempt: StepAttempt) -> None:
        """A step is to end, or not to begin: `attempt.stop_requested` says so, and its next line of Python raises. By default nothing."""

    def close(self) -> None:
        """The run is over: let go of what the executor holds. By default nothing."""


@dataclass(frozen=True, slots=True, init=False)
class ExecutorDefinition:
    """An executor, with its settings: one of `in_process_executor`, `multiprocess_executor`, `threads_executor`,
    `asyncio_executor` and `dask_executor`, `.configured(...)` where needed; or one of a user's own, made by `@executor`.

    Args:
        name: as the run's page shows it.
        config_schema: what the run's `{"execution": {"config": ...}}` must look like.
        requirements: taken for Dagster's sake: every run has what they ask for.
        executor_creation_fn: takes an `InitExecutorContext`; returns an `Executor`, or the definition of one of dagwright's.
        description: for people.

    Example:
        >>> multiprocess_executor.configured({"max_concurrent": 4}).config["max_concurrent"]
        4
    """

    name: str
    options: tuple[str, ...]
    """Names of the settings that it knows, where it is one of dagwright's."""
    config: Mapping[str, Any]
    base: str | None
    """The executor that this one configures, where it has a name of its own."""
    executor_creation_fn: Callable[[InitExecutorContext], Executor | ExecutorDefinition] | None
    config_type: ConfigType | None
    requirements: Requirements
    description: str | None
    source: SourceRef | None

    def __init__(
        self,
        name: str,
        config_schema: Any = None,
        requirements: Requirements = None,
        executor_creation_fn: Callable[[InitExecutorContext], Executor | ExecutorDefinition] | None = None,
        description: str | None = None,
    ) -> None:
        source = sources.of_function(executor_creation_fn) if executor_creation_fn is not None else sources.of_caller()
        if not callable(executor_creation_fn):
            raise DefinitionError(
                f"executor {name!r}: executor_creation_fn is a {type(executor_creation_fn).__name__}",
                source=source,
                mend="give a function that takes an InitExecutorContext and returns an Executor",
            )
        kind = None
        if config_schema is not None:
            kind = config_schema if isinstance(config_schema, ConfigType) else ConfigType(config_schema, name)
        naming.check_name(name, "executor", source)
        self._set(
            name=name,
            executor_creation_fn=executor_creation_fn,
            config_type=kind,
            requirements=requirements,
            description=description or (executor_creation_fn.__doc__ or "").strip() or None,
            source=source,
        )

    def _set(self, **values: Any) -> None:
        empty: dict[str, Any] = {"options": (), "config": {}, "base": None, "executor_creation_fn": None, "config_type": None}
        for field, value in {**empty, "requirements": None, "description": None, "source": None, **values}.items():
            object.__setattr__(self, field, value)

    @classmethod
    def _made(cls, **values: Any) -> ExecutorDefinition:
        made: ExecutorDefinition = object.__new__(cls)
        made._set(**values)
        return made

    @property
    def kind(self) -> str:
        """Which executor it is, whatever it is called."""
        return self.base or self.name

    @property
    def config_schema(self) -> JsonSchema | None:
        return self.config_type.json_schema if self.config_type is not None else None

    def configured(
        self, config_or_config_fn: Any, name: str | None = None, config_schema: Any = None, description: str | None = None
    ) -> ExecutorDefinition:
        """The same executor with settings.

        Args:
            config_or_config_fn: settings; of a user's own executor also a function that makes its config from simpler config.
            name: of the new definition.
            config_schema: what the function takes.

        Raises:
            DefinitionError: a setting is unknown.
        """
        if self.executor_creation_fn is not None:
            made = ConfiguredType(self.config_type, config_or_config_fn, config_schema, name or self.name)
            return ExecutorDefinition(
                name or self.name, made, self.requirements, self.executor_creation_fn, description or self.description
            )
        if not isinstance(config_or_config_fn, Mapping):
            raise DefinitionError(
                f"{self.kind}_executor.configured was given a {type(config_or_config_fn).__name__}",
                source=sources.of_caller(),
                mend='give settings, such as {"max_concurrent": 4}; the run config can change them',
            )
        for key in config_or_config_fn:
            if key not in self.options:
                close = nearest(key, self.options)
                raise DefinitionError(
                    f"{self.kind}_executor has no setting {key!r}",
                    source=sources.of_caller(),
                    mend=f"did you mean {close!r}?" if close else f"it knows {', '.join(self.options) or 'none'}",
                )
        settings = {**self.config, **config_or_config_fn}
        return self._made(name=name or self.name, options=self.options, config=settings, base=self.kind, description=self.description)

    def get_requirements(self, executor_config: Mapping[str, Any] | None = None) -> Sequence[ExecutorRequirement]:
        return self.requirements(executor_config or {}) if callable(self.requirements) else self.requirements or ()

    def __repr__(self) -> str:
        return f"<executor {self.name}>"


Requirements: TypeAlias = "Callable[[Mapping[str, object]], Sequence[ExecutorRequirement]] | Sequence[ExecutorRequirement] | None"


@overload
def executor(name: Callable[[InitExecutorContext], Executor | ExecutorDefinition], /) -> ExecutorDefinition: ...
@overload
def executor(
    name: str | None = ..., config_schema: Any = ..., requirements: Requirements = ...
) -> Callable[[Callable[[InitExecutorContext], Executor | ExecutorDefinition]], ExecutorDefinition]: ...
def executor(name: Any = None, config_schema: Any = None, requirements: Requirements = None) -> Any:
    """Turn a function that makes an executor into its definition, for `executor_def=` and `executor=`.

    Args:
        name: by default the function's.
        config_schema: what the run's `{"execution": {"config": ...}}` must look like; the context has it as `executor_config`.
        requirements: taken for Dagster's sake.

    Example:
        >>> @executor(config_schema={"big": bool})
        ... def by_size(context: InitExecutorContext) -> ExecutorDefinition:
        ...     return multiprocess_executor if context.executor_config["big"] else in_process_executor
        >>> by_size
        <executor by_size>
    """
    if callable(name):
        return ExecutorDefinition(name.__name__, executor_creation_fn=name)
    return lambda fn: ExecutorDefinition(name or fn.__name__, config_schema, requirements, fn)


def of_step(given: Any, what: str, source: SourceRef | None) -> ExecutorDefinition | None:
    """The executor that an op or asset names: a definition, or the name of one of dagwright's.

    Raises:
        DefinitionError: it is neither.
    """
    if given is None or isinstance(given, ExecutorDefinition):
        return given
    found = BY_NAME.get(given.removesuffix("_executor")) if isinstance(given, str) else None
    if found is None:
        close = nearest(given, BY_NAME) if isinstance(given, str) else None
        raise DefinitionError(
            f"{what}: there is no executor {given!r}" if isinstance(given, str) else f"{what}: executor is a {type(given).__name__}",
            source=source,
            mend=f"did you mean {close!r}?" if close else f"give an executor, or a name: {', '.join(BY_NAME)}",
        )
    return found


def _built_in(name: str, options: tuple[str, ...] = ()) -> ExecutorDefinition:
    return ExecutorDefinition._made(name=name, options=options)


in_process_executor = _built_in("in_process", ("retries",))
"""Runs the steps one after another in the run's own process."""

_CONCURRENT = ("max_concurrent", "retries", "tag_concurrency_limits", "cancel_grace_seconds")

multiprocess_executor = _built_in("multiprocess", (*_CONCURRENT, "start_method"))
"""Runs each step in a process of its own, several at once. `max_concurrent`: how many; by default one for each core."""

multi_or_in_process_executor = _built_in("multi_or_in_process", ("in_process", "multiprocess"))
"""`multiprocess_executor`, unless the run's config says `{"execution": {"config": {"in_process": {}}}}`."""

threads_executor = _built_in("threads", _CONCURRENT)
"""Runs each step in a thread of the run's process, up to 1,000 at once: for steps that mostly wait for something else.

A step that is stopped, or runs past its time-out, gets an exception at its next line of Python; one that hangs in a native call
is given up after `cancel_grace_seconds`, and its thread is left behind.
"""

asyncio_executor = _built_in("asyncio", (*_CONCURRENT, "max_threads"))
"""Runs `async def` steps concurrently on one event loop, up to 1,000 at once, and other steps in up to `max_threads` threads."""

dask_executor = _built_in(
    "dask",
    (
        *_CONCURRENT,
        "address",
        "n_workers",
        "threads_per_worker",
        "worker_resources",
        "connect_timeout_seconds",
        "worker_failures",
    ),
)
"""Runs steps on a Dask cluster (`pip install dagwright[dask]`): the one at `address`, or one that is started for the run.

The workers import the location's code themselves, so it must be installed where they run. A step's tag `dagwright/dask_resources`
(such as `{"GPU": 1}` as JSON) says what a worker must offer.
"""

BY_NAME = {
    built_in.name: built_in for built_in in (in_process_executor, multiprocess_executor, threads_executor, asyncio_executor, dask_executor)
}
"""Those that an op may name."""
