"""Jobs: the list and one job."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from dagwright_webserver.deps import Services, answer, utc_now
from dagwright_webserver.reads import jobs as job_reads
from dagwright_webserver.reads.jobs import JobListView, JobView
from dagwright_webserver.schemas import API, Cursor, Limit, Name, Text, returns

router = APIRouter(prefix=f"{API}/jobs", tags=["jobs"])


@router.get("", summary="List jobs", responses=returns(JobListView, 422, 503))
def list_jobs(web: Services, location: Name = None, text: Text = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Jobs by name, each with its newest run."""
    return answer(
        web.read_defs(lambda conn, defs: job_reads.list_jobs(conn, defs, location=location, text=text, limit=limit, cursor=cursor))
    )


@router.get("/{name}", summary="Get a job", responses=returns(JobView, 404, 503))
def get_job(name: Annotated[str, Path(description="Name of the job.")], web: Services, location: Name = None) -> Response:
    """One job with its graph, the JSON Schema of its config, and its newest runs."""
    return answer(web.read_defs(lambda conn, defs: job_reads.get_job(conn, defs, name, now=utc_now(), location=location)))
