"""What a run would be, before it is launched: whether its config is right, and how long it will take."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.model.keys import new_run_id
from dagwright_shared.model.runs import NewRun, Trigger, TriggerKind
from dagwright_shared.model.ticks import PlanQuestion
from dagwright_webserver import code_servers, launching
from dagwright_webserver.deps import Launcher, answer, utc_now
from dagwright_webserver.launching import Target
from dagwright_webserver.reads import predictions
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.predictions import PredictionView
from dagwright_webserver.reads.view import view
from dagwright_webserver.schemas import API, LaunchBody, returns

router = APIRouter(prefix=f"{API}/runs", tags=["runs"])
_ASK_SECONDS = 20.0


@view
class PreviewProblem:
    """One thing that is wrong, at one place in the request."""

    path: str
    """Where, dotted, such as `config.ops.load.config.limit`."""
    message: str
    """What is wrong, and how to mend it."""
    expected: str | None
    """What would have fit."""
    suggestion: str | None
    """The nearest name that would have been right."""


@view
class PreviewView:
    """What a run would be."""

    valid: bool
    """Whether the request would be taken."""
    problems: tuple[PreviewProblem, ...]
    """What is wrong with it."""
    checked_by_code: bool
    """Whether the code of the location has checked the config too, beyond its schema."""
    config: Mapping[str, Any] | None
    """The whole config as the run would see it, defaults filled in; null unless the code was asked and takes it."""
    prediction: PredictionView | None
    """How long it will take; null for a job that has not succeeded lately, and for assets picked without a job."""


@router.post("/preview", summary="Try a launch out", responses=returns(PreviewView, 422, 503, 504))
def preview_run(
    body: LaunchBody,
    web: Launcher,
    code: Annotated[bool, Query(description="Have the code of the location check the config as well.")] = False,  # noqa: FBT002
) -> Response:
    """Check a request for a run as launching it would, and predict how long the run will take. Nothing is launched or stored."""

    def read(conn: Connection, defs: Definitions) -> tuple[NewRun | None, list[Problem], PredictionView | None]:
        try:
            target = launching.find_target(body, defs)
        except InvalidRequestError as error:
            return None, list(error.problems), None
        web.access.require(target.location)
        found = predictions.predict(conn, target.location, target.job, chosen=_chosen(body, target)) if target.job else None
        dynamic = dynamic_keys(conn, launching.partitions_of(target))
        trigger = Trigger(kind=TriggerKind.API)
        try:
            run = launching.new_run(body, target, defs, run_id=new_run_id(), trigger=trigger, now=utc_now(), dynamic=dynamic)
        except InvalidRequestError as error:
            return None, list(error.problems), found
        return run, [], found

    run, problems, prediction = web.read_defs(read)
    config = None
    if run is not None and code:
        question = _question(run)
        try:
            config = code_servers.ask(web, run.location, lambda client: client.validate_run_config(question, timeout=_ASK_SECONDS))
        except InvalidRequestError as error:
            problems = list(error.problems) or [Problem(path="config", message=error.message)]
    return answer(
        PreviewView(
            valid=not problems,
            problems=tuple(
                PreviewProblem(path=each.path, message=each.message, expected=each.expected, suggestion=each.suggestion)
                for each in problems
            ),
            checked_by_code=code and run is not None,
            config=config,
            prediction=prediction,
        )
    )


def _chosen(body: LaunchBody, target: Target) -> Collection[str] | None:
    """The steps of a run that has not all of its job's."""
    if body.steps is not None:
        return body.steps
    if body.assets is None or target.job is None:
        return None
    keys = {asset.key for asset in target.assets}
    return {node.handle for node in target.job.nodes if keys.intersection(node.asset_keys)}


def _question(run: NewRun) -> PlanQuestion:
    return PlanQuestion(
        job_name=run.job_name,
        asset_keys=run.asset_keys,
        check_keys=run.check_keys,
        step_keys=run.step_keys,
        partition=run.partition,
        partition_end=run.partition_end,
        config=run.config,
    )
