"""What a fork answers from the user's definitions: plans, config checks, schedules and sensors."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from dagwright.authoring.definitions import Definitions
from dagwright.authoring.instance import Instance
from dagwright.execution import evaluate
from dagwright.execution.ports import AskedKeys
from dagwright.planning.plan import plan_run, planned_steps
from dagwright.planning.steps import ExecutionPlan
from dagwright.server import history
from dagwright.server.output import Output
from dagwright_shared.model.json_values import JsonValue, json_safe
from dagwright_shared.model.keys import StepKey
from dagwright_shared.model.ticks import Evaluation, PlanQuestion
from dagwright_shared.wire import evaluation as wire

_output: Output | None = None
"""Of this process, once it has been asked something that may print."""


def answer(definitions: Definitions, method: str, request: bytes) -> bytes:
    """Answer one question, in the encoding of its response message.

    Raises:
        Whatever user code raises; InvalidRequestError or NotFoundError where the question does not fit.
    """
    instance = history.of_this_process()
    match method:
        case "plan_run":
            return wire.encode_plan_run_response(planned_steps(_plan(definitions, wire.decode_plan_run_request(request), instance)))
        case "validate_run_config":
            plan = _plan(definitions, wire.decode_validate_run_config_request(request), instance)
            return wire.encode_validate_run_config_response(_whole_config(plan))
        case "evaluate_schedule":
            schedule = wire.decode_evaluate_schedule_request(request)
            return wire.encode_evaluate_schedule_response(_with_output(lambda: evaluate.schedule(definitions, schedule, instance=instance)))
        case "evaluate_sensor":
            sensor = wire.decode_evaluate_sensor_request(request)
            settled = history.of_this_process(settled=True)
            return wire.encode_evaluate_sensor_response(_with_output(lambda: evaluate.sensor(definitions, sensor, instance=settled)))
        case "verify_delivery":
            name, delivery = wire.decode_verify_delivery_request(request)
            return wire.encode_verify_delivery_response(evaluate.refusal(definitions, name, delivery))
        case _:
            raise NotImplementedError(f"this code server cannot answer {method!r}; it may be older than its caller")


def _plan(definitions: Definitions, question: PlanQuestion, instance: Instance | None) -> ExecutionPlan:
    return plan_run(
        definitions,
        job_name=question.job_name,
        asset_keys=question.asset_keys,
        check_keys=question.check_keys,
        only_checks=question.only_checks,
        step_keys=tuple(StepKey(key) for key in question.step_keys),
        partition=question.partition,
        partition_end=question.partition_end,
        config=question.config,
        dynamic=AskedKeys(instance.history) if instance is not None and question.partition_end is not None else None,
    )


def _whole_config(plan: ExecutionPlan) -> dict[str, JsonValue]:
    """The config as given, with what its ops would receive, defaults and all, in their places."""
    whole: dict[str, Any] = copy.deepcopy(dict(plan.config))
    for step in plan.steps:
        if step.config is None:
            continue
        place = whole
        for name in step.key.split("."):
            inner = place["ops"] = place.get("ops") or {}
            place = inner[name] = inner.get(name) or {}
        try:
            value = step.config.model_dump(mode="json") if isinstance(step.config, BaseModel) else json_safe(step.config)
        except PydanticSerializationError:  # a field of a type that has no JSON
            value = step.raw_config
        place["config"] = value
    return whole


def _with_output(evaluate_it: Callable[[], Evaluation]) -> Evaluation:
    """Add what user code printed, up to a limit, to the evaluation's log lines."""
    global _output  # noqa: PLW0603 - as standard output is, it is one for the process
    if _output is None:
        _output = Output()
    _output.begin()
    evaluation = evaluate_it()
    return dataclasses.replace(evaluation, logs=(*evaluation.logs, *_output.lines()))
