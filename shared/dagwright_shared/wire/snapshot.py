"""Snapshots of a location, and what a code server says of itself."""

from __future__ import annotations

import hashlib

from dagwright_api.v1 import snapshot_pb2 as pb
from dagwright_api.v1 import values_pb2
from dagwright_shared.model.keys import Digest, LocationName
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.snapshot import (
    EdgeSnapshot,
    JobSnapshot,
    LoadWarning,
    LocationSnapshot,
    LocationState,
    LocationStatus,
    MissedTicks,
    MonitoredJob,
    NodeSnapshot,
    Overlap,
    PortSnapshot,
    ResourceSnapshot,
    ScheduleSnapshot,
    SensorKind,
    SensorSnapshot,
    TriggerTarget,
    WebhookSnapshot,
)
from dagwright_shared.wire.assets import (
    decode_asset,
    decode_check,
    decode_retry_policy,
    decode_schema,
    encode_asset,
    encode_check,
    encode_retry_policy,
    encode_schema,
)
from dagwright_shared.wire.automation import decode_condition, encode_condition
from dagwright_shared.wire.errors import decode_error, encode_error
from dagwright_shared.wire.partitions import decode_partitions, encode_partitions
from dagwright_shared.wire.values import (
    decode_asset_keys,
    decode_check_keys,
    decode_metadata,
    decode_source,
    decode_struct,
    encode_asset_key,
    encode_check_key,
    encode_metadata,
    encode_source,
    encode_struct,
    enum_codec,
    optional,
    parse,
    printable,
    reading,
)

_encode_missed, _decode_missed = enum_codec(MissedTicks, pb.MissedTicks, "MISSED_TICKS")
_encode_overlap, _decode_overlap = enum_codec(Overlap, pb.Overlap, "OVERLAP")
_encode_sensor_kind, _decode_sensor_kind = enum_codec(SensorKind, pb.SensorKind, "SENSOR_KIND")
encode_run_status, decode_run_status = enum_codec(RunStatus, values_pb2.RunStatus, "RUN_STATUS")
_encode_state, _decode_state = enum_codec(LocationState, pb.LocationState, "LOCATION_STATE")


def encode_snapshot(snapshot: LocationSnapshot) -> bytes:
    """The same bytes for equal snapshots, so that their digest tells whether two are equal.

    The order of tags does not count; the order of everything else does.
    """
    try:
        return encode_location_snapshot(snapshot).SerializeToString(deterministic=True)
    except UnicodeEncodeError:
        return encode_location_snapshot(printable(snapshot)).SerializeToString(deterministic=True)


def decode_snapshot(data: bytes) -> LocationSnapshot:
    """
    Raises:
        InvalidRequestError: the bytes are no snapshot.
        DagwrightError: a newer dagwright wrote it, and it has what this version cannot represent.
    """
    with reading("a snapshot"):
        return decode_location_snapshot(parse(pb.LocationSnapshot, data))


def digest_of(encoded: bytes) -> Digest:
    return Digest(hashlib.sha256(encoded).hexdigest())


def encode_location_snapshot(snapshot: LocationSnapshot) -> pb.LocationSnapshot:
    return pb.LocationSnapshot(
        location=snapshot.location,
        dagwright_version=snapshot.dagwright_version,
        python_version=snapshot.python_version,
        assets=map(encode_asset, snapshot.assets),
        checks=map(encode_check, snapshot.checks),
        jobs=map(encode_job, snapshot.jobs),
        schedules=map(encode_schedule, snapshot.schedules),
        sensors=map(encode_sensor, snapshot.sensors),
        resources=map(encode_resource, snapshot.resources),
        metadata=encode_metadata(snapshot.metadata),
        warnings=[pb.LoadWarning(message=each.message, source=encode_source(each.source)) for each in snapshot.warnings],
    )


def decode_location_snapshot(message: pb.LocationSnapshot) -> LocationSnapshot:
    return LocationSnapshot(
        location=LocationName(message.location),
        dagwright_version=message.dagwright_version,
        python_version=message.python_version,
        assets=tuple(map(decode_asset, message.assets)),
        checks=tuple(map(decode_check, message.checks)),
        jobs=tuple(map(decode_job, message.jobs)),
        schedules=tuple(map(decode_schedule, message.schedules)),
        sensors=tuple(map(decode_sensor, message.sensors)),
        resources=tuple(map(decode_resource, message.resources)),
        metadata=decode_metadata(message.metadata),
        warnings=tuple(
            LoadWarning(message=each.message, source=decode_source(each.source) if each.HasField("source") else None)
            for each in message.warnings
        ),
    )


def encode_port(port: PortSnapshot) -> pb.PortSnapshot:
    return pb.PortSnapshot(
        name=port.name, type_name=port.type_name, description=port.description, required=port.required, dynamic=port.dynamic
    )


def decode_port(message: pb.PortSnapshot) -> PortSnapshot:
    return PortSnapshot(
        name=message.name,
        type_name=message.type_name,
        description=optional(message, "description"),
        required=message.required,
        dynamic=message.dynamic,
    )


def encode_edge(edge: EdgeSnapshot) -> pb.EdgeSnapshot:
    return pb.EdgeSnapshot(from_node=edge.from_node, from_output=edge.from_output, to_node=edge.to_node, to_input=edge.to_input)


def decode_edge(message: pb.EdgeSnapshot) -> EdgeSnapshot:
    return EdgeSnapshot(from_node=message.from_node, from_output=message.from_output, to_node=message.to_node, to_input=message.to_input)


def encode_node(node: NodeSnapshot) -> pb.NodeSnapshot:
    return pb.NodeSnapshot(
        handle=node.handle,
        op_name=node.op_name,
        description=node.description,
        inputs=map(encode_port, node.inputs),
        outputs=map(encode_port, node.outputs),
        config_schema=encode_schema(node.config_schema),
        resource_keys=node.resource_keys,
        tags=node.tags,
        retry_policy=encode_retry_policy(node.retry_policy),
        pool=node.pool,
        executor=node.executor,
        step_group=node.step_group,
        asset_keys=map(encode_asset_key, node.asset_keys),
        check_keys=map(encode_check_key, node.check_keys),
        source=encode_source(node.source),
    )


def decode_node(message: pb.NodeSnapshot) -> NodeSnapshot:
    return NodeSnapshot(
        handle=message.handle,
        op_name=message.op_name,
        description=optional(message, "description"),
        inputs=tuple(map(decode_port, message.inputs)),
        outputs=tuple(map(decode_port, message.outputs)),
        config_schema=decode_schema(message),
        resource_keys=tuple(message.resource_keys),
        tags=dict(message.tags),
        retry_policy=decode_retry_policy(message.retry_policy) if message.HasField("retry_policy") else None,
        pool=optional(message, "pool"),
        executor=optional(message, "executor"),
        step_group=optional(message, "step_group"),
        asset_keys=decode_asset_keys(message.asset_keys),
        check_keys=decode_check_keys(message.check_keys),
        source=decode_source(message.source) if message.HasField("source") else None,
    )


def encode_job(job: JobSnapshot) -> pb.JobSnapshot:
    return pb.JobSnapshot(
        name=job.name,
        description=job.description,
        nodes=map(encode_node, job.nodes),
        edges=map(encode_edge, job.edges),
        asset_keys=map(encode_asset_key, job.asset_keys),
        check_keys=map(encode_check_key, job.check_keys),
        partitions=encode_partitions(job.partitions) if job.partitions else None,
        tags=job.tags,
        run_tags=job.run_tags,
        metadata=encode_metadata(job.metadata),
        config_schema=encode_struct(job.config_schema),
        default_config=encode_struct(job.default_config),
        executor=job.executor,
        resource_keys=job.resource_keys,
        owners=job.owners,
        source=encode_source(job.source),
    )


def decode_job(message: pb.JobSnapshot) -> JobSnapshot:
    return JobSnapshot(
        name=message.name,
        description=optional(message, "description"),
        nodes=tuple(map(decode_node, message.nodes)),
        edges=tuple(map(decode_edge, message.edges)),
        asset_keys=decode_asset_keys(message.asset_keys),
        check_keys=decode_check_keys(message.check_keys),
        partitions=decode_partitions(message.partitions) if message.HasField("partitions") else None,
        tags=dict(message.tags),
        run_tags=dict(message.run_tags),
        metadata=decode_metadata(message.metadata),
        config_schema=decode_struct(message.config_schema),
        default_config=decode_struct(message.default_config),
        executor=message.executor,
        resource_keys=tuple(message.resource_keys),
        owners=tuple(message.owners),
        source=decode_source(message.source) if message.HasField("source") else None,
    )


def encode_target(target: TriggerTarget) -> pb.TriggerTarget:
    return pb.TriggerTarget(
        job_name=target.job_name,
        asset_keys=map(encode_asset_key, target.asset_keys),
        check_keys=map(encode_check_key, target.check_keys),
    )


def decode_target(message: pb.TriggerTarget) -> TriggerTarget:
    return TriggerTarget(
        job_name=optional(message, "job_name"),
        asset_keys=decode_asset_keys(message.asset_keys),
        check_keys=decode_check_keys(message.check_keys),
    )


def encode_schedule(schedule: ScheduleSnapshot) -> pb.ScheduleSnapshot:
    return pb.ScheduleSnapshot(
        name=schedule.name,
        cron=schedule.cron,
        timezone=schedule.timezone,
        target=encode_target(schedule.target),
        description=schedule.description,
        default_running=schedule.default_running,
        evaluated=schedule.evaluated,
        config=encode_struct(schedule.config),
        tags=schedule.tags,
        missed_ticks=_encode_missed(schedule.missed_ticks),
        max_missed_ticks=schedule.max_missed_ticks,
        overlap=_encode_overlap(schedule.overlap),
        resource_keys=schedule.resource_keys,
        owners=schedule.owners,
        partitioned=schedule.partitioned,
        metadata=encode_metadata(schedule.metadata),
        source=encode_source(schedule.source),
    )


def decode_schedule(message: pb.ScheduleSnapshot) -> ScheduleSnapshot:
    return ScheduleSnapshot(
        name=message.name,
        cron=tuple(message.cron),
        timezone=message.timezone,
        target=decode_target(message.target),
        description=optional(message, "description"),
        default_running=message.default_running,
        evaluated=message.evaluated,
        config=decode_struct(message.config),
        tags=dict(message.tags),
        missed_ticks=_decode_missed(message.missed_ticks),
        max_missed_ticks=message.max_missed_ticks,
        overlap=_decode_overlap(message.overlap),
        resource_keys=tuple(message.resource_keys),
        owners=tuple(message.owners),
        partitioned=message.partitioned,
        metadata=decode_metadata(message.metadata),
        source=decode_source(message.source) if message.HasField("source") else None,
    )


def encode_sensor(sensor: SensorSnapshot) -> pb.SensorSnapshot:
    return pb.SensorSnapshot(
        name=sensor.name,
        kind=_encode_sensor_kind(sensor.kind),
        targets=map(encode_target, sensor.targets),
        description=sensor.description,
        default_running=sensor.default_running,
        minimum_interval_seconds=sensor.minimum_interval_seconds,
        asset_keys=map(encode_asset_key, sensor.asset_keys),
        tags=sensor.tags,
        metadata=encode_metadata(sensor.metadata),
        source=encode_source(sensor.source),
        check_keys=map(encode_check_key, sensor.check_keys),
        run_statuses=map(encode_run_status, sensor.run_statuses),
        monitored_jobs=[pb.MonitoredJob(job_name=job.job_name, location=job.location) for job in sensor.monitored_jobs],
        all_locations=sensor.all_locations,
        run_tags=sensor.run_tags,
        default_condition=encode_condition(sensor.default_condition) if sensor.default_condition else None,
        emit_backfills=sensor.emit_backfills,
        webhook=_encode_webhook(sensor.webhook) if sensor.webhook else None,
        overlap=_encode_overlap(sensor.overlap),
        resource_keys=sensor.resource_keys,
        owners=sensor.owners,
    )


def _encode_webhook(webhook: WebhookSnapshot) -> pb.Webhook:
    return pb.Webhook(
        signed=webhook.signed,
        signature_header=webhook.signature_header,
        id_headers=webhook.id_headers,
        max_body_bytes=webhook.max_body_bytes,
        max_per_minute=webhook.max_per_minute,
    )


def _decode_webhook(message: pb.Webhook) -> WebhookSnapshot:
    return WebhookSnapshot(
        signed=message.signed,
        signature_header=message.signature_header,
        id_headers=tuple(message.id_headers),
        max_body_bytes=message.max_body_bytes,
        max_per_minute=message.max_per_minute,
    )


def decode_sensor(message: pb.SensorSnapshot) -> SensorSnapshot:
    return SensorSnapshot(
        name=message.name,
        kind=_decode_sensor_kind(message.kind),
        targets=tuple(map(decode_target, message.targets)),
        description=optional(message, "description"),
        default_running=message.default_running,
        minimum_interval_seconds=message.minimum_interval_seconds,
        asset_keys=decode_asset_keys(message.asset_keys),
        tags=dict(message.tags),
        metadata=decode_metadata(message.metadata),
        source=decode_source(message.source) if message.HasField("source") else None,
        check_keys=decode_check_keys(message.check_keys),
        run_statuses=tuple(map(decode_run_status, message.run_statuses)),
        monitored_jobs=tuple(
            MonitoredJob(job_name=optional(job, "job_name"), location=optional(job, "location")) for job in message.monitored_jobs
        ),
        all_locations=message.all_locations,
        run_tags=dict(message.run_tags),
        default_condition=decode_condition(message.default_condition) if message.HasField("default_condition") else None,
        emit_backfills=message.emit_backfills,
        webhook=_decode_webhook(message.webhook) if message.HasField("webhook") else None,
        overlap=_decode_overlap(message.overlap) if message.overlap else Overlap.ALLOW,
        resource_keys=tuple(message.resource_keys),
        owners=tuple(message.owners),
    )


def encode_resource(resource: ResourceSnapshot) -> pb.ResourceSnapshot:
    return pb.ResourceSnapshot(
        key=resource.key,
        type_name=resource.type_name,
        description=resource.description,
        config_schema=encode_schema(resource.config_schema),
        config=encode_struct(resource.config),
        nested=resource.nested,
        source=encode_source(resource.source),
    )


def decode_resource(message: pb.ResourceSnapshot) -> ResourceSnapshot:
    return ResourceSnapshot(
        key=message.key,
        type_name=message.type_name,
        description=optional(message, "description"),
        config_schema=decode_schema(message),
        config=decode_struct(message.config),
        nested=dict(message.nested),
        source=decode_source(message.source) if message.HasField("source") else None,
    )


def encode_status(status: LocationStatus) -> pb.LocationStatus:
    return pb.LocationStatus(
        location=status.location,
        server_id=status.server_id,
        state=_encode_state(status.state),
        digest=status.digest,
        error=encode_error(status.error) if status.error else None,
        spawn_reason=status.spawn_reason,
        code_version=status.code_version,
        load_seconds=status.load_seconds,
    )


def decode_status(message: pb.LocationStatus) -> LocationStatus:
    return LocationStatus(
        location=LocationName(message.location),
        server_id=message.server_id,
        state=_decode_state(message.state),
        digest=optional(message, "digest"),
        error=decode_error(message.error) if message.HasField("error") else None,
        spawn_reason=optional(message, "spawn_reason"),
        code_version=optional(message, "code_version"),
        load_seconds=optional(message, "load_seconds"),
    )
