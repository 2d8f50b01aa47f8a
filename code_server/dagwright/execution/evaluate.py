"""What a schedule or a sensor wants at a tick: user code called once, with its resources, and its answer as data."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from dagwright.authoring import schedules, sensors
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.instance import Instance
from dagwright.authoring.requests import Stale
from dagwright.authoring.resolution import ResolvedDefinitions
from dagwright.authoring.resources import InitResourceContext, opened
from dagwright.authoring.webhooks import WebhookSensorDefinition
from dagwright.execution.logs import EventLogger
from dagwright_shared.model.errors import NotFoundError, UserCodeError, error_info
from dagwright_shared.model.events import LogLevel, LogMessage, Payload
from dagwright_shared.model.keys import AssetKey, PartitionKey
from dagwright_shared.model.ticks import Delivery, Evaluation, ScheduleQuestion, SensorQuestion

_MAX_CHARACTERS = 256 * 1024
"""Of what user code logs by `context.log`."""


def schedule(definitions: Definitions, question: ScheduleQuestion, *, instance: Any = None) -> Evaluation:
    """Evaluate a schedule.

    Raises:
        NotFoundError: there is no such schedule.
        UserCodeError: its function, or a resource of it, raised, or answered with what it may not.
    """
    resolved = definitions.resolve()
    found = resolved.schedules_by_name.get(question.name)
    if found is None:
        raise NotFoundError("schedule", question.name, known=resolved.schedules_by_name)

    def ask(values: Mapping[str, Any], log: logging.Logger) -> Evaluation:
        context = schedules.ScheduleEvaluationContext(
            scheduled_execution_time=question.scheduled_for, resource_values=values, log=log, instance=instance
        )
        target, partitions = resolved.trigger_target(found.target), resolved.target_partitions(found.target)
        return schedules.evaluate(found, context, target, partitions, _stale(resolved, instance))

    return _ask(f"schedule {question.name!r}", resolved.resources, found.required_resource_keys, instance, ask)


def sensor(definitions: Definitions, question: SensorQuestion, *, instance: Any = None) -> Evaluation:
    """Evaluate a sensor; raises as `schedule` does."""
    resolved = definitions.resolve()
    found = resolved.sensors_by_name.get(question.name)
    if found is None:
        raise NotFoundError("sensor", question.name, known=resolved.sensors_by_name)

    def ask(values: Mapping[str, Any], log: logging.Logger) -> Evaluation:
        plain = sensors.SensorEvaluationContext(
            cursor=question.cursor,
            last_tick_completion_time=question.last_tick_at.timestamp() if question.last_tick_at is not None else None,
            last_run_key=question.last_run_key,
            resource_values=values,
            log=log,
            instance=instance,
        )
        context = found.prepared(plain, resolved)
        if isinstance(found, WebhookSensorDefinition):
            if question.delivery is None:
                return Evaluation(skip_reason="a webhook sensor is asked when a request comes")
            refused = found.refusal(question.delivery, question.delivery.received_at)
            if refused is not None:
                return Evaluation(skip_reason=refused, rejected=refused)
            context = found.with_delivery(context, question.delivery)
        partitions = {target.job_name: resolved.target_partitions(target) for target in found.targets}
        return sensors.evaluate(found, context, resolved.sensor_targets(found), partitions, _stale(resolved, instance))

    return _ask(f"sensor {question.name!r}", resolved.resources, found.required_resource_keys, instance, ask)


def refusal(definitions: Definitions, name: str, delivery: Delivery) -> str | None:
    """Why a request to a webhook sensor is not taken; None when it is signed as it must be. Runs no function of the user.

    Raises:
        NotFoundError: there is no such webhook sensor.
        UserCodeError: the environment does not have the secret.
    """
    sensors_by_name = definitions.resolve().sensors_by_name
    found = sensors_by_name.get(name)
    if not isinstance(found, WebhookSensorDefinition):
        known = [each for each, one in sensors_by_name.items() if isinstance(one, WebhookSensorDefinition)]
        raise NotFoundError("webhook sensor", name, known=known)
    with _told(f"sensor {name!r}"):
        return found.refusal(delivery, delivery.received_at)


def _stale(resolved: ResolvedDefinitions, instance: Instance | None) -> Stale | None:
    """Tells which assets are missing, or older than their upstreams or their code."""
    if instance is None:
        return None
    latest = instance.history.latest

    def stale(keys: Sequence[AssetKey], partition: PartitionKey) -> tuple[AssetKey, ...]:
        found: list[AssetKey] = []
        for key in keys:
            known, spec = latest(key, partition), resolved.graph.spec(key)
            if known is None or (spec.code_version is not None and known.code_version != spec.code_version):
                found.append(key)
                continue
            others = [latest(dep.asset_key, partition) or latest(dep.asset_key) for dep in spec.deps]
            if any(other is not None and other.time is not None and known.time is not None and other.time > known.time for other in others):
                found.append(key)
        # What is downstream of something stale will be, once that is made anew.
        affected = set(found)
        for key in resolved.graph.topology.order():
            if any(dep.asset_key in affected for dep in resolved.graph.spec(key).deps):
                affected.add(key)
        return tuple(key for key in keys if key in affected)

    return stale


def _ask(
    what: str,
    definitions: Mapping[str, Any],
    keys: AbstractSet[str],
    instance: Any,
    ask: Callable[[Mapping[str, Any], logging.Logger], Evaluation],
) -> Evaluation:
    kept = _Lines()
    log = EventLogger(kept.take)
    with _told(what), opened(definitions, keys, context=InitResourceContext(log=log, instance=instance)) as values:
        evaluation = ask(values, log)
    return replace(evaluation, logs=(*evaluation.logs, *kept.lines))


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Whatever user code raises, as data."""
    try:
        yield
    except UserCodeError:
        raise
    except BaseException as error:
        raise UserCodeError(error_info(error), what) from error


class _Lines:
    """What user code logs, up to a limit."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._left = _MAX_CHARACTERS

    def take(self, payload: Payload) -> None:
        if not isinstance(payload, LogMessage) or self._left <= 0:
            return
        for line in _text(payload):
            self.lines.append(line[: self._left])
            self._left -= len(line)
            if self._left <= 0:
                self.lines.append(f"[what was logged beyond {_MAX_CHARACTERS} characters was dropped]")
                return


def _text(message: LogMessage) -> Iterable[str]:
    yield f"{LogLevel(message.level).name} {message.message}"
    if message.error is not None:
        yield from message.error.render().splitlines()
