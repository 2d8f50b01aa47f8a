"""Automation conditions and freshness policies."""

from __future__ import annotations

from functools import lru_cache

from dagwright_api.v1 import automation_pb2 as pb
from dagwright_shared.model.automation import Condition, Operand, OperandKind, Operator, OperatorKind
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.model.freshness import CronFreshness, Freshness, WindowFreshness
from dagwright_shared.model.selection import Keys, Selection
from dagwright_shared.wire.values import decode_asset_key, decode_asset_keys, encode_asset_key, enum_codec, optional

_encode_operand, _decode_operand = enum_codec(OperandKind, pb.OperandKind, "OPERAND_KIND")
_encode_operator, _decode_operator = enum_codec(OperatorKind, pb.OperatorKind, "OPERATOR_KIND")


def encode_condition(condition: Condition) -> pb.Condition:
    """
    Raises:
        TypeError: a selection in it has not been resolved to keys.
    """
    if isinstance(condition, Operand):
        return pb.Condition(
            operand=pb.Operand(
                kind=_encode_operand(condition.kind),
                label=condition.label,
                cron=condition.cron,
                timezone=condition.timezone,
                lookback_seconds=condition.lookback_seconds,
                tag_keys=condition.tag_keys,
                tag_values=condition.tag_values,
            )
        )
    return pb.Condition(
        operator=pb.Operator(
            kind=_encode_operator(condition.kind),
            operands=map(encode_condition, condition.operands),
            label=condition.label,
            allow=_encode_keys(condition.allow),
            ignore=_encode_keys(condition.ignore),
            asset_key=encode_asset_key(condition.asset_key) if condition.asset_key else None,
            blocking_only=condition.blocking_only,
        )
    )


def decode_condition(message: pb.Condition) -> Condition:
    """Equal messages give the same object: a location's assets mostly share a few conditions.

    Raises:
        DagwrightError: a newer dagwright wrote it, and it has what this version cannot represent.
    """
    return _shared(message.SerializeToString(deterministic=True))


@lru_cache(maxsize=1024)
def _shared(message: bytes) -> Condition:
    return _decode_condition(pb.Condition.FromString(message))


def _decode_condition(message: pb.Condition) -> Condition:
    match message.WhichOneof("kind"):
        case "operand":
            operand = message.operand
            return Operand(
                kind=_decode_operand(operand.kind),
                label=optional(operand, "label"),
                cron=optional(operand, "cron"),
                timezone=optional(operand, "timezone"),
                lookback_seconds=optional(operand, "lookback_seconds"),
                tag_keys=tuple(operand.tag_keys),
                tag_values=dict(operand.tag_values),
            )
        case "operator":
            operator = message.operator
            return Operator(
                kind=_decode_operator(operator.kind),
                operands=tuple(map(_decode_condition, operator.operands)),
                label=optional(operator, "label"),
                allow=Keys(decode_asset_keys(operator.allow.keys)) if operator.HasField("allow") else None,
                ignore=Keys(decode_asset_keys(operator.ignore.keys)) if operator.HasField("ignore") else None,
                asset_key=decode_asset_key(operator.asset_key) if operator.HasField("asset_key") else None,
                blocking_only=operator.blocking_only,
            )
    raise DagwrightError("An automation condition is of a kind that this version does not know; a newer dagwright wrote it")


def encode_freshness(freshness: Freshness) -> pb.Freshness:
    match freshness:
        case WindowFreshness():
            return pb.Freshness(window=pb.WindowFreshness(fail_seconds=freshness.fail_seconds, warn_seconds=freshness.warn_seconds))
        case CronFreshness():
            cron = pb.CronFreshness(
                deadline_cron=freshness.deadline_cron, lower_bound_seconds=freshness.lower_bound_seconds, timezone=freshness.timezone
            )
            return pb.Freshness(cron=cron)


def decode_freshness(message: pb.Freshness) -> Freshness:
    """
    Raises:
        DagwrightError: a newer dagwright wrote it, and it has what this version cannot represent.
    """
    match message.WhichOneof("kind"):
        case "window":
            return WindowFreshness(fail_seconds=message.window.fail_seconds, warn_seconds=optional(message.window, "warn_seconds"))
        case "cron":
            cron = message.cron
            return CronFreshness(deadline_cron=cron.deadline_cron, lower_bound_seconds=cron.lower_bound_seconds, timezone=cron.timezone)
    raise DagwrightError("A freshness policy is of a kind that this version does not know; a newer dagwright wrote it")


def _encode_keys(selection: Selection | None) -> pb.AssetKeys | None:
    if selection is None:
        return None
    if not isinstance(selection, Keys):
        raise TypeError(f"a condition in a snapshot selects by keys, not by {type(selection).__name__}")
    return pb.AssetKeys(keys=map(encode_asset_key, selection.keys))
