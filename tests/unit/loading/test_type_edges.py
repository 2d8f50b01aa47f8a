"""Types of asset edges, compared when definitions are loaded."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence

import pytest

import dagwright as dg
from dagwright.loading import snapshot
from dagwright.loading.type_edges import can_be
from dagwright_shared.model.keys import LocationName
from dagwright_shared.wire.snapshot import decode_snapshot, encode_snapshot

pytestmark = pytest.mark.unit


class Frame: ...


class Special(Frame): ...


class Sized(typing.Protocol):
    def size(self) -> int: ...


Even = dg.DagsterType(name="Even", type_check_fn=lambda _, value: value % 2 == 0)


@pytest.mark.parametrize(
    ("made", "wanted", "fits"),
    [
        (int, str, False),
        (int, int, True),
        (bool, int, True),
        (int, float, True),
        (float, int, True),
        (Special, Frame, True),
        (Frame, Special, True),
        (Frame, Sized, True),
        (int | None, int, True),
        (int | None, str, False),
        (int, str | None, False),
        (list[int], list[str], False),
        (list[int], list, True),
        (list[int], Sequence[int], True),
        (dict[str, int], Mapping[str, int], True),
        (dict[str, int], list[int], False),
        (tuple[int, str], tuple[int, ...], True),
        (typing.Any, str, True),
        (None, str, True),
        ("Unknown", str, True),
        (Even, str, True),
        (dg.PythonObjectDagsterType(int), str, False),
    ],
)
def test_what_can_be_what(made: typing.Any, wanted: typing.Any, fits: bool) -> None:
    assert can_be(made, wanted) is fits


def warned(*assets: typing.Any, **resources: typing.Any) -> list[str]:
    made = snapshot.build(dg.Definitions(assets=assets, resources=resources), LocationName("here"))
    assert decode_snapshot(encode_snapshot(made)).warnings == made.warnings
    return [f"{warning.source.line}: {warning.message}" for warning in made.warnings if warning.source]


@dg.asset
def rows() -> list[int]:
    return [1]


@dg.asset
def reads(rows: dict[str, int]) -> None: ...


def test_an_edge_that_cannot_work_is_warned_of() -> None:
    [warning] = warned(rows, reads)
    assert warning.endswith("Change one of the two annotations, or give rows an IO manager that converts")
    assert "asset reads takes `rows` as dict[str, int], but the function of rows returns list[int]" in warning
    with pytest.raises(dg.TypeCheckError):  # and that it fails is true
        dg.materialize([rows, reads])


def test_where_a_value_may_be_converted_nothing_is_said() -> None:
    class Converting(dg.ConfigurableIOManager):
        def handle_output(self, context: dg.OutputContext, obj: object) -> None: ...

        def load_input(self, context: dg.InputContext) -> object:
            return {}

    assert warned(rows, reads, io_manager=Converting()) == []
    assert len(warned(rows, reads, io_manager=dg.FilesystemIOManager(base_dir="/x"))) == 1

    @dg.asset(ins={"rows": dg.AssetIn(input_manager_key="other")})
    def otherwise(rows: str) -> None: ...

    assert warned(rows, otherwise, other=Converting()) == []

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
    def parts() -> int:
        return 1

    @dg.asset
    def whole(parts: dict[str, int]) -> None: ...

    assert warned(parts, whole) == []
    assert warned(dg.AssetSpec("rows"), reads) == []
