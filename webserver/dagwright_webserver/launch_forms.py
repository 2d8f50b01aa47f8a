"""What the dialogs that launch runs and backfills need, beside their templates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dagwright_webserver.reads.jobs import JobView
from dagwright_webserver.reads.partition_keys import AxisView
from dagwright_webserver.reads.presets import PresetView


def launch(
    title: str,
    body: Mapping[str, Any],
    schema: Mapping[str, Any],
    defaults: Mapping[str, Any],
    partitions: tuple[Sequence[str], int, tuple[AxisView, ...]],
) -> dict[str, Any]:
    """What the launch dialog needs, of partitions the newest, how many there are, and their dimensions; `data` goes to its script."""
    newest, count, axes = partitions
    return {
        "title": title,
        "partitions": list(newest),
        "partition_count": count,
        "axes": axes,
        "data": {"target": dict(body), "schema": dict(schema), "defaults": dict(defaults)},
    }


def launchpad(view: JobView, body: Mapping[str, Any], presets: Sequence[PresetView]) -> dict[str, Any]:
    """What the script of a job's launchpad needs."""
    return {
        "target": dict(body),
        "schema": dict(view.config_schema),
        "defaults": dict(view.default_config),
        "presets": [{"name": each.name, "config": each.config, "tags": each.tags, "from_code": each.from_code} for each in presets],
        "edges": sorted({(edge.from_node, edge.to_node) for edge in view.edges}),
        "url": f"/api/v1/jobs/{quote(view.name, safe='')}",
    }


def backfill(title: str, body: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the backfill dialog needs; None for what has no partitions."""
    if not form["partition_count"]:
        return None
    return {"title": title, "target": dict(body), "partitions": form["partitions"], "axes": form["axes"], "of_assets": "assets" in body}


def curl_body(body: Mapping[str, Any], form: Mapping[str, Any]) -> str:
    partition = {"partition": form["partitions"][0]} if form["partitions"] else {}
    return json.dumps({**body, **partition})
