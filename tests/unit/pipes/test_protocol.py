"""The protocol's values: parameters, keys, messages, metadata."""

from __future__ import annotations

import dagster_pipes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagwright.pipes import protocol
from dagwright.pipes.protocol import PipesError
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.metadata import MetadataValue, TableColumnLineage, TableSchema

pytestmark = pytest.mark.unit


_PART = st.text(st.characters(blacklist_characters="/", blacklist_categories=("Cc", "Cs")), min_size=1)


@given(st.lists(_PART, min_size=1))
def test_keys_are_split_as_the_other_side_splits_them(parts):
    key = AssetKey(parts)
    text = protocol.format_key(key)
    assert protocol.parse_key(text) == key
    assert tuple(dagster_pipes.to_asset_key_path(text)) == key.parts


@given(st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.none())))
def test_parameters_are_decoded_by_the_other_side(value):
    assert dagster_pipes.decode_param(protocol.encode_param(value)) == value
    assert protocol.decode_param(dagster_pipes.encode_param(value)) == value


def test_names_of_variables_are_the_library_s():
    assert protocol.CONTEXT_VARIABLE == dagster_pipes.DAGSTER_PIPES_CONTEXT_ENV_VAR
    assert protocol.MESSAGES_VARIABLE == dagster_pipes.DAGSTER_PIPES_MESSAGES_ENV_VAR
    assert protocol.option_name(protocol.CONTEXT_VARIABLE) == dagster_pipes.DAGSTER_PIPES_CONTEXT_CLI_ARGUMENT
    assert protocol.VERSION == dagster_pipes.PIPES_PROTOCOL_VERSION


COLUMN = {
    "name": "a",
    "type": "int",
    "description": "d",
    "tags": {"t": ""},
    "constraints": {"nullable": False, "unique": True, "other": []},
}


@pytest.mark.parametrize(
    ("kind", "raw", "check"),
    [
        ("text", "t", lambda v: v == MetadataValue.text("t")),
        ("url", "http://x", lambda v: v == MetadataValue.url("http://x")),
        ("path", "/x", lambda v: v == MetadataValue.path("/x")),
        ("notebook", "/n", lambda v: v == MetadataValue.notebook("/n")),
        ("json", {"a": [1]}, lambda v: v == MetadataValue.json({"a": [1]})),
        ("md", "**x**", lambda v: v == MetadataValue.md("**x**")),
        ("float", 1, lambda v: isinstance(v.value, float)),
        ("int", 2, lambda v: v == MetadataValue.int(2)),
        ("bool", True, lambda v: v == MetadataValue.bool(True)),
        ("dagster_run", "run", lambda v: v == MetadataValue.run("run")),
        ("asset", "a/b", lambda v: v.asset_key == AssetKey(["a", "b"])),
        ("null", None, lambda v: v.value is None),
        ("timestamp", 12.5, lambda v: v.value == 12.5),
        ("table", {"records": [{"a": 1}], "schema": [COLUMN]}, lambda v: v.schema.columns[0].constraints.unique),
        ("table", {"records": [{"a": 1}]}, lambda v: v.schema.columns[0].type == "int"),
        ("table_schema", {"columns": [COLUMN]}, lambda v: isinstance(v.schema, TableSchema) and v.schema.columns[0].description == "d"),
        (
            "table_column_lineage",
            {"deps_by_column": {"a": [{"asset_key": "up", "column_name": "b"}]}},
            lambda v: isinstance(v.column_lineage, TableColumnLineage) and v.column_lineage.deps_by_column["a"][0].column_name == "b",
        ),
        ("__infer__", 3, lambda v: v == MetadataValue.int(3)),
        ("__infer__", [1, 2], lambda v: v == MetadataValue.json([1, 2])),
    ],
)
def test_every_metadata_type(kind, raw, check):
    assert check(protocol.read_metadata({"m": {"type": kind, "raw_value": raw}})["m"])


def test_every_metadata_type_of_the_library_is_known():
    for kind in dagster_pipes._METADATA_TYPES:
        assert kind in protocol._SIMPLE or kind in protocol._STRUCTURED


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"type": "txet", "raw_value": 1}, "metadata 'm': there is no metadata type 'txet'; did you mean 'text'?"),
        ({"type": "int", "raw_value": "many"}, "metadata 'm'"),
        ({"type": "table_schema", "raw_value": {}}, "metadata 'm': 'columns' is missing"),
    ],
)
def test_wrong_metadata_is_told_with_its_name(entry, words):
    with pytest.raises(PipesError) as caught:
        protocol.read_metadata({"m": entry})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json", "not JSON"),
        ("[]", "no method"),
        ('{"method": "logg", "params": {}}', "did you mean 'log'"),
        ('{"__dagster_pipes_version": "1.0", "method": "log"}', "protocol 1.0"),
        ('{"method": "log", "params": 3}', "params of 'log' are a int"),
    ],
)
def test_lines_that_are_no_messages(line, words):
    with pytest.raises(PipesError, match=words):
        protocol.read_message(line)


def test_an_exception_of_the_other_side_is_data():
    try:
        {}["missing"]
    except KeyError as error:
        import traceback

        raised = dagster_pipes._pipes_exc_from_tb(traceback.TracebackException.from_exception(error))
    info = protocol.read_exception(raised)
    assert (info.class_name, info.message) == ("KeyError", "'missing'")
    assert info.frames[-1].file == __file__
    assert info.frames[-1].source == '{}["missing"]'
