"""Snapshots of a location, and what a code server says of itself."""

from __future__ import annotations

import hashlib

from dagwright_api.v1 import snapshot_pb2 as pb
from dagwright_api.v1 import values_pb2
from dagwright_shared.model.keys import Digest, LocationName
from dagwright_shared.model.metadata import JsonValue
from dagwright_shared.model.snapshot import (
    AssetDepSnapshot,
    AssetExecution,
    AssetSnapshot,
    Backoff,
    CheckSnapshot,
    EdgeSnapshot,
    Jitter,
    JobSnapshot,
    JsonSchema,
    LocationSnapshot,
    LocationState,
    LocationStatus,
    MappingKind,
    MissedTicks,
    NodeSnapshot,
    Overlap,
    PartitionMappingData,
    PortSnapshot,
    ResourceSnapshot,
    RetryPolicyData,
    ScheduleSnapshot,
    SensorKind,
    SensorSnapshot,
    TriggerTarget,
)
from dagwright_shared.wire.errors import decode_error, encode_error
from dagwright_shared.wire.partitions import decode_partitions, encode_partitions
from dagwright_shared.wire.values import (
    decode_asset_key,
    decode_asset_keys,
    decode_check_key,
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

_encode_execution, _decode_execution = enum_codec(AssetExecution, pb.AssetExecution, "ASSET_EXECUTION")
_encode_backoff, _decode_backoff = enum_codec(Backoff, pb.Backoff, "BACKOFF")
_encode_jitter, _decode_jitter = enum_codec(Jitter, pb.Jitter, "JITTER")
_encode_mapping_kind, _decode_mapping_kind = enum_codec(MappingKind, pb.MappingKind, "MAPPING_KIND")
_encode_missed, _decode_missed = enum_codec(MissedTicks, pb.MissedTicks, "MISSED_TICKS")
_encode_overlap, _decode_overlap = enum_codec(Overlap, pb.Overlap, "OVERLAP")
_encode_sensor_kind, _decode_sensor_kind = enum_codec(SensorKind, pb.SensorKind, "SENSOR_KIND")
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
    )


def encode_retry_policy(policy: RetryPolicyData | None) -> pb.RetryPolicy | None:
    if policy is None:
        return None
    return pb.RetryPolicy(
        max_retries=policy.max_retries,
        delay=policy.delay,
        backoff=_encode_backoff(policy.backoff) if policy.backoff else pb.BACKOFF_UNSPECIFIED,
        jitter=_encode_jitter(policy.jitter) if policy.jitter else pb.JITTER_UNSPECIFIED,
    )


def decode_retry_policy(message: pb.RetryPolicy) -> RetryPolicyData:
    return RetryPolicyData(
        max_retries=message.max_retries,
        delay=message.delay,
        backoff=_decode_backoff(message.backoff) if message.backoff else None,
        jitter=_decode_jitter(message.jitter) if message.jitter else None,
    )


def encode_mapping(mapping: PartitionMappingData) -> pb.PartitionMapping:
    return pb.PartitionMapping(
        kind=_encode_mapping_kind(mapping.kind),
        start_offset=mapping.start_offset,
        end_offset=mapping.end_offset,
        allow_nonexistent_upstream_partitions=mapping.allow_nonexistent_upstream_partitions,
        downstream_by_upstream=[
            pb.MappedKeys(upstream_key=key, downstream_keys=downstream) for key, downstream in mapping.downstream_by_upstream.items()
        ],
        partition_keys=mapping.partition_keys,
    )


def decode_mapping(message: pb.PartitionMapping) -> PartitionMappingData:
    return PartitionMappingData(
        kind=_decode_mapping_kind(message.kind),
        start_offset=message.start_offset,
        end_offset=message.end_offset,
        allow_nonexistent_upstream_partitions=message.allow_nonexistent_upstream_partitions,
        downstream_by_upstream={row.upstream_key: tuple(row.downstream_keys) for row in message.downstream_by_upstream},
        partition_keys=tuple(message.partition_keys),
    )


def encode_dep(dep: AssetDepSnapshot) -> pb.AssetDepSnapshot:
    return pb.AssetDepSnapshot(
        key=encode_asset_key(dep.key),
        input_name=dep.input_name,
        mapping=encode_mapping(dep.mapping) if dep.mapping else None,
        type_name=dep.type_name,
    )


def decode_dep(message: pb.AssetDepSnapshot) -> AssetDepSnapshot:
    return AssetDepSnapshot(
        key=decode_asset_key(message.key),
        input_name=optional(message, "input_name"),
        mapping=decode_mapping(message.mapping) if message.HasField("mapping") else None,
        type_name=optional(message, "type_name"),
    )


def encode_asset(asset: AssetSnapshot) -> pb.AssetSnapshot:
    return pb.AssetSnapshot(
        key=encode_asset_key(asset.key),
        execution=_encode_execution(asset.execution),
        description=asset.description,
        group=asset.group,
        owners=asset.owners,
        tags=asset.tags,
        kinds=asset.kinds,
        metadata=encode_metadata(asset.metadata),
        code_version=asset.code_version,
        deps=map(encode_dep, asset.deps),
        partitions=encode_partitions(asset.partitions) if asset.partitions else None,
        op_name=asset.op_name,
        output_name=asset.output_name,
        can_subset=asset.can_subset,
        config_schema=_encode_schema(asset.config_schema),
        resource_keys=asset.resource_keys,
        io_manager_key=asset.io_manager_key,
        retry_policy=encode_retry_policy(asset.retry_policy),
        pool=asset.pool,
        type_name=asset.type_name,
        source=encode_source(asset.source),
    )


def decode_asset(message: pb.AssetSnapshot) -> AssetSnapshot:
    return AssetSnapshot(
        key=decode_asset_key(message.key),
        execution=_decode_execution(message.execution),
        description=optional(message, "description"),
        group=message.group,
        owners=tuple(message.owners),
        tags=dict(message.tags),
        kinds=tuple(message.kinds),
        metadata=decode_metadata(message.metadata),
        code_version=optional(message, "code_version"),
        deps=tuple(map(decode_dep, message.deps)),
        partitions=decode_partitions(message.partitions) if message.HasField("partitions") else None,
        op_name=optional(message, "op_name"),
        output_name=optional(message, "output_name"),
        can_subset=message.can_subset,
        config_schema=_decode_schema(message),
        resource_keys=tuple(message.resource_keys),
        io_manager_key=message.io_manager_key,
        retry_policy=decode_retry_policy(message.retry_policy) if message.HasField("retry_policy") else None,
        pool=optional(message, "pool"),
        type_name=optional(message, "type_name"),
        source=decode_source(message.source) if message.HasField("source") else None,
    )


def encode_check(check: CheckSnapshot) -> pb.CheckSnapshot:
    return pb.CheckSnapshot(
        key=encode_check_key(check.key),
        description=check.description,
        blocking=check.blocking,
        metadata=encode_metadata(check.metadata),
        op_name=check.op_name,
        additional_deps=map(encode_asset_key, check.additional_deps),
        config_schema=_encode_schema(check.config_schema),
        source=encode_source(check.source),
    )


def decode_check(message: pb.CheckSnapshot) -> CheckSnapshot:
    return CheckSnapshot(
        key=decode_check_key(message.key),
        description=optional(message, "description"),
        blocking=message.blocking,
        metadata=decode_metadata(message.metadata),
        op_name=optional(message, "op_name"),
        additional_deps=decode_asset_keys(message.additional_deps),
        config_schema=_decode_schema(message),
        source=decode_source(message.source) if message.HasField("source") else None,
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
        config_schema=_encode_schema(node.config_schema),
        resource_keys=node.resource_keys,
        tags=node.tags,
        retry_policy=encode_retry_policy(node.retry_policy),
        pool=node.pool,
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
        config_schema=_decode_schema(message),
        resource_keys=tuple(message.resource_keys),
        tags=dict(message.tags),
        retry_policy=decode_retry_policy(message.retry_policy) if message.HasField("retry_policy") else None,
        pool=optional(message, "pool"),
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
    )


def encode_resource(resource: ResourceSnapshot) -> pb.ResourceSnapshot:
    return pb.ResourceSnapshot(
        key=resource.key,
        type_name=resource.type_name,
        description=resource.description,
        config_schema=_encode_schema(resource.config_schema),
        config=encode_struct(resource.config),
        nested=resource.nested,
        source=encode_source(resource.source),
    )


def decode_resource(message: pb.ResourceSnapshot) -> ResourceSnapshot:
    return ResourceSnapshot(
        key=message.key,
        type_name=message.type_name,
        description=optional(message, "description"),
        config_schema=_decode_schema(message),
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


def _encode_schema(schema: JsonSchema | None) -> values_pb2.Struct | None:
    return None if schema is None else encode_struct(schema)


def _decode_schema(message: pb.AssetSnapshot | pb.CheckSnapshot | pb.NodeSnapshot | pb.ResourceSnapshot) -> dict[str, JsonValue] | None:
    return decode_struct(message.config_schema) if message.HasField("config_schema") else None
