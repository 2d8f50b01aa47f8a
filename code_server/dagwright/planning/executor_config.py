"""Executors as jobs and locations name them, and how the `execution` part of a run's config chooses and configures them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagwright.authoring.config import problems_of
from dagwright.authoring.executors import ExecutorDefinition, multiprocess_executor
from dagwright_shared.model.errors import InvalidRequestError, Problem, nearest

IN_PROCESS = "in_process"
MULTIPROCESS = "multiprocess"
EITHER = "multi_or_in_process"


class InProcessConfig(BaseModel):
    """Config of `in_process_executor`: there is nothing to choose."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class MultiprocessConfig(BaseModel):
    """Config of `multiprocess_executor`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_concurrent: int | None = Field(default=None, ge=0, description="Steps at once; by default (and with 0) one for each CPU.")
    cancel_grace_seconds: float = Field(default=10.0, ge=0, description="How long a step may take to end once it is asked to.")
    start_method: dict[str, Any] | None = Field(default=None, description="Taken for Dagster's sake; steps are always forked.")
    tag_concurrency_limits: list[dict[str, Any]] | None = Field(default=None, description="At most `limit` steps at once with a tag.")
    retries: dict[str, Any] | None = Field(default=None, description="Taken for Dagster's sake; retry policies always apply.")


_CONFIGS: Mapping[str, type[BaseModel]] = {IN_PROCESS: InProcessConfig, MULTIPROCESS: MultiprocessConfig}


DEFAULT = ExecutorDefinition(EITHER)
"""multiprocess, unless the run's config says in_process."""


def resolve(definition: ExecutorDefinition | None, given: Any, path: str = "config.execution") -> tuple[ExecutorDefinition, BaseModel]:
    """The executor and its parsed config.

    Args:
        definition: of the job or location; None for the default.
        given: the `execution` part of the run config: `{"config": {...}}`, or `{"config": {"in_process": {...}}}`.

    Raises:
        InvalidRequestError: the config does not fit.
    """
    chosen = definition or DEFAULT
    config = given.get("config", {}) if isinstance(given, Mapping) else {}
    if given is not None and (not isinstance(given, Mapping) or not isinstance(config, Mapping | None)):
        raise _refuse(Problem(path=path, message="this is not an object", value=given, expected="object"))
    values = {**chosen.config, **(config or {})}
    path = f"{path}.config"
    named = [key for key in values if key in _CONFIGS]
    if chosen.name == EITHER or (named and chosen == multiprocess_executor):  # nobody has insisted on one
        if len(named) > 1:
            raise _refuse(Problem(path=path, message=f"name one executor, not {len(named)}", expected=f"{IN_PROCESS} or {MULTIPROCESS}"))
        if named:
            inner = values[named[0]] or {}
            return resolve(
                ExecutorDefinition(named[0]), {"config": inner.get("config", inner)}, f"{path}.{named[0]}".removesuffix(".config")
            )
        chosen = multiprocess_executor
    model = _CONFIGS.get(chosen.name)
    if model is None:
        raise _refuse(
            Problem(
                path=path, message=f"there is no executor {chosen.name!r}", suggestion=nearest(chosen.name, _CONFIGS), value=chosen.name
            )
        )
    try:
        return chosen, model.model_validate(values)
    except ValidationError as error:
        raise InvalidRequestError("The executor's config does not fit", problems=problems_of(error, path, model)) from None


def _refuse(problem: Problem) -> InvalidRequestError:
    return InvalidRequestError(f"{problem.path}: {problem.message}", problems=[problem])
