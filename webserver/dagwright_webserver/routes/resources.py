"""Resources and settings: what the deployment runs with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from dagwright_webserver import render
from dagwright_webserver.deps import Admin, Services, answer
from dagwright_webserver.reads import resources as reads
from dagwright_webserver.reads.configuration import ConfigurationView, read_configuration
from dagwright_webserver.reads.resources import ResourceListView, ResourceView
from dagwright_webserver.schemas import API, Name, returns

router = APIRouter(prefix=API)
html = APIRouter(include_in_schema=False)


@router.get("/resources", tags=["resources"], summary="List resources", responses=returns(ResourceListView, 503))
def list_resources(web: Services, location: Name = None) -> Response:
    """Resources by key, with their config and what uses them."""
    items = web.read_defs(lambda _conn, defs: reads.list_resources(defs, location=location))
    return answer(ResourceListView(items=items, next_cursor=None))


@router.get("/resources/{key}", tags=["resources"], summary="Get a resource", responses=returns(ResourceView, 404, 503))
def get_resource(key: Annotated[str, Path(description="Key of the resource.")], web: Services, location: Name = None) -> Response:
    """One resource."""
    return answer(web.read_defs(lambda _conn, defs: reads.get_resource(defs, key, location=location)))


@router.get("/instance/settings", tags=["instance"], summary="List settings", responses=returns(ConfigurationView, 401, 403))
def list_settings(web: Admin) -> Response:
    """The settings of the webserver, and where each comes from. Secrets are masked."""
    return answer(read_configuration(web.settings))


@html.get("/deployment/resources")
def resources_page(request: Request, web: Services, location: Name = None) -> Response:
    items = web.read_defs(lambda _conn, defs: reads.list_resources(defs, location=location or None))
    return render.page(request, "resources.html", items=items)


@html.get("/deployment/settings")
def settings_page(request: Request, web: Admin) -> Response:
    return render.page(request, "settings.html", view=read_configuration(web.settings))
