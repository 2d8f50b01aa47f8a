"""Assets and their checks, as parts of a snapshot; what they share with ops."""

from __future__ import annotations

from functools import lru_cache

from dagwright_api.v1 import snapshot_pb2 as pb
from dagwright_api.v1 import values_pb2
from dagwright_shared.model.snapshot import (
    AssetDepSnapshot,
    AssetExecution,
    AssetSnapshot,
    BackfillPolicyData,
    Backoff,
    CheckSnapshot,
    DimensionMappingData,
    Jitter,
    JsonSchema,
    MappingKind,
    PartitionMappingData,
    RetryPolicyData,
)
from dagwright_shared.wire.automation import decode_condition, decode_freshness, encode_condition, encode_freshness
from dagwright_shared.wire.partitions import decode_partitions, encode_partitions
from dagwright_shared.wire.values import (
    decode_asset_key,
    decode_asset_keys,
    decode_check_key,
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
)

_encode_execution, _decode_execution = enum_codec(AssetExecution, pb.AssetExecution, "ASSET_EXECUTION")
_encode_backoff, _decode_backoff = enum_codec(Backoff, pb.Backoff, "BACKOFF")
_encode_jitter, _decode_jitter = enum_codec(Jitter, pb.Jitter, "JITTER")
_encode_mapping_kind, _decode_mapping_kind = enum_codec(MappingKind, pb.MappingKind, "MAPPING_KIND")


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
        dimensions=[
            pb.DimensionMapping(
                upstream=one.upstream,
                downstream=one.downstream,
                mapping=encode_mapping(one.mapping) if one.mapping is not None else None,
            )
            for one in mapping.dimensions
        ],
    )


def decode_mapping(message: pb.PartitionMapping) -> PartitionMappingData:
    return PartitionMappingData(
        kind=_decode_mapping_kind(message.kind),
        start_offset=message.start_offset,
        end_offset=message.end_offset,
        allow_nonexistent_upstream_partitions=message.allow_nonexistent_upstream_partitions,
        downstream_by_upstream={row.upstream_key: tuple(row.downstream_keys) for row in message.downstream_by_upstream},
        partition_keys=tuple(message.partition_keys),
        dimensions=tuple(
            DimensionMappingData(
                upstream=one.upstream,
                downstream=one.downstream,
                mapping=decode_mapping(one.mapping) if one.HasField("mapping") else None,
            )
            for one in message.dimensions
        ),
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
        config_schema=encode_schema(asset.config_schema),
        resource_keys=asset.resource_keys,
        io_manager_key=asset.io_manager_key,
        retry_policy=encode_retry_policy(asset.retry_policy),
        pool=asset.pool,
        type_name=asset.type_name,
        source=encode_source(asset.source),
        automation=encode_condition(asset.automation) if asset.automation else None,
        freshness=encode_freshness(asset.freshness) if asset.freshness else None,
        backfill=pb.BackfillPolicy(max_partitions_per_run=asset.backfill.max_partitions_per_run) if asset.backfill else None,
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
        config_schema=decode_schema(message),
        resource_keys=tuple(message.resource_keys),
        io_manager_key=message.io_manager_key,
        retry_policy=decode_retry_policy(message.retry_policy) if message.HasField("retry_policy") else None,
        pool=optional(message, "pool"),
        type_name=optional(message, "type_name"),
        source=decode_source(message.source) if message.HasField("source") else None,
        automation=decode_condition(message.automation) if message.HasField("automation") else None,
        freshness=decode_freshness(message.freshness) if message.HasField("freshness") else None,
        backfill=_decode_backfill(message.backfill) if message.HasField("backfill") else None,
    )


def _decode_backfill(message: pb.BackfillPolicy) -> BackfillPolicyData:
    return BackfillPolicyData(max_partitions_per_run=optional(message, "max_partitions_per_run"))


def encode_check(check: CheckSnapshot) -> pb.CheckSnapshot:
    return pb.CheckSnapshot(
        key=encode_check_key(check.key),
        description=check.description,
        blocking=check.blocking,
        metadata=encode_metadata(check.metadata),
        op_name=check.op_name,
        additional_deps=map(encode_asset_key, check.additional_deps),
        config_schema=encode_schema(check.config_schema),
        source=encode_source(check.source),
        automation=encode_condition(check.automation) if check.automation else None,
    )


def decode_check(message: pb.CheckSnapshot) -> CheckSnapshot:
    return CheckSnapshot(
        key=decode_check_key(message.key),
        description=optional(message, "description"),
        blocking=message.blocking,
        metadata=decode_metadata(message.metadata),
        op_name=optional(message, "op_name"),
        additional_deps=decode_asset_keys(message.additional_deps),
        config_schema=decode_schema(message),
        source=decode_source(message.source) if message.HasField("source") else None,
        automation=decode_condition(message.automation) if message.HasField("automation") else None,
    )


def encode_schema(schema: JsonSchema | None) -> values_pb2.Struct | None:
    return None if schema is None else encode_struct(schema)


def decode_schema(message: pb.AssetSnapshot | pb.CheckSnapshot | pb.NodeSnapshot | pb.ResourceSnapshot) -> JsonSchema | None:
    return _schema(message.config_schema.SerializeToString(deterministic=True)) if message.HasField("config_schema") else None


@lru_cache(maxsize=512)
def _schema(data: bytes) -> JsonSchema:
    """Ops and assets made by one factory have equal schemas; they share one value, which nobody changes."""
    return decode_struct(values_pb2.Struct.FromString(data))
