"""Executors as jobs and locations name them, and how the `execution` part of a run's config chooses and configures them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagwright.authoring.config import problems_of
from dagwright.authoring.executors import BY_NAME, ExecutorDefinition, multi_or_in_process_executor, multiprocess_executor
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, Problem

IN_PROCESS = "in_process"
MULTIPROCESS = "multiprocess"
THREADS = "threads"
ASYNCIO = "asyncio"
DASK = "dask"
EITHER = "multi_or_in_process"


class InProcessConfig(BaseModel):
    """Config of `in_process_executor`: there is nothing to choose."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class EachValue(BaseModel):
    """Counts each value of a tag for itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    applyLimitPerUniqueValue: Literal[True]


class TagLimit(BaseModel):
    """At most `limit` steps at once that have a tag."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(description="Of the tag.")
    value: str | EachValue | None = Field(
        default=None, description="Only steps with this value; `{applyLimitPerUniqueValue: true}` counts each value for itself."
    )
    limit: int = Field(ge=0, description="Steps at once.")


class ConcurrentConfig(BaseModel):
    """What the executors that run several steps at once have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_concurrent: int | None = Field(default=None, ge=0, description="Steps at once; None or 0: the executor's default.")
    cancel_grace_seconds: float = Field(default=10.0, ge=0, description="How long a step may take to end once it is asked to.")
    tag_concurrency_limits: tuple[TagLimit, ...] | None = Field(default=None, description="At most `limit` steps at once with a tag.")
    retries: dict[str, Any] | None = Field(default=None, description="Taken for Dagster's sake; retry policies always apply.")


class MultiprocessConfig(ConcurrentConfig):
    """Config of `multiprocess_executor`; by default as many steps at once as there are CPUs."""

    start_method: dict[str, Any] | None = Field(default=None, description="Taken for Dagster's sake; steps are always forked.")


class ThreadsConfig(ConcurrentConfig):
    """Config of `threads_executor`; by default up to 1,000 steps at once."""


class AsyncioConfig(ConcurrentConfig):
    """Config of `asyncio_executor`; by default up to 1,000 steps at once."""

    max_threads: int = Field(default=32, ge=1, description="For steps that are not `async def`, and for loading and storing values.")


class DaskConfig(ConcurrentConfig):
    """Config of `dask_executor`; by default up to 1,000 steps are handed to the cluster at once, which queues what it cannot take yet."""

    address: str | None = Field(default=None, description="Of a running scheduler, such as tcp://scheduler:8786; None starts a cluster.")
    n_workers: int | None = Field(default=None, ge=1, description="Worker processes of the cluster that is started.")
    threads_per_worker: int = Field(default=1, ge=1, description="Of the cluster that is started.")
    worker_resources: dict[str, float] | None = Field(default=None, description="That each worker of the started cluster offers.")
    connect_timeout_seconds: float = Field(default=30.0, gt=0, description="How long to wait for the scheduler and for a first worker.")
    worker_failures: int = Field(default=3, ge=0, description="How often a step is started again because its worker died.")


_CONFIGS: Mapping[str, type[BaseModel]] = {
    IN_PROCESS: InProcessConfig,
    MULTIPROCESS: MultiprocessConfig,
    THREADS: ThreadsConfig,
    ASYNCIO: AsyncioConfig,
    DASK: DaskConfig,
}


@dataclass(frozen=True, slots=True)
class OwnConfig:
    """The config of an executor of a user's own."""

    value: Any


def resolve(
    definition: ExecutorDefinition | None, given: Any, path: str = "config.execution"
) -> tuple[ExecutorDefinition, BaseModel | OwnConfig]:
    """The executor and its parsed config.

    Args:
        definition: of the job or location; None for the default.
        given: the `execution` part of the run config: `{"config": {...}}`, or `{"config": {"in_process": {...}}}`.

    Raises:
        InvalidRequestError: the config does not fit.
    """
    chosen = definition or multi_or_in_process_executor
    config = given.get("config", {}) if isinstance(given, Mapping) else {}
    if given is not None and (not isinstance(given, Mapping) or not isinstance(config, Mapping | None)):
        raise _refuse(Problem(path=path, message="this is not an object", value=given, expected="object"))
    path = f"{path}.config"
    if chosen.executor_creation_fn is not None:
        return chosen, _own(chosen, config, path)
    values = {**chosen.config, **(config or {})}
    named = [key for key in values if key in _CONFIGS]
    if chosen.kind == EITHER or named:  # the run's config may choose another
        if len(named) > 1:
            raise _refuse(Problem(path=path, message=f"name one executor, not {len(named)}", expected=" or ".join(_CONFIGS)))
        if named:
            inner = values[named[0]] or {}
            return resolve(BY_NAME[named[0]], {"config": inner.get("config", inner)}, f"{path}.{named[0]}".removesuffix(".config"))
        chosen = multiprocess_executor
    model = _CONFIGS[chosen.kind]
    try:
        return chosen, model.model_validate(values)
    except ValidationError as error:
        raise InvalidRequestError("The executor's config does not fit", problems=problems_of(error, path, model)) from None


def _own(chosen: ExecutorDefinition, config: Any, path: str) -> OwnConfig:
    kind = chosen.config_type
    if kind is None:
        if config:
            raise _refuse(
                Problem(
                    path=path, message=f"the executor {chosen.name!r} takes no config", value=config, expected="no config_schema was given"
                )
            )
        return OwnConfig({})
    return OwnConfig(kind.parse(config if config else kind.empty, path))


def _refuse(problem: Problem) -> InvalidRequestError:
    return InvalidRequestError(f"{problem.path}: {problem.message}", problems=[problem])
