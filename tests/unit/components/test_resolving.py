"""From YAML to objects: models, templates, resolvers, and errors with their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Literal

import pytest

import dagwright as dg
import dagwright.components as dgc

pytestmark = pytest.mark.unit


class Colour(Enum):
    RED = "red"


class Column(dgc.Resolvable, dgc.Model):
    name: str
    length: int = 3


@dataclass
class Table(dgc.Resolvable):
    name: str
    columns: list[Column] = field(default_factory=list)
    owner: Column | None = None
    by_name: dict[str, Column] = field(default_factory=dict)
    rows: int = 0
    colour: Colour = Colour.RED


class Plain(dgc.Resolvable):
    def __init__(self, spec: dgc.ResolvedAssetSpec, keys: Sequence[dgc.ResolvedAssetKey] = ()) -> None:
        self.spec, self.keys = spec, keys


def test_nested_objects_of_every_kind_of_class():
    table = Table.resolve_from_yaml(
        """
name: "{{ prefix }}_t"
columns: [{name: a}, {name: b, length: "{{ 2 + 3 }}"}]
owner: {name: o}
by_name:
  x: {name: c}
rows: "{{ rows }}"
""",
        scope={"prefix": "p", "rows": 7},
    )
    assert table == Table("p_t", [Column(name="a"), Column(name="b", length=5)], Column(name="o"), {"x": Column(name="c")}, rows=7)
    plain = Plain.resolve_from_yaml("spec: {key: a/b, deps: [up], tags: {tier: 1, hot: true}, kinds: [csv]}\nkeys: [x/y]")
    assert plain.spec.key == dg.AssetKey(["a", "b"])
    assert [dep.asset_key.to_user_string() for dep in plain.spec.deps] == ["up"]
    assert plain.spec.tags == {"tier": "1", "hot": "true"}
    assert list(plain.keys) == [dg.AssetKey(["x", "y"])]


def test_a_template_gives_an_object():
    column = Column(name="given")
    assert Table.resolve_from_yaml("name: a\nowner: '{{ it }}'", scope={"it": column}).owner is column
    assert Table.resolve_from_yaml("name: a\ncolumns: '{{ all }}'", scope={"all": [column]}).columns == [column]


def test_a_text_stays_a_text(monkeypatch):
    monkeypatch.setenv("VERSION", "1.0")
    assert Table.resolve_from_yaml("name: '{{ env.VERSION }}'").name == "1.0"
    assert Table.resolve_from_yaml("name: '123'").name == "123"


def test_the_scope_that_every_template_has(monkeypatch):
    monkeypatch.setenv("BUCKET", "b")
    context = dgc.ResolutionContext.default()
    assert context.resolve_value("s3://{{ env.BUCKET }}/x") == "s3://b/x"
    assert context.resolve_value("{{ env('NOT_SET', 'd') }}") == "d"
    assert context.resolve_value("{{ env.NOT_SET }}") is None
    assert context.resolve_value("{{ datetime.timedelta(days=1).days }}") == 1
    made = context.resolve_value("{{ dg.DailyPartitionsDefinition(start_date='2024-01-01') }}")
    assert isinstance(made, dg.DailyPartitionsDefinition)


def test_partitions_and_checks():
    class Both(dgc.Resolvable, dgc.Model):
        spec: dgc.ResolvedAssetSpec
        check: dgc.ResolvedAssetCheckSpec

    both = Both.resolve_from_yaml("""
spec: {key: t, partitions_def: {type: daily, start_date: "2024-01-01"}}
check: {name: fresh, asset: t, blocking: true}
""")
    assert both.spec.partitions_def == dg.DailyPartitionsDefinition(start_date="2024-01-01")
    assert both.check.blocking
    static = Both.resolve_from_yaml("spec: {key: t, partitions_def: {type: static, partition_keys: [a, b]}}\ncheck: {name: n, asset: t}")
    assert list(static.spec.partitions_def.get_partition_keys()) == ["a", "b"]


def test_resolvers():
    class Kinds(dgc.Resolvable, dgc.Model):
        parsed: Annotated[int, dgc.Resolver(lambda _, text: len(text), model_field_type=str)]
        renamed: Annotated[str, dgc.Resolver.default(model_field_name="other")] = ""
        raw: Annotated[str, dgc.Resolver.passthrough()] = ""
        whole: Annotated[str, dgc.Resolver.from_model(lambda _, model: f"{model.parsed}!")] = ""

    made = Kinds.resolve_from_yaml("parsed: '{{ word }}'\nother: x\nraw: '{{ word }}'", scope={"word": "four"})
    assert (made.parsed, made.renamed, made.raw, made.whole) == (4, "x", "{{ word }}", "{{ word }}!")


def test_resolvers_inside_of_other_types():
    class Maybe(dgc.Resolvable, dgc.Model):
        key: dgc.ResolvedAssetKey | None = None
        specs: list[dgc.ResolvedAssetSpec] | None = None
        keys: dict[str, dgc.ResolvedAssetKey]

    made = Maybe.resolve_from_yaml("key: a/b\nspecs: [{key: c}]\nkeys: {d: '{{ it }}'}", scope={"it": dg.AssetKey("e")})
    assert made.key == dg.AssetKey(["a", "b"])
    assert [spec.key for spec in made.specs] == [dg.AssetKey("c")]
    assert made.keys == {"d": dg.AssetKey("e")}
    assert Maybe.resolve_from_yaml("key: null\nkeys: {}").key is None


class One(dgc.Resolvable, dgc.Model):
    type: Literal["one"]
    n: int


class Two(dgc.Resolvable, dgc.Model):
    type: Literal["two"]
    s: str


class Either(dgc.Resolvable, dgc.Model):
    of: One | Two


def test_alternatives_by_their_type():
    assert Either.resolve_from_yaml("of: {type: one, n: 1}").of == One(type="one", n=1)
    assert Either.resolve_from_yaml("of: {type: two, s: '{{ 1 + 1 }}'}").of == Two(type="two", s="2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nmae: a", ["<text>:1:1", "there is no attribute 'nmae'", "did you mean 'name'?"]),
        ("rows: 3", ["'name' is missing", "add `name:`"]),
        ("name: a\nrows:\n  - 1", ["<text>:2:1", "rows: expected a whole number, but got [1]"]),
        ("name: 5", ["expected a text, but got 5", "quote it: '5'"]),
        ("name: a\ncolumns:\n  - name: b\n    lenght: 4", ["<text>:4:5", "columns.0.lenght", "did you mean 'length'?"]),
        ("name: a\nrows: many", ["<text>:2:1", "rows: expected a whole number, but got 'many'"]),
        ("name: a\nrows: '{{ env.NOT_SET_ANYWHERE }}'", ["gave None", "set the environment variable"]),
        ("name: '{{ prefx }}'", ["<text>:1:1", "uses 'prefx', which is not known", "did you mean 'prefix'?"]),
        ("name: '{{ env(\"NOT_SET_ANYWHERE\") }}'", ["NOT_SET_ANYWHERE is not set", "give a default"]),
        ("name: '{{ 1 / 0 }}'", ["ZeroDivisionError"]),
        ("name: '{{ }'", ["cannot be read"]),
        ("name: a\nname: b", ["<text>:2:1", "the key 'name' is given twice"]),
        ("name: {{ env.X }}", ["<text>:1:", "To mend: quote"]),
        ("name: a\n\trows: 1", ["<text>:2:1", "not YAML"]),
        ("name: a\ncolour: blue", ["<text>:2:1", "'red'"]),
    ],
)
def test_errors_name_their_place_and_a_mend(text, words):
    with pytest.raises(dgc.ComponentError) as caught:
        Table.resolve_from_yaml(text, scope={"prefix": "p"})
    for word in words:
        assert word in str(caught.value)


def test_several_errors_are_told_together():
    with pytest.raises(dgc.ComponentError, match=r"<text>:1:1: name: .*; and line 2: rows: expected a whole number"):
        Table.resolve_from_yaml("name: 5\nrows: [1]")


def test_errors_of_values():
    with pytest.raises(dgc.ComponentError, match=r"<text>:2:1: spec: asset a has the owner 'nobody'.*To mend: write an e-mail"):
        Plain.resolve_from_yaml("\nspec:\n  key: a\n  owners: [nobody]")


def test_classes_that_yaml_cannot_make_are_explained():
    class Wrong(dgc.Resolvable):
        def __init__(self, spec: dg.AssetSpec) -> None: ...

    with pytest.raises(dgc.ComponentError, match=r"Wrong.spec is of type AssetSpec.*annotate it with ResolvedAssetSpec"):
        Wrong.model()

    class Untyped(dgc.Resolvable):
        def __init__(self, spec) -> None: ...

    with pytest.raises(dgc.ComponentError, match="the argument 'spec' without a type"):
        Untyped.model()
