"""The calls of REST, a class for each noun. Written by `.ci/rest_client.py`; do not edit."""

# ruff: noqa: PLR0913 - arguments are the fields of requests

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast

from dagwright.client import models
from dagwright.client.pages import Pages
from dagwright.client.streams import StreamEvent
from dagwright.client.transport import LEFT_OUT, Left, Transport, part, way


class AccountCalls:
    """Who I am: log-in, sessions, password, settings."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def log_in(self, *, name: str, password: str) -> models.MeView:
        """Log in.

        Begin a session by name and password. Programs use an API token in its place.

        Args:
            name: Name of the user.
            password: Their password.
        """
        return self._transport.call("POST", "/api/v1/session", models.MeView, body={"name": name, "password": password})

    def log_out(self) -> None:
        """Log out.

        End the session of the cookie that is sent.
        """
        self._transport.call("DELETE", "/api/v1/session", None)

    def list_sessions(self) -> models.SessionListView:
        """List one's own sessions.

        The browsers in which one has logged in.
        """
        return self._transport.call("GET", "/api/v1/sessions", models.SessionListView)

    def log_out_everywhere(self) -> None:
        """Log out everywhere.

        End all of one's own sessions, this one too.
        """
        self._transport.call("DELETE", "/api/v1/sessions", None)

    def end_session(self, session_id: str) -> None:
        """End a session.

        End one of one's own sessions, such as that of a lost machine.

        Args:
            session_id: `id` of the list.
        """
        self._transport.call("DELETE", f"/api/v1/sessions/{part(session_id)}", None)

    def get_me(self) -> models.MeView:
        """Say who asks.

        The user, what they may do, and what changes must send beside a session cookie.
        """
        return self._transport.call("GET", "/api/v1/me", models.MeView)

    def change_me(self, *, time_zone: str | None) -> models.MeView:
        """Change one's own account.

        Set the time zone in which pages tell moments.

        Args:
            time_zone: Name of a time zone, such as `Europe/Berlin`; null: as the browser does.
        """
        return self._transport.call("PATCH", "/api/v1/me", models.MeView, body={"time_zone": time_zone})

    def change_password(self, *, current: str, new: str) -> None:
        """Change one's own password.

        Takes the password of now, and ends all other sessions.

        Args:
            current: The password of now.
            new: The one to come; all other sessions end.
        """
        self._transport.call("PUT", "/api/v1/me/password", None, body={"current": current, "new": new})


class AssetsCalls:
    """Assets: the catalog, lineage, partitions, checks, reports, materializing, wiping."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def report_materialization(
        self,
        key: str,
        *,
        idempotency_key: str | None = None,
        partition: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        description: str | None = None,
        data_version: str | None = None,
        tags: Mapping[str, str] | None = None,
        location: str | None = None,
    ) -> models.Reported:
        """Report a materialization.

        Tell that the asset was made by somebody else. Sensors and conditions react as if a run had made it.

        Args:
            key: Key of the asset, its slashes included.
            idempotency_key: The same key and body give the same answer again, without a second run.
            partition: Partition key, such as `2013-01-01`; `|` between dimensions.
            metadata: Label to a number, text, list or object, or to `{"type": "md", "raw_value": "..."}` for a kind of metadata.
            description: In words.
            data_version: Version of the data that is there now; another one than before makes downstream assets stale.
            tags: Free labels of the event.
            location: The code location, where several define the same asset.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/assets/{way(key)}/materializations",
            models.Reported,
            headers={"Idempotency-Key": idempotency_key},
            optional={
                "partition": partition,
                "metadata": metadata,
                "description": description,
                "data_version": data_version,
                "tags": tags,
                "location": location,
            },
        )

    def list_materializations(
        self,
        key: str,
        *,
        location: str | None = None,
        partition: str | None = None,
        type: models.HistoryType | None = None,
        limit: int | None = None,
    ) -> Pages[models.MaterializationView, models.MaterializationListView]:
        """List the history of an asset.

        Materializations, observations, failures and changes of freshness, newest first.

        Args:
            key: Key of the asset, its slashes included.
            type: Only what happened in this way.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            f"/api/v1/assets/{way(key)}/materializations",
            models.MaterializationListView,
            limit=limit,
            query={"location": location, "partition": partition, "type": type},
        )

    def report_observation(
        self,
        key: str,
        *,
        idempotency_key: str | None = None,
        partition: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        description: str | None = None,
        data_version: str | None = None,
        tags: Mapping[str, str] | None = None,
        location: str | None = None,
    ) -> models.Reported:
        """Report an observation.

        Tell what was found where the asset is; another data version than before makes downstream assets stale.

        Args:
            key: Key of the asset, its slashes included.
            idempotency_key: The same key and body give the same answer again, without a second run.
            partition: Partition key, such as `2013-01-01`; `|` between dimensions.
            metadata: Label to a number, text, list or object, or to `{"type": "md", "raw_value": "..."}` for a kind of metadata.
            description: In words.
            data_version: Version of the data that is there now; another one than before makes downstream assets stale.
            tags: Free labels of the event.
            location: The code location, where several define the same asset.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/assets/{way(key)}/observations",
            models.Reported,
            headers={"Idempotency-Key": idempotency_key},
            optional={
                "partition": partition,
                "metadata": metadata,
                "description": description,
                "data_version": data_version,
                "tags": tags,
                "location": location,
            },
        )

    def report_check(
        self,
        key: str,
        name: str,
        *,
        passed: bool,
        idempotency_key: str | None = None,
        severity: models.Severity = "ERROR",
        partition: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        description: str | None = None,
        location: str | None = None,
    ) -> models.Reported:
        """Report the result of a check.

        Tell how the asset was judged by somebody else.

        Args:
            key: Key of the asset, its slashes included.
            name: Name of a check of the asset.
            passed: Whether the asset is as it should be.
            idempotency_key: The same key and body give the same answer again, without a second run.
            severity: How bad it is where it did not pass: WARN or ERROR.
            partition: The partition that was looked at, where it was one.
            metadata: Label to a value, as of a materialization.
            description: What was found, in words.
            location: The code location, where several define the same asset.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/assets/{way(key)}/checks/{part(name)}/evaluations",
            models.Reported,
            headers={"Idempotency-Key": idempotency_key},
            body={"passed": passed, "severity": severity},
            optional={"partition": partition, "metadata": metadata, "description": description, "location": location},
        )

    def list_check_evaluations(
        self, key: str, name: str, *, location: str | None = None, limit: int | None = None
    ) -> Pages[models.CheckEvaluationView, models.CheckEvaluationListView]:
        """List the results of a check.

        What came of it, newest first; of a check that is no longer defined too.

        Args:
            key: Key of the asset, its slashes included.
            name: Name of a check of the asset.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            f"/api/v1/assets/{way(key)}/checks/{part(name)}/evaluations",
            models.CheckEvaluationListView,
            limit=limit,
            query={"location": location},
        )

    def wipe(
        self,
        key: str,
        *,
        partitions: Literal["all"] | Sequence[str] | models.PartitionRange,
        idempotency_key: str | None = None,
        location: str | None = None,
    ) -> models.Wiped:
        """Wipe an asset.

        Forget that it was made: materializations, observations, failures and results of checks no longer count.

        The data itself, wherever it is stored, and the logs of runs are left alone.

        Args:
            key: Key of the asset, its slashes included.
            partitions: `"all"`, which is the only choice without partitions; or a list of keys; or first and last.
            idempotency_key: The same key and body give the same answer again, without a second run.
            location: The code location, where several define the same asset.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/assets/{way(key)}/wipe",
            models.Wiped,
            headers={"Idempotency-Key": idempotency_key},
            body={"partitions": partitions},
            optional={"location": location},
        )

    def list(
        self,
        *,
        group: str | None = None,
        kind: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        location: str | None = None,
        selection: str | None = None,
        prefix: str | None = None,
        status: models.AssetStatus | None = None,
        text: str | None = None,
        stale: bool | None = None,
        limit: int | None = None,
    ) -> Pages[models.AssetSummary, models.AssetListView]:
        """List assets.

        The catalog, by key.

        Args:
            tag: `key`, or `key=value`.
            selection: In the selection language, such as `group:year+ and not kind:duckdb`.
            prefix: First components of the key.
            text: A part of the name.
            stale: Only what is stale, or only what is not.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            "/api/v1/assets",
            models.AssetListView,
            limit=limit,
            query={
                "group": group,
                "kind": kind,
                "owner": owner,
                "tag": tag,
                "location": location,
                "selection": selection,
                "prefix": prefix,
                "status": status,
                "text": text,
                "stale": stale,
            },
        )

    def get_lineage(
        self, *, around: str | None = None, depth: int = 1, group: str | None = None, selection: str | None = None
    ) -> models.LineageView:
        """Get the lineage graph.

        Assets and dependencies between them: all, or a part that is chosen in one way.

        Args:
            around: Only what is near this asset.
            depth: How many steps around it.
            selection: In the selection language, such as `group:year+ and not kind:duckdb`.
        """
        return self._transport.call(
            "GET", "/api/v1/lineage", models.LineageView, query={"around": around, "depth": depth, "group": group, "selection": selection}
        )

    def get_lineage_statuses(
        self, *, around: str | None = None, depth: int = 1, group: str | None = None, selection: str | None = None
    ) -> models.LineageStatusesView:
        """Get the statuses in the lineage graph.

        The states of the same assets as in the lineage graph, by which whoever has it keeps it current.

        Args:
            around: Only what is near this asset.
            depth: How many steps around it.
            selection: In the selection language, such as `group:year+ and not kind:duckdb`.
        """
        return self._transport.call(
            "GET",
            "/api/v1/lineage/statuses",
            models.LineageStatusesView,
            query={"around": around, "depth": depth, "group": group, "selection": selection},
        )

    def list_stale(
        self, *, around: str | None = None, depth: int = 1, group: str | None = None, selection: str | None = None
    ) -> models.StaleListView:
        """List what is stale or missing.

        Which assets are not what their code would make of their upstreams now, and why; of all, or of a part as in the lineage
        graph.

        Args:
            around: Only what is near this asset.
            depth: How many steps around it.
            selection: In the selection language, such as `group:year+ and not kind:duckdb`.
        """
        return self._transport.call(
            "GET",
            "/api/v1/staleness",
            models.StaleListView,
            query={"around": around, "depth": depth, "group": group, "selection": selection},
        )

    def get_plots(self, key: str, *, location: str | None = None, over: models.PlotOver | None = None) -> models.PlotListView:
        """Get the numeric metadata of an asset.

        A plot for each label: the newest value of each partition, or the values of the newest materializations.

        Args:
            key: Key of the asset, its slashes included.
            over: Left out: partition where it has partitions, else time.
        """
        return self._transport.call(
            "GET", f"/api/v1/assets/{way(key)}/plots", models.PlotListView, query={"location": location, "over": over}
        )

    def list_evaluations(
        self, key: str, *, check: str | None = None, limit: int | None = None
    ) -> Pages[models.ConditionEvaluationView, models.ConditionEvaluationListView]:
        """List the evaluations of an asset's automation condition.

        What came of its condition, or of that of one of its checks, newest first, each with the whole tree of the condition.

        Args:
            key: Key of the asset, its slashes included.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            f"/api/v1/assets/{way(key)}/evaluations",
            models.ConditionEvaluationListView,
            limit=limit,
            query={"check": check},
        )

    def get_columns(self, key: str, *, location: str | None = None, depth: int = 2) -> models.ColumnsView:
        """Get the columns of an asset.

        Its schema, and which columns of other assets its columns are made of, and the other way, as metadata says.

        Args:
            key: Key of the asset, its slashes included.
            depth: How many assets away their lineage is followed.
        """
        return self._transport.call(
            "GET", f"/api/v1/assets/{way(key)}/columns", models.ColumnsView, query={"location": location, "depth": depth}
        )

    def get_partitions(self, key: str, *, location: str | None = None) -> models.PartitionsView | None:
        """Get the partitions of an asset.

        The status of all partitions as ranges; null when the asset is unpartitioned.

        Args:
            key: Key of the asset, its slashes included.
        """
        return cast(
            "models.PartitionsView | None",
            self._transport.call_any(
                "GET", f"/api/v1/assets/{way(key)}/partitions", models.PartitionsView | None, query={"location": location}
            ),
        )

    def get_heat(
        self, key: str, *, first: str | None = None, last: str | None = None, location: str | None = None
    ) -> models.PartitionHeatView | None:
        """Get the partitions of an asset as a heat map.

        At most some hundred cells, however many partitions; a part of them is looked into by its first and last key.

        Of two dimensions, a rectangle between two corners. Null when the asset is unpartitioned.

        Args:
            key: Key of the asset, its slashes included.
            first: Key of the first, or the last, partition to show.
            last: Key of the first, or the last, partition to show.
        """
        return cast(
            "models.PartitionHeatView | None",
            self._transport.call_any(
                "GET",
                f"/api/v1/assets/{way(key)}/partitions/heat",
                models.PartitionHeatView | None,
                query={"first": first, "last": last, "location": location},
            ),
        )

    def materialize(
        self,
        key: str,
        *,
        idempotency_key: str | None = None,
        location: str | None = None,
        partition: str | models.PartitionRange | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int | None = None,
    ) -> models.Launched:
        """Materialize an asset.

        Launch a run of this asset alone.

        Args:
            key: Key of the asset, its slashes included.
            idempotency_key: The same key and body give the same answer again, without a second run.
            location: The code location, where several define the same name.
            partition: Partition key, such as `2013-01-01`; `|` between dimensions. Or a range of them, all in one run.
            config: Run config, checked against the config schema; left out: the defaults of the definitions.
            tags: Free labels.
            priority: Higher starts first; 0 when left out.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/assets/{way(key)}/materialize",
            models.Launched,
            headers={"Idempotency-Key": idempotency_key},
            optional={"location": location, "partition": partition, "config": config, "tags": tags, "priority": priority},
        )

    def get(self, key: str, *, location: str | None = None) -> models.AssetView:
        """Get an asset.

        One asset with its definition, state, plots, partitions, history and checks.

        Args:
            key: Key of the asset, its slashes included.
        """
        return self._transport.call("GET", f"/api/v1/assets/{way(key)}", models.AssetView, query={"location": location})


class AutomationCalls:
    """Schedules, sensors and conditions together."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> models.AutomationView:
        """Get all that asks for runs.

        Schedules, sensors, and the assets that have conditions.
        """
        return self._transport.call("GET", "/api/v1/automation", models.AutomationView)

    def set_switches(
        self, *, on: bool, schedules: Sequence[str] | None = None, sensors: Sequence[str] | None = None, location: str | None = None
    ) -> models.SwitchedView:
        """Switch many schedules and sensors.

        Turn all of them on or off: all or, where one is unknown or not yours to switch, none. Repeating it changes nothing.

        Args:
            on: On or off.
            schedules: Names of schedules.
            sensors: Names of sensors.
            location: Only those of this code location; left out: those of the names in each.
        """
        return self._transport.call(
            "POST",
            "/api/v1/automation/switches",
            models.SwitchedView,
            body={"on": on},
            optional={"schedules": schedules, "sensors": sensors, "location": location},
        )


class BackfillsCalls:
    """Backfills: many partitions of assets or of a job."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def launch(
        self,
        *,
        idempotency_key: str | None = None,
        job: str | None = None,
        assets: Sequence[str] | None = None,
        partitions: Literal["all"] | Sequence[str] | models.PartitionRange | None = None,
        missing_only: bool = False,
        failed_only: bool = False,
        location: str | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        title: str | None = None,
        description: str | None = None,
    ) -> models.BackfillMade:
        """Launch a backfill.

        Ask for many partitions of assets, or of a job. The answer comes once the backfill is durable; the daemon asks for its
        runs.

        Args:
            idempotency_key: The same key and body give the same answer again, without a second run.
            job: Name of a partitioned job: a run for each partition.
            assets: Asset keys, in place of a job.
            partitions: `"all"`, a list of keys, or first and last; of several assets, partitions of the first ones, followed
                downstream.
            missing_only: Only what is not materialized: never made, or failed when it was last tried.
            failed_only: Only what failed when it was last tried.
            location: The code location, where several define the same name.
            config: Run config of every run; left out: the defaults of the definitions.
            tags: Tags of every run.
            title: A name for people.
            description: What it is for.
        """
        return self._transport.call(
            "POST",
            "/api/v1/backfills",
            models.BackfillMade,
            headers={"Idempotency-Key": idempotency_key},
            body={"missing_only": missing_only, "failed_only": failed_only},
            optional={
                "job": job,
                "assets": assets,
                "partitions": partitions,
                "location": location,
                "config": config,
                "tags": tags,
                "title": title,
                "description": description,
            },
        )

    def list(
        self, *, status: Sequence[models.BackfillStatus] | None = None, limit: int | None = None
    ) -> Pages[models.BackfillSummary, models.BackfillListView]:
        """List backfills.

        The newest backfills first.

        Args:
            status: Statuses; may be given again.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(self._transport, "/api/v1/backfills", models.BackfillListView, limit=limit, query={"status": status})

    def preview(
        self,
        *,
        job: str | None = None,
        assets: Sequence[str] | None = None,
        partitions: Literal["all"] | Sequence[str] | models.PartitionRange | None = None,
        missing_only: bool = False,
        failed_only: bool = False,
        location: str | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        title: str | None = None,
        description: str | None = None,
    ) -> models.BackfillPreview:
        """Preview a backfill.

        What a backfill would make, and in how many runs. Nothing is launched.

        Args:
            job: Name of a partitioned job: a run for each partition.
            assets: Asset keys, in place of a job.
            partitions: `"all"`, a list of keys, or first and last; of several assets, partitions of the first ones, followed
                downstream.
            missing_only: Only what is not materialized: never made, or failed when it was last tried.
            failed_only: Only what failed when it was last tried.
            location: The code location, where several define the same name.
            config: Run config of every run; left out: the defaults of the definitions.
            tags: Tags of every run.
            title: A name for people.
            description: What it is for.
        """
        return self._transport.call(
            "POST",
            "/api/v1/backfills/preview",
            models.BackfillPreview,
            body={"missing_only": missing_only, "failed_only": failed_only},
            optional={
                "job": job,
                "assets": assets,
                "partitions": partitions,
                "location": location,
                "config": config,
                "tags": tags,
                "title": title,
                "description": description,
            },
        )

    def get(self, backfill_id: str) -> models.BackfillView:
        """Get a backfill.

        A backfill with the progress of each of its assets.

        Args:
            backfill_id: Id of the backfill, a UUID.
        """
        return self._transport.call("GET", f"/api/v1/backfills/{part(backfill_id)}", models.BackfillView)

    def cancel(self, backfill_id: str) -> models.BackfillMade:
        """Cancel a backfill.

        Ask for nothing more, take its runs out of the queue, and have those that run stopped.

        Args:
            backfill_id: Id of the backfill, a UUID.
        """
        return self._transport.call("POST", f"/api/v1/backfills/{part(backfill_id)}/cancel", models.BackfillMade)

    def resume(self, backfill_id: str) -> models.BackfillMade:
        """Resume a backfill.

        Let a canceled or failed backfill ask again for what it did not make.

        Args:
            backfill_id: Id of the backfill, a UUID.
        """
        return self._transport.call("POST", f"/api/v1/backfills/{part(backfill_id)}/resume", models.BackfillMade)

    def retry(self, backfill_id: str, *, idempotency_key: str | None = None) -> models.BackfillMade:
        """Retry a backfill.

        A new backfill of what an ended one did not make.

        Args:
            backfill_id: Id of the backfill, a UUID.
            idempotency_key: The same key and body give the same answer again, without a second run.
        """
        return self._transport.call(
            "POST", f"/api/v1/backfills/{part(backfill_id)}/retry", models.BackfillMade, headers={"Idempotency-Key": idempotency_key}
        )


class DagsterCalls:
    """Reports in the form of Dagster's webserver."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def report_asset_materialization(
        self,
        asset_key: str,
        *,
        partition: str | None = None,
        description: str | None = None,
        data_version: str | None = None,
        metadata: str | None = None,
        body: Any = None,
    ) -> models.Done:
        """Report a materialization, in Dagster's form.

        As `POST /api/v1/assets/{key}/materializations`, for clients that were written for Dagster's webserver. Answers `{}`.

        Other than there, the asset need not be defined.

        Args:
            asset_key: Key of the asset, its slashes included; may be left out where `asset_key` says it.
            metadata: As JSON.
            body: The body, as JSON.
        """
        return self._transport.call(
            "POST",
            f"/report_asset_materialization/{way(asset_key)}",
            models.Done,
            query={"partition": partition, "description": description, "data_version": data_version, "metadata": metadata},
            body=body,
        )

    def report_asset_observation(
        self,
        asset_key: str,
        *,
        partition: str | None = None,
        description: str | None = None,
        data_version: str | None = None,
        metadata: str | None = None,
        body: Any = None,
    ) -> models.Done:
        """Report an observation, in Dagster's form.

        As `POST /api/v1/assets/{key}/observations`, for clients that were written for Dagster's webserver. Answers `{}`.

        Other than there, the asset need not be defined.

        Args:
            asset_key: Key of the asset, its slashes included; may be left out where `asset_key` says it.
            metadata: As JSON.
            body: The body, as JSON.
        """
        return self._transport.call(
            "POST",
            f"/report_asset_observation/{way(asset_key)}",
            models.Done,
            query={"partition": partition, "description": description, "data_version": data_version, "metadata": metadata},
            body=body,
        )

    def report_asset_check(
        self,
        asset_key: str,
        *,
        check_name: str | None = None,
        passed: str | None = None,
        severity: str | None = None,
        partition: str | None = None,
        metadata: str | None = None,
        body: Any = None,
    ) -> models.Done:
        """Report the result of a check, in Dagster's form.

        As `POST /api/v1/assets/{key}/checks/{name}/evaluations`, for clients that were written for Dagster's webserver. Answers
        `{}`.

        Other than there, the asset need not be defined.

        Args:
            asset_key: Key of the asset, its slashes included; may be left out where `asset_key` says it.
            passed: As JSON.
            metadata: As JSON.
            body: The body, as JSON.
        """
        return self._transport.call(
            "POST",
            f"/report_asset_check/{way(asset_key)}",
            models.Done,
            query={"check_name": check_name, "passed": passed, "severity": severity, "partition": partition, "metadata": metadata},
            body=body,
        )


class DynamicPartitionsCalls:
    """Keys of dynamic partitions."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> models.DynamicPartitionsListView:
        """List names of dynamic partitions.

        The names that definitions use, with the number of keys of each.
        """
        return self._transport.call("GET", "/api/v1/dynamic-partitions", models.DynamicPartitionsListView)

    def list_keys(
        self, name: str, *, text: str | None = None, limit: int | None = None
    ) -> Pages[models.DynamicKeyView, models.DynamicKeyListView]:
        """List dynamic partition keys.

        The keys of a name, newest first.

        Args:
            name: The name that definitions use.
            text: A part of the name.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport, f"/api/v1/dynamic-partitions/{part(name)}", models.DynamicKeyListView, limit=limit, query={"text": text}
        )

    def add_keys(self, name: str, *, keys: Sequence[str], idempotency_key: str | None = None) -> models.KeysAdded:
        """Add dynamic partition keys.

        Add keys; those that are there already stay where they are. Backfills, sensors and conditions know them at once.

        Args:
            name: The name that definitions use.
            keys: The keys, in the order in which they are to stand.
            idempotency_key: The same key and body give the same answer again, without a second run.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/dynamic-partitions/{part(name)}",
            models.KeysAdded,
            headers={"Idempotency-Key": idempotency_key},
            body={"keys": keys},
        )

    def delete_keys(self, name: str, *, key: Sequence[str]) -> models.KeysDeleted:
        """Delete dynamic partition keys.

        Delete keys. What was materialized of them is kept, and counts again when they are added again.

        Args:
            name: The name that definitions use.
            key: A key; may be given again.
        """
        return self._transport.call("DELETE", f"/api/v1/dynamic-partitions/{part(name)}", models.KeysDeleted, query={"key": key})


class HooksCalls:
    """Webhooks and what came to them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def deliver(self, name: str, *, location: str | None = None, body: Any = None) -> models.Received:
        """Deliver to a webhook.

        Any body up to the sensor's limit, signed as its definition says. 202 means that it is stored and will be handled.

        A request that is sent again (same id, same content) is not stored again: the answer is that of the first, with
        `duplicate`.
        Where the process that has the secret cannot be asked just now, the signature is checked before the request is handled.

        Args:
            name: Name of the webhook sensor.
            body: The body, as JSON.
        """
        return self._transport.call("POST", f"/api/v1/hooks/{part(name)}", models.Received, query={"location": location}, body=body)

    def list_deliveries(
        self, name: str, *, location: str | None = None, status: models.DeliveryStatus | None = None, limit: int | None = None
    ) -> Pages[models.DeliveryView, models.DeliveryListView]:
        """List what came to a webhook.

        The newest first. They are kept for a week.

        Args:
            name: Name of the webhook sensor.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            f"/api/v1/hooks/{part(name)}/deliveries",
            models.DeliveryListView,
            limit=limit,
            query={"location": location, "status": status},
        )

    def get_delivery(self, name: str, delivery_id: int, *, location: str | None = None) -> models.DeliveryView:
        """Get a delivery.

        What came, and what became of it.

        Args:
            name: Name of the webhook sensor.
            delivery_id: Number of the delivery.
        """
        return self._transport.call(
            "GET", f"/api/v1/hooks/{part(name)}/deliveries/{part(delivery_id)}", models.DeliveryView, query={"location": location}
        )

    def replay_delivery(self, name: str, delivery_id: int, *, location: str | None = None) -> models.DeliveryView:
        """Replay a delivery.

        Have the sensor handle it once more, as it came. A run with the same run key is not made again.

        Args:
            name: Name of the webhook sensor.
            delivery_id: Number of the delivery.
        """
        return self._transport.call(
            "POST", f"/api/v1/hooks/{part(name)}/deliveries/{part(delivery_id)}/replay", models.DeliveryView, query={"location": location}
        )


class InstanceCalls:
    """The deployment as a whole."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        result: models.AuditResult | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Pages[models.AuditEntryView, models.AuditListView]:
        """List the audit log.

        Who changed what, and who was refused; the newest first.

        Args:
            action: An operation, such as `launch`.
            result: done, refused or failed.
            since: ISO 8601; UTC unless it says otherwise.
            until: ISO 8601; UTC unless it says otherwise.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            "/api/v1/audit",
            models.AuditListView,
            limit=limit,
            query={"actor": actor, "action": action, "target": target, "result": result, "since": since, "until": until},
        )

    def stream_changes(self, *, topics: str = "runs") -> Iterator[StreamEvent]:
        """Follow what changes.

        `event: change` with `{"topic", "ids"}` whenever something of a topic changed; `ids` is empty when it may be anything.

        Changes within 30 ms are told as one. Reconnecting with `Last-Event-ID` begins with a change of each topic that may be
        anything,
        so that nothing is missed: whoever follows reads its lists anew.

        Args:
            topics: Comma-separated: runs, backfills, assets, freshness, locations, instigators, ticks, queue, recovery.
        """
        return self._transport.stream("/api/v1/stream", query={"topics": topics})

    def get_overview(self, *, hours: float = 12.0, until: datetime | None = None, by: models.Lanes = "job") -> models.OverviewView:
        """Get the overview.

        What runs, what failed, what comes next, the health of assets and of the deployment.

        Args:
            hours: Length of the timeline.
            until: Where the timeline ends, ISO 8601; left out: a little after now.
            by: What has a lane of its own: jobs, or asset groups.
        """
        return self._transport.call("GET", "/api/v1/overview", models.OverviewView, query={"hours": hours, "until": until, "by": by})

    def find(self, *, q: str = "", limit: int = 20) -> models.SearchView:
        """Search.

        Assets, checks, groups, jobs, schedules, sensors, resources and locations by name, and runs by id; the best first.

        Args:
            q: Words, or letters of them in their order; or the beginning of a run's id.
            limit: Most hits.
        """
        return self._transport.call("GET", "/api/v1/search", models.SearchView, query={"q": q, "limit": limit})

    def get(self) -> models.DeploymentView:
        """Get the state of the deployment.

        Locations, code servers, daemons, loops, the queue and the database.
        """
        return self._transport.call("GET", "/api/v1/instance", models.DeploymentView)

    def list_settings(self) -> models.ConfigurationView:
        """List settings.

        The settings of the webserver, and where each comes from. Secrets are masked.
        """
        return self._transport.call("GET", "/api/v1/instance/settings", models.ConfigurationView)

    def get_simulation(self, *, hours: float = 168.0, limit: int = 1000) -> models.SimulationView:
        """Simulate the schedules and conditions.

        Which runs would start when, by the schedules that are switched on, conditions, limits and pools, and how full those would
        be.

        Nothing is launched and no code of yours is run.

        Args:
            hours: How far to look.
            limit: Most runs that are listed.
        """
        return self._transport.call("GET", "/api/v1/simulation", models.SimulationView, query={"hours": hours, "limit": limit})

    def healthz(self) -> models.Alive:
        """Whether this process lives.

        Always 200 while the webserver answers at all.
        """
        return self._transport.call("GET", "/healthz", models.Alive)

    def readyz(self) -> models.Readiness:
        """Whether the deployment can take work.

        200 once the database answers and the first location has loaded.
        """
        return self._transport.call("GET", "/readyz", models.Readiness)

    def get_metrics(self) -> str:
        """Numbers for Prometheus.

        Prometheus' text format. While the database is away, the numbers of this process alone.
        """
        return self._transport.text("/metrics")


class JobsCalls:
    """Jobs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, *, location: str | None = None, text: str | None = None, limit: int | None = None
    ) -> Pages[models.JobSummary, models.JobListView]:
        """List jobs.

        Jobs by name, each with its newest run.

        Args:
            text: A part of the name.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(self._transport, "/api/v1/jobs", models.JobListView, limit=limit, query={"location": location, "text": text})

    def get(self, name: str, *, location: str | None = None) -> models.JobView:
        """Get a job.

        One job with its graph, the JSON Schema of its config, and its newest runs.

        Args:
            name: Name of the job.
        """
        return self._transport.call("GET", f"/api/v1/jobs/{part(name)}", models.JobView, query={"location": location})

    def list_presets(self, name: str, *, location: str | None = None) -> models.PresetListView:
        """List presets of a job.

        The config of the definition first, as `default`, then what people have saved.

        Args:
            name: Name of the job.
        """
        return self._transport.call("GET", f"/api/v1/jobs/{part(name)}/presets", models.PresetListView, query={"location": location})

    def get_preset(self, name: str, preset: str, *, location: str | None = None) -> models.PresetView:
        """Get a preset.

        One preset.

        Args:
            name: Name of the job.
            preset: Name of the preset.
        """
        return self._transport.call(
            "GET", f"/api/v1/jobs/{part(name)}/presets/{part(preset)}", models.PresetView, query={"location": location}
        )

    def save_preset(
        self,
        name: str,
        preset: str,
        *,
        location: str | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> models.PresetView:
        """Save a preset.

        Keep config and tags under a name, in place of an earlier preset of that name. Everybody who may launch the job sees it.

        Args:
            name: Name of the job.
            preset: Name of the preset.
            config: Run config. It may be a part of one, or wrong by now: it is checked when it is launched.
            tags: Tags of the run.
        """
        return self._transport.call(
            "PUT",
            f"/api/v1/jobs/{part(name)}/presets/{part(preset)}",
            models.PresetView,
            query={"location": location},
            optional={"config": config, "tags": tags},
        )

    def delete_preset(self, name: str, preset: str, *, location: str | None = None) -> None:
        """Delete a preset.

        Runs that used it keep their config.

        Args:
            name: Name of the job.
            preset: Name of the preset.
        """
        self._transport.call("DELETE", f"/api/v1/jobs/{part(name)}/presets/{part(preset)}", None, query={"location": location})


class LimitsCalls:
    """Limits of the queue."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> models.LimitsView:
        """Get the limits of the queue.

        The limits in force: the settings, with what was changed while the deployment runs.
        """
        return self._transport.call("GET", "/api/v1/limits", models.LimitsView)

    def change(
        self,
        *,
        if_match: str | None = None,
        max_concurrent_runs: int | None | Left = LEFT_OUT,
        reserved_runs: int | None | Left = LEFT_OUT,
        tag_concurrency_limits: Sequence[Mapping[str, Any]] | None | Left = LEFT_OUT,
        location_limits: Mapping[str, int] | None | Left = LEFT_OUT,
        default_pool_slots: int | None | Left = LEFT_OUT,
        pool_granularity: str | None | Left = LEFT_OUT,
    ) -> models.LimitsView:
        """Change limits of the queue.

        Change some limits from now on, for all daemons; they are kept over restarts and win over the settings.

        Args:
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
            max_concurrent_runs: Active runs, over all locations.
            reserved_runs: Places of these that runs of backfills and automation leave free; null: a fifth, at least one.
            tag_concurrency_limits: `key`, `value` (a value, or `{"applyLimitPerUniqueValue": true}`, or left out) and `limit`.
            location_limits: Active runs of a location, by its name.
            default_pool_slots: Slots of a pool that has none set; null: any number.
            pool_granularity: `step` (or `op`), or `run`.
        """
        return self._transport.call(
            "PATCH",
            "/api/v1/limits",
            models.LimitsView,
            headers={"If-Match": if_match},
            body={
                "max_concurrent_runs": max_concurrent_runs,
                "reserved_runs": reserved_runs,
                "tag_concurrency_limits": tag_concurrency_limits,
                "location_limits": location_limits,
                "default_pool_slots": default_pool_slots,
                "pool_granularity": pool_granularity,
            },
        )

    def reset(self, *, if_match: str | None = None) -> models.LimitsView:
        """Forget changes of limits.

        The settings hold again.

        Args:
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        return self._transport.call("DELETE", "/api/v1/limits", models.LimitsView, headers={"If-Match": if_match})


class LocationsCalls:
    """Code locations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> models.LocationListView:
        """List locations.

        Code locations with their state and their code servers.
        """
        return self._transport.call("GET", "/api/v1/locations", models.LocationListView)

    def get(self, name: str) -> models.LocationView:
        """Get a location.

        One code location.

        Args:
            name: Name of the location.
        """
        return self._transport.call("GET", f"/api/v1/locations/{part(name)}", models.LocationView)

    def reload(self, name: str) -> models.LocationView:
        """Reload a location.

        Have the code servers of a location load its code anew. The answer says whether it loaded; runs that go on are not
        disturbed.

        Args:
            name: Name of the location.
        """
        return self._transport.call("POST", f"/api/v1/locations/{part(name)}/reload", models.LocationView)


class PoolsCalls:
    """Pools of slots."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> models.PoolListView:
        """List pools.

        Pools with their slots, who holds them and who waits, in the order of being served.
        """
        return self._transport.call("GET", "/api/v1/pools", models.PoolListView)

    def get(self, name: str) -> models.PoolView:
        """Get a pool.

        One pool.

        Args:
            name: Name of the pool.
        """
        return self._transport.call("GET", f"/api/v1/pools/{way(name)}", models.PoolView)

    def set(self, name: str, *, slots: int, if_match: str | None = None) -> models.PoolView:
        """Set the slots of a pool.

        How many steps (or runs) of the pool may go on at once, from now on. Who waits is let in at once where there is room.

        Args:
            name: Name of the pool.
            slots: 0 lets nothing start; fewer than are in use lets those finish.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        return self._transport.call(
            "PUT", f"/api/v1/pools/{way(name)}", models.PoolView, headers={"If-Match": if_match}, body={"slots": slots}
        )

    def delete(self, name: str, *, if_match: str | None = None) -> None:
        """Forget the slots of a pool.

        The default of the deployment holds for the pool from then on: any number, unless `default_pool_slots` says otherwise.

        Args:
            name: Name of the pool.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        self._transport.call("DELETE", f"/api/v1/pools/{way(name)}", None, headers={"If-Match": if_match})


class ResourcesCalls:
    """Resources, and what uses them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, location: str | None = None) -> models.ResourceListView:
        """List resources.

        Resources by key, with their config and what uses them.
        """
        return self._transport.call("GET", "/api/v1/resources", models.ResourceListView, query={"location": location})

    def get(self, key: str, *, location: str | None = None) -> models.ResourceView:
        """Get a resource.

        One resource.

        Args:
            key: Key of the resource.
        """
        return self._transport.call("GET", f"/api/v1/resources/{part(key)}", models.ResourceView, query={"location": location})


class RunsCalls:
    """Runs: launch, list, look at, follow, cancel, run again, delete."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(self, run_id: str, *, after_seq: int = 0, brief: bool = False) -> Iterator[StreamEvent]:
        """Follow a run.

        Each event of the run as `event: event` with its number as id, and `event: run` whenever its status or steps change.

        Reconnecting with `Last-Event-ID` goes on after that event: nothing is lost or told twice. `event: end` is the last one.
        With `brief`, `event: progress` tells status, newest event and steps by status, at most 20 times a second.

        Args:
            run_id: Id of the run, a UUID.
            after_seq: Only events with a higher number.
            brief: Tell how far the run is, in place of its events.
        """
        return self._transport.stream(f"/api/v1/runs/{part(run_id)}/stream", query={"after_seq": after_seq, "brief": brief})

    def preview(
        self,
        *,
        code: bool = False,
        location: str | None = None,
        partition: str | models.PartitionRange | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int | None = None,
        job: str | None = None,
        assets: Sequence[str] | None = None,
        checks: Sequence[models.CheckName] | None = None,
        steps: Sequence[str] | None = None,
    ) -> models.PreviewView:
        """Try a launch out.

        Check a request for a run as launching it would, and predict how long the run will take. Nothing is launched or stored.

        Args:
            code: Have the code of the location check the config as well.
            location: The code location, where several define the same name.
            partition: Partition key, such as `2013-01-01`; `|` between dimensions. Or a range of them, all in one run.
            config: Run config, checked against the config schema; left out: the defaults of the definitions.
            tags: Free labels.
            priority: Higher starts first; 0 when left out.
            job: Name of a job.
            assets: Asset keys; beside `job`, the part of its assets that is wanted.
            checks: These checks and no others; without `assets` nothing is made. Left out: all checks of what is made.
            steps: Only these steps.
        """
        return self._transport.call(
            "POST",
            "/api/v1/runs/preview",
            models.PreviewView,
            query={"code": code},
            optional={
                "location": location,
                "partition": partition,
                "config": config,
                "tags": tags,
                "priority": priority,
                "job": job,
                "assets": assets,
                "checks": checks,
                "steps": steps,
            },
        )

    def launch(
        self,
        *,
        idempotency_key: str | None = None,
        location: str | None = None,
        partition: str | models.PartitionRange | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int | None = None,
        job: str | None = None,
        assets: Sequence[str] | None = None,
        checks: Sequence[models.CheckName] | None = None,
        steps: Sequence[str] | None = None,
    ) -> models.Launched:
        """Launch a run.

        Ask for a run of a job, or of assets picked freely. The answer comes once the run is durable in the queue.

        Args:
            idempotency_key: The same key and body give the same answer again, without a second run.
            location: The code location, where several define the same name.
            partition: Partition key, such as `2013-01-01`; `|` between dimensions. Or a range of them, all in one run.
            config: Run config, checked against the config schema; left out: the defaults of the definitions.
            tags: Free labels.
            priority: Higher starts first; 0 when left out.
            job: Name of a job.
            assets: Asset keys; beside `job`, the part of its assets that is wanted.
            checks: These checks and no others; without `assets` nothing is made. Left out: all checks of what is made.
            steps: Only these steps.
        """
        return self._transport.call(
            "POST",
            "/api/v1/runs",
            models.Launched,
            headers={"Idempotency-Key": idempotency_key},
            optional={
                "location": location,
                "partition": partition,
                "config": config,
                "tags": tags,
                "priority": priority,
                "job": job,
                "assets": assets,
                "checks": checks,
                "steps": steps,
            },
        )

    def list(
        self,
        *,
        status: Sequence[models.RunStatus] | None = None,
        job: str | None = None,
        asset: str | None = None,
        location: str | None = None,
        partition: str | None = None,
        trigger: models.TriggerKind | None = None,
        trigger_name: str | None = None,
        tag: Sequence[str] | None = None,
        backfill: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        ended_after: datetime | None = None,
        ended_before: datetime | None = None,
        text: str | None = None,
        grouped: bool = False,
        limit: int | None = None,
    ) -> Pages[models.RunSummary, models.RunListView]:
        """List runs.

        The newest runs first.

        Args:
            status: Statuses; may be given again.
            asset: Key of an asset that the run materializes.
            trigger: What asked for the run.
            trigger_name: The schedule, sensor or user.
            tag: `key=value`; may be given again, and all must hold.
            backfill: Id of the backfill that asked for the run.
            created_after: ISO 8601; UTC unless it says otherwise.
            created_before: ISO 8601; UTC unless it says otherwise.
            ended_after: ISO 8601; runs that have not ended are left out.
            ended_before: ISO 8601; runs that have not ended are left out.
            text: Start of the id, or a part of the job or an asset.
            grouped: Leave out the runs of backfills, and tell of the backfills in their place.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            "/api/v1/runs",
            models.RunListView,
            limit=limit,
            query={
                "status": status,
                "job": job,
                "asset": asset,
                "location": location,
                "partition": partition,
                "trigger": trigger,
                "trigger_name": trigger_name,
                "tag": tag,
                "backfill": backfill,
                "created_after": created_after,
                "created_before": created_before,
                "ended_after": ended_after,
                "ended_before": ended_before,
                "text": text,
                "grouped": grouped,
            },
        )

    def get(self, run_id: str) -> models.RunView:
        """Get a run.

        A run with its steps.

        Args:
            run_id: Id of the run, a UUID.
        """
        return self._transport.call("GET", f"/api/v1/runs/{part(run_id)}", models.RunView)

    def delete(self, run_id: str) -> None:
        """Delete a run.

        Delete an ended run with its steps, events and output. What asset partitions hold now stays on record.

        Args:
            run_id: Id of the run, a UUID.
        """
        self._transport.call("DELETE", f"/api/v1/runs/{part(run_id)}", None)

    def get_waiting(self, run_id: str) -> models.WaitingView:
        """Why a run waits.

        Which limit, pool, time or missing service holds a run (or steps of it) back: by whom, since when, and how many are before
        it.

        Args:
            run_id: Id of the run, a UUID.
        """
        return self._transport.call("GET", f"/api/v1/runs/{part(run_id)}/waiting", models.WaitingView)

    def compare(self, run_id: str, other_id: str) -> models.ComparisonView:
        """Compare two runs.

        A run beside another: config, tags, definitions, times of steps, what was made and its metadata, results of checks.

        Args:
            run_id: Id of the run, a UUID.
            other_id: Id of the run to compare with, a UUID.
        """
        return self._transport.call("GET", f"/api/v1/runs/{part(run_id)}/compare/{part(other_id)}", models.ComparisonView)

    def list_events(
        self,
        run_id: str,
        *,
        after_seq: int = 0,
        level: str | None = None,
        type: Sequence[str] | None = None,
        step: str | None = None,
        text: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Pages[models.EventView, models.EventListView]:
        """List the events of a run.

        Events in the order of their numbers.

        Args:
            run_id: Id of the run, a UUID.
            after_seq: Only events with a higher number.
            level: The least level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
            type: Types such as STEP_FAILED; may be given again.
            step: Only events of this step.
            text: A part of the message.
            since: Only events from this moment on, ISO 8601; UTC unless it says otherwise.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            f"/api/v1/runs/{part(run_id)}/events",
            models.EventListView,
            limit=limit,
            query={"after_seq": after_seq, "level": level, "type": type, "step": step, "text": text, "since": since},
        )

    def number_events(
        self,
        run_id: str,
        *,
        after_seq: int = 0,
        level: str | None = None,
        type: Sequence[str] | None = None,
        step: str | None = None,
        text: str | None = None,
        since: datetime | None = None,
    ) -> models.EventNumbersView:
        """Number the events of a run.

        Which events a filter finds, as ranges of their numbers: a list then fetches only the pages that are looked at, by
        `after_seq`.

        Args:
            run_id: Id of the run, a UUID.
            after_seq: Only events with a higher number.
            level: The least level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
            type: Types such as STEP_FAILED; may be given again.
            step: Only events of this step.
            text: A part of the message.
            since: Only events from this moment on, ISO 8601; UTC unless it says otherwise.
        """
        return self._transport.call(
            "GET",
            f"/api/v1/runs/{part(run_id)}/events/numbers",
            models.EventNumbersView,
            query={"after_seq": after_seq, "level": level, "type": type, "step": step, "text": text, "since": since},
        )

    def read_logs(
        self,
        run_id: str,
        *,
        step: str | None = None,
        stream: models.LogStream = "stdout",
        attempt: int | None = None,
        offset: int = 0,
        limit: int = 262144,
    ) -> models.LogView | models.LogListView:
        """Read captured output.

        A piece of what a step wrote; without `step`, the list of what was captured.

        Args:
            run_id: Id of the run, a UUID.
            step: Step key.
            stream: stdout or stderr.
            attempt: Number of the attempt; all of them, one after the other, when left out.
            offset: Byte to start at: `next_offset` of the piece before.
            limit: Most bytes of one answer.
        """
        return cast(
            "models.LogView | models.LogListView",
            self._transport.call_any(
                "GET",
                f"/api/v1/runs/{part(run_id)}/logs",
                models.LogView | models.LogListView,
                query={"step": step, "stream": stream, "attempt": attempt, "offset": offset, "limit": limit},
            ),
        )

    def download_log(self, run_id: str, *, step: str, stream: models.LogStream = "stdout", attempt: int | None = None) -> str:
        """Download captured output.

        All that a step wrote to one stream, as a file.

        Args:
            run_id: Id of the run, a UUID.
            step: Step key.
            stream: stdout or stderr.
            attempt: Number of the attempt; all of them, one after the other, when left out.
        """
        return self._transport.text(f"/api/v1/runs/{part(run_id)}/logs/raw", query={"step": step, "stream": stream, "attempt": attempt})

    def cancel(self, run_id: str, *, force: bool = False) -> models.CancelAnswer:
        """Cancel a run.

        Ask a run to stop. One that waits is canceled at once; one that runs is stopped by its code server, with a grace time.

        With `force` it is marked as canceled now, whatever has become of its worker.

        Args:
            run_id: Id of the run, a UUID.
            force: Mark the run as canceled now, without waiting for its worker; that one can write nothing from then on.
        """
        return self._transport.call("POST", f"/api/v1/runs/{part(run_id)}/cancel", models.CancelAnswer, body={"force": force})

    def reexecute(
        self,
        run_id: str,
        *,
        idempotency_key: str | None = None,
        strategy: models.RetryStrategy = "FROM_FAILURE",
        steps: Sequence[str] | None = None,
        downstream: bool = False,
    ) -> models.Launched:
        """Run a run again.

        A new run that does the work of an ended one again, with the definitions of now.

        Args:
            run_id: Id of the run, a UUID.
            idempotency_key: The same key and body give the same answer again, without a second run.
            strategy: FROM_FAILURE keeps what succeeded; ALL_STEPS starts over.
            steps: Only these steps, in place of a strategy; outputs of the others are those of the run.
            downstream: With `steps`: and all steps that wait for them.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/runs/{part(run_id)}/re-execute",
            models.Launched,
            headers={"Idempotency-Key": idempotency_key},
            body={"strategy": strategy, "downstream": downstream},
            optional={"steps": steps},
        )

    def bulk(
        self,
        *,
        action: Literal["cancel", "re-execute", "delete"],
        idempotency_key: str | None = None,
        run_ids: Sequence[str] | None = None,
        filter: models.RunFilterBody | None = None,
        strategy: models.RetryStrategy = "FROM_FAILURE",
        force: bool = False,
    ) -> models.BulkView:
        """Do the same with many runs.

        Cancel, run again or delete. Each run is a change of its own, and what cannot be done with one keeps it from no other.

        With an `Idempotency-Key` each run gets its answer once, also when the request is sent again after it broke off.

        Args:
            action: `delete` takes the role of an editor.
            idempotency_key: The same key and body give the same answer again, without a second run.
            run_ids: Ids of runs.
            filter: In place of ids: the newest runs that fit it and with which this can be done at all.
            strategy: Of `re-execute`: FROM_FAILURE keeps what succeeded; ALL_STEPS starts over.
            force: Of `cancel`: mark as canceled now, without waiting for workers.
        """
        return self._transport.call(
            "POST",
            "/api/v1/runs/bulk",
            models.BulkView,
            headers={"Idempotency-Key": idempotency_key},
            body={"action": action, "strategy": strategy, "force": force},
            optional={"run_ids": run_ids, "filter": filter},
        )


class SchedulesCalls:
    """Schedules."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, location: str | None = None, limit: int | None = None) -> Pages[models.ScheduleView, models.ScheduleListView]:
        """List schedules.

        Schedules by name.

        Args:
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(self._transport, "/api/v1/schedules", models.ScheduleListView, limit=limit, query={"location": location})

    def get(self, name: str, *, location: str | None = None) -> models.ScheduleView:
        """Get a schedule.

        One schedule with its switch, its next ticks and its last ones.

        Args:
            name: Name of the schedule.
        """
        return self._transport.call("GET", f"/api/v1/schedules/{part(name)}", models.ScheduleView, query={"location": location})

    def start(self, name: str, *, location: str | None = None, if_match: str | None = None) -> models.ScheduleView:
        """Switch a schedule on.

        Ticks from now on are evaluated. Repeating it changes nothing.

        Args:
            name: Name of the schedule.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/schedules/{part(name)}/start",
            models.ScheduleView,
            query={"location": location},
            headers={"If-Match": if_match},
        )

    def stop(self, name: str, *, location: str | None = None, if_match: str | None = None) -> models.ScheduleView:
        """Switch a schedule off.

        Runs that it has launched go on. Repeating it changes nothing.

        Args:
            name: Name of the schedule.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/schedules/{part(name)}/stop",
            models.ScheduleView,
            query={"location": location},
            headers={"If-Match": if_match},
        )

    def list_ticks(
        self, name: str, *, location: str | None = None, status: models.TickStatus | None = None, limit: int | None = None
    ) -> Pages[models.TickView, models.TicksView]:
        """List the ticks of a schedule.

        The newest first.

        Args:
            name: Name of the schedule.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            f"/api/v1/schedules/{part(name)}/ticks",
            models.TicksView,
            limit=limit,
            query={"location": location, "status": status},
        )

    def get_tick(self, name: str, tick_id: int, *, location: str | None = None) -> models.TickView:
        """Get a tick of a schedule.

        One tick with its runs, its error and what user code printed and logged.

        Args:
            name: Name of the schedule.
            tick_id: Number of the tick.
        """
        return self._transport.call(
            "GET", f"/api/v1/schedules/{part(name)}/ticks/{part(tick_id)}", models.TickView, query={"location": location}
        )

    def evaluate(self, name: str, *, location: str | None = None, at: datetime | None = None) -> models.EvaluationView:
        """Try a schedule out.

        Call its function once, as at a tick, and tell what it asks for; nothing of it is stored or launched.

        Args:
            name: Name of the schedule.
            at: The moment of the tick, with a time zone; left out: now.
        """
        return self._transport.call(
            "POST", f"/api/v1/schedules/{part(name)}/evaluate", models.EvaluationView, query={"location": location}, optional={"at": at}
        )


class SensorsCalls:
    """Sensors."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, location: str | None = None, limit: int | None = None) -> Pages[models.SensorView, models.SensorListView]:
        """List sensors.

        Sensors by name.

        Args:
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(self._transport, "/api/v1/sensors", models.SensorListView, limit=limit, query={"location": location})

    def get(self, name: str, *, location: str | None = None) -> models.SensorView:
        """Get a sensor.

        One sensor with its switch, its cursor and its last ticks.

        Args:
            name: Name of the sensor.
        """
        return self._transport.call("GET", f"/api/v1/sensors/{part(name)}", models.SensorView, query={"location": location})

    def start(self, name: str, *, location: str | None = None, if_match: str | None = None) -> models.SensorView:
        """Switch a sensor on.

        It is evaluated from now on. Repeating it changes nothing.

        Args:
            name: Name of the sensor.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        return self._transport.call(
            "POST", f"/api/v1/sensors/{part(name)}/start", models.SensorView, query={"location": location}, headers={"If-Match": if_match}
        )

    def stop(self, name: str, *, location: str | None = None, if_match: str | None = None) -> models.SensorView:
        """Switch a sensor off.

        Runs that it has launched go on. Repeating it changes nothing.

        Args:
            name: Name of the sensor.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        return self._transport.call(
            "POST", f"/api/v1/sensors/{part(name)}/stop", models.SensorView, query={"location": location}, headers={"If-Match": if_match}
        )

    def list_ticks(
        self, name: str, *, location: str | None = None, status: models.TickStatus | None = None, limit: int | None = None
    ) -> Pages[models.TickView, models.TicksView]:
        """List the ticks of a sensor.

        The newest first.

        Args:
            name: Name of the sensor.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(
            self._transport,
            f"/api/v1/sensors/{part(name)}/ticks",
            models.TicksView,
            limit=limit,
            query={"location": location, "status": status},
        )

    def get_tick(self, name: str, tick_id: int, *, location: str | None = None) -> models.TickView:
        """Get a tick of a sensor.

        One tick with its runs, its error and what user code printed and logged.

        Args:
            name: Name of the sensor.
            tick_id: Number of the tick.
        """
        return self._transport.call(
            "GET", f"/api/v1/sensors/{part(name)}/ticks/{part(tick_id)}", models.TickView, query={"location": location}
        )

    def set_cursor(self, name: str, *, cursor: str | None, location: str | None = None, if_match: str | None = None) -> models.SensorView:
        """Set the cursor of a sensor.

        Rewind a sensor, or make it forget. An evaluation that is going on does not write its own cursor over it.

        Args:
            name: Name of the sensor.
            cursor: What its function will find as `context.cursor`; null: as if it had never been evaluated.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        return self._transport.call(
            "PUT",
            f"/api/v1/sensors/{part(name)}/cursor",
            models.SensorView,
            query={"location": location},
            headers={"If-Match": if_match},
            body={"cursor": cursor},
        )

    def evaluate(self, name: str, *, location: str | None = None, cursor: str | None = None) -> models.EvaluationView:
        """Try a sensor out.

        Call its function once and tell what it asks for; nothing of it is stored or launched.

        Args:
            name: Name of the sensor.
            cursor: The cursor to try it with; left out: the one that it has.
        """
        return self._transport.call(
            "POST",
            f"/api/v1/sensors/{part(name)}/evaluate",
            models.EvaluationView,
            query={"location": location},
            optional={"cursor": cursor},
        )


class TokensCalls:
    """API tokens."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, all: bool = False, limit: int | None = None) -> Pages[models.TokenView, models.TokenListView]:
        """List API tokens.

        One's own, the newest first.

        Args:
            all: Those of all users, for admins.
            limit: At most so many items in all; left out: all of them.
        """
        return Pages(self._transport, "/api/v1/tokens", models.TokenListView, limit=limit, query={"all": all})

    def create(
        self,
        *,
        name: str,
        role: models.Role = "viewer",
        locations: Sequence[str] | None = None,
        expires_in_days: float | None = 90,
        user: str | None = None,
    ) -> models.TokenMade:
        """Make an API token.

        The token is in the answer, and nowhere else: only its hash is kept.

        Args:
            name: What it is for.
            role: The most that it may do.
            locations: Where it may do so; left out: wherever its user may.
            expires_in_days: After which it ends; null: never.
            user: For whom it speaks; left out: who asks. Only admins can name another.
        """
        return self._transport.call(
            "POST",
            "/api/v1/tokens",
            models.TokenMade,
            body={"name": name, "role": role, "expires_in_days": expires_in_days},
            optional={"locations": locations, "user": user},
        )

    def revoke(self, token_id: int) -> None:
        """Revoke an API token.

        It is refused from now on. One's own; for admins also those of others.

        Args:
            token_id: Number of the token.
        """
        self._transport.call("DELETE", f"/api/v1/tokens/{part(token_id)}", None)


class UsersCalls:
    """Users and their roles."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> models.UserListView:
        """List users.

        All users, by name.
        """
        return self._transport.call("GET", "/api/v1/users", models.UserListView)

    def add(
        self,
        *,
        name: str,
        role: models.Role | None = None,
        location_roles: Mapping[str, models.Role | None] | None = None,
        password: str | None = None,
    ) -> models.UserView:
        """Add a user.

        Who comes by an OpenID provider need not be added: their first log-in does that.

        Args:
            name: By which they log in.
            role: What they may do, with the deployment and at locations that are not named; null: nothing.
            location_roles: Another role in its place, by location; null hides a location.
            password: Left out, they cannot log in by a password: for a program with API tokens, say.
        """
        return self._transport.call(
            "POST",
            "/api/v1/users",
            models.UserView,
            body={"name": name},
            optional={"role": role, "location_roles": location_roles, "password": password},
        )

    def get(self, name: str) -> models.UserView:
        """Get a user.

        One user.

        Args:
            name: Name of the user, in whatever case.
        """
        return self._transport.call("GET", f"/api/v1/users/{part(name)}", models.UserView)

    def change(
        self,
        name: str,
        *,
        if_match: str | None = None,
        role: models.Role | None | Left = LEFT_OUT,
        location_roles: Mapping[str, models.Role | None] | None | Left = LEFT_OUT,
        disabled: bool | None | Left = LEFT_OUT,
        password: str | None | Left = LEFT_OUT,
    ) -> models.UserView:
        """Change a user.

        Give other roles, disable, enable, or set a password. It holds at once, in all sessions and for all tokens of the user.

        Args:
            name: Name of the user, in whatever case.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
            role: What they may do, with the deployment and at locations that are not named; null: nothing.
            location_roles: Another role in its place, by location; replaces what there was.
            disabled: Whether they cannot log in, nor use API tokens.
            password: A new password; all their sessions end.
        """
        return self._transport.call(
            "PATCH",
            f"/api/v1/users/{part(name)}",
            models.UserView,
            headers={"If-Match": if_match},
            body={"role": role, "location_roles": location_roles, "disabled": disabled, "password": password},
        )

    def delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a user.

        With all sessions and API tokens. The audit log keeps the name.

        Args:
            name: Name of the user, in whatever case.
            if_match: `etag` of what was looked at: when somebody has changed it since, this is refused with 412. Left out:
                whatever it is.
        """
        self._transport.call("DELETE", f"/api/v1/users/{part(name)}", None, headers={"If-Match": if_match})


class ViewsCalls:
    """Saved views: named filters of lists."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, page: Literal["runs", "assets", "jobs", "automation", "backfills"] = "runs") -> models.SavedViewListView:
        """List saved views.

        One's own views of a page; where there is no log-in, those of everybody.

        Args:
            page: The page.
        """
        return self._transport.call("GET", "/api/v1/views", models.SavedViewListView, query={"page": page})

    def save(self, page: Literal["runs", "assets", "jobs", "automation", "backfills"], view_name: str, *, query: str) -> None:
        """Save a view.

        Keep the filters of a page under a name, in place of an earlier view of that name.

        Args:
            view_name: Name of the view.
            query: The part of the page's address after `?`.
        """
        self._transport.call("PUT", f"/api/v1/views/{part(page)}/{part(view_name)}", None, body={"query": query})

    def delete(self, page: Literal["runs", "assets", "jobs", "automation", "backfills"], view_name: str) -> None:
        """Delete a view.

        Forget a view.

        Args:
            view_name: Name of the view.
        """
        self._transport.call("DELETE", f"/api/v1/views/{part(page)}/{part(view_name)}", None)
