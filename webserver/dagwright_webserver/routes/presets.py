"""Presets of a job: list, save, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import ConfigDict, Field
from sqlalchemy import Connection

from dagwright_shared.model.errors import InvalidRequestError, NotFoundError, Problem
from dagwright_shared.store import presets
from dagwright_webserver.deps import Editor, Services, answer
from dagwright_webserver.reads import presets as reads
from dagwright_webserver.reads.presets import PresetListView, PresetView
from dagwright_webserver.schemas import API, Body, Config, Name, Tags, problems, returns

router = APIRouter(prefix=f"{API}/jobs/{{name}}/presets", tags=["jobs"])

JobName = Annotated[str, Path(description="Name of the job.")]
PresetName = Annotated[str, Path(min_length=1, max_length=200, description="Name of the preset.")]


class PresetBody(Body):
    """What a preset holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"config": {"ops": {"load": {"config": {"limit": 100}}}}}]})

    config: Config = Field(default_factory=dict)
    """Run config. It may be a part of one, or wrong by now: it is checked when it is launched."""
    tags: Tags = Field(default_factory=dict)
    """Tags of the run."""


@router.get("", summary="List presets of a job", responses=returns(PresetListView, 404, 503))
def list_presets(name: JobName, web: Services, location: Name = None) -> Response:
    """The config of the definition first, as `default`, then what people have saved."""
    items = web.read_defs(lambda conn, defs: reads.list_presets(conn, defs, name, location=location))
    return answer(PresetListView(items=items, next_cursor=None))


@router.get("/{preset}", summary="Get a preset", responses=returns(PresetView, 404, 503))
def get_preset(name: JobName, preset: PresetName, web: Services, location: Name = None) -> Response:
    """One preset."""
    return answer(web.read_defs(lambda conn, defs: reads.get_preset(conn, defs, name, preset, location=location)))


@router.put("/{preset}", summary="Save a preset", responses=returns(PresetView, 404, 422, 503))
def save_preset(name: JobName, preset: PresetName, body: PresetBody, web: Editor, location: Name = None) -> Response:
    """Keep config and tags under a name, in place of an earlier preset of that name. Everybody who may launch the job sees it."""
    if preset == reads.OF_CODE:
        problem = Problem(path="name", message=f"{preset!r} is what the code gives; choose another name", value=preset)
        raise InvalidRequestError("The preset cannot be saved", problems=[problem])

    def change(conn: Connection) -> PresetView:
        defs = web.definitions.current(conn)
        place, _ = defs.job(name, location)
        web.access.require(place)
        presets.save(conn, place, name, preset, config=body.config, tags=body.tags, by=web.access.identity.name)
        web.access.tell(target=f"{name}/{preset}", after={"job": name, "preset": preset})
        return reads.get_preset(conn, defs, name, preset, location=place)

    return answer(web.write(change))


@router.delete("/{preset}", status_code=204, summary="Delete a preset", responses=problems(404, 503))
def delete_preset(name: JobName, preset: PresetName, web: Editor, location: Name = None) -> Response:
    """Runs that used it keep their config."""

    def change(conn: Connection) -> None:
        place, _ = web.definitions.current(conn).job(name, location)
        web.access.require(place)
        known = [each.name for each in presets.list(conn, place, name)]
        if not presets.remove(conn, place, name, preset):
            raise NotFoundError("preset", preset, known=known, where=f"job {name}")
        web.access.tell(target=f"{name}/{preset}", before={"job": name, "preset": preset})

    web.write(change)
    return Response(status_code=204)
