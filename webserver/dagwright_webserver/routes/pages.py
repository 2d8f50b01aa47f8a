"""The dashboard: each page is one read function and one template, and each part of it refreshes by the same template."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from dagwright_shared.model.errors import DagwrightError, UnauthenticatedError
from dagwright_webserver import errors, reference, render, static_files
from dagwright_webserver.access import login_url
from dagwright_webserver.deps import Public, Services, Web
from dagwright_webserver.reads import deployment as deployment_reads
from dagwright_webserver.routes import (
    access_pages,
    asset_pages,
    automation_pages,
    backfill_pages,
    compare_pages,
    job_pages,
    overview,
    resources,
    run_list_page,
    run_pages,
    search,
)
from dagwright_webserver.routes.deployment import read_deployment

html = APIRouter(include_in_schema=False)

Word = Annotated[str | None, Query(max_length=1000)]


def install(app: FastAPI) -> None:
    """Add the pages, the files that they load, and errors as pages for people. Call after `errors.install`."""
    app.mount("/static", static_files.Files(policy=render.CSP), name="static")
    app.include_router(html)
    app.include_router(overview.html)
    app.include_router(run_list_page.html)
    app.include_router(run_pages.html)
    app.include_router(compare_pages.html)
    app.include_router(asset_pages.html)
    app.include_router(backfill_pages.html)
    app.include_router(job_pages.html)
    app.include_router(resources.html)
    app.include_router(automation_pages.html)
    app.include_router(search.html)
    app.include_router(access_pages.html)
    for kind in (DagwrightError, RequestValidationError, HTTPException, SQLAlchemyError):
        app.add_exception_handler(kind, _for_people(app.exception_handlers[kind]))


def _for_people(handler: Callable[[Request, Any], Any]) -> Callable[[Request, Exception], Response]:
    """The same problem as a page where a browser asks for one."""

    def handle(request: Request, error: Exception) -> Response:
        response: Response = handler(request, error)
        if isinstance(error, UnauthenticatedError) and not request.url.path.startswith("/api/"):
            if request.headers.get("hx-request"):  # a part of a page that refreshes: the whole page goes to the log-in
                response.headers["HX-Redirect"] = login_url(request)
            elif render.prefers_page(request):
                return RedirectResponse(login_url(request), 303)
        if render.prefers_page(request) and response.media_type == errors.MEDIA_TYPE:
            return render.error_page(request, json.loads(bytes(response.body)))
        return response

    return handle


@html.get("/favicon.ico")
def favicon(_web: Public) -> Response:
    return RedirectResponse(static_files.url("logo.svg"), 308)


# ---------------------------------------------------------------------------------------- automation, deployment


@html.get("/deployment")
def deployment(request: Request, web: Services) -> Response:
    return render.page(request, "deployment.html", view=_deployment(web))


@html.get("/docs")
def docs(request: Request, _web: Services) -> Response:
    app: FastAPI = request.app
    if not hasattr(app.state, "reference"):  # made when it is first asked for, as the document is
        app.state.reference = reference.read(app.openapi())
    return render.page(request, "docs.html", view=app.state.reference)


def _deployment(web: Web) -> deployment_reads.DeploymentView:
    return web.read_defs(lambda conn, defs: read_deployment(web, conn, defs))
