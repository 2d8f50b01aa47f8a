"""Asks a schedule or a sensor what it wants, with its resources set up and its log lines kept."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from dagwright.authoring import schedules, sensors
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.resolution import ResolvedDefinitions
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.resources import ResourceSet
from dagwright_shared.model.errors import DagwrightError, NotFoundError, UserCodeError, error_info
from dagwright_shared.model.ticks import Evaluation, ScheduleQuestion, SensorQuestion

_MAX_LINES = 1000


def schedule(definitions: Definitions, question: ScheduleQuestion) -> Evaluation:
    """What the tick of a schedule asks for.

    Raises:
        NotFoundError: there is no such schedule in these definitions.
        UserCodeError: its function raised, or returned what it may not.
    """
    resolved = definitions.resolve()
    known = resolved.schedules_by_name
    if question.name not in known:
        raise NotFoundError("schedule", question.name, known=known)
    definition = known[question.name]
    keys = definition.required_resource_keys
    with _user_code(f"schedule {question.name!r}"), _Lines() as lines, _resources(resolved, keys) as values:
        context = schedules.ScheduleEvaluationContext(
            scheduled_execution_time=question.scheduled_for, resource_values=values, log=lines.logger, schedule_name=question.name
        )
        target = resolved.trigger_target(definition.target)
        evaluation = schedules.evaluate(definition, context, target, resolved.target_partitions(definition.target))
    return dataclasses.replace(evaluation, logs=(*evaluation.logs, *lines.taken))


def sensor(definitions: Definitions, question: SensorQuestion) -> Evaluation:
    """What a sensor asks for, and its new cursor.

    Raises:
        NotFoundError: there is no such sensor in these definitions.
        UserCodeError: its function raised, or returned what it may not.
    """
    resolved = definitions.resolve()
    known = resolved.sensors_by_name
    if question.name not in known:
        raise NotFoundError("sensor", question.name, known=known)
    definition = known[question.name]
    keys = definition.required_resource_keys
    last = question.last_tick_at.timestamp() if question.last_tick_at else None
    with _user_code(f"sensor {question.name!r}"), _Lines() as lines, _resources(resolved, keys) as values:
        context = sensors.SensorEvaluationContext(
            cursor=question.cursor,
            last_tick_completion_time=last,
            last_run_key=question.last_run_key,
            resource_values=values,
            log=lines.logger,
            sensor_name=question.name,
        )
        partitions = {target.name: resolved.target_partitions(target) for target in definition.targets}
        evaluation = sensors.evaluate(definition, context, resolved.sensor_targets(definition), partitions)
    return dataclasses.replace(evaluation, logs=(*evaluation.logs, *lines.taken))


class _Lines(logging.Handler):
    """Keeps what `context.log` is given, up to a limit."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.logger = logging.getLogger("dagwright.evaluation")
        self.logger.propagate = False
        self.logger.setLevel(logging.DEBUG)

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.taken) < _MAX_LINES:
            self.taken.append(f"{record.levelname} {record.getMessage()}")

    def __enter__(self) -> _Lines:
        self.logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.logger.removeHandler(self)


@contextlib.contextmanager
def _resources(resolved: ResolvedDefinitions, keys: AbstractSet[str]) -> Iterator[Mapping[str, Any]]:
    opened = ResourceSet(resolved.resources, {}, None, None)
    try:
        available = opened.need(keys, lambda _: None)
        yield {key: available.get(key) for key in keys}
    finally:
        for error in opened.close(Cancellation()):
            raise error


@contextlib.contextmanager
def _user_code(what: str) -> Iterator[None]:
    """Any exception inside comes out as data, SystemExit included; our own errors pass as they are."""
    try:
        yield
    except DagwrightError as error:
        if error.__cause__ is None:
            raise
        raise UserCodeError(error_info(error), doing=what) from error
    except BaseException as error:  # noqa: BLE001 - user code may raise anything
        raise UserCodeError(error_info(error), doing=what) from error
