"""Whether a run config fits a job, asked without running it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.jobs import JobDefinition
from dagwright.planning.config import merged
from dagwright.planning.plan import plan_run
from dagwright_shared.model.errors import InvalidRequestError


def validate_run_config(job_def: JobDefinition, run_config: Mapping[str, Any] | RunConfig | None = None) -> dict[str, Any]:
    """The run config, laid over the job's own, if it fits.

    Args:
        job_def: a job of ops, or one that `Definitions.get_job_def` gave.
        run_config: a dict or a RunConfig.

    Raises:
        InvalidRequestError: it does not fit; its problems say where.
    """
    given = config_dict(run_config)
    definitions = job_def.origin or Definitions(jobs=[job_def])
    try:
        return dict(plan_run(definitions, job_name=job_def.name, config=given).config)
    except InvalidRequestError as error:
        # Which partition a run covers is no matter of its config.
        if not error.problems or any(not problem.path.startswith("partition") for problem in error.problems):
            raise
    return merged(job_def.config, given)
