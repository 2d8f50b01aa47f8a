"""Keys, specs and changing them afterwards."""

import dagster as dg
from observe import raised


@dg.asset(group_name="g", metadata={"a": 1}, tags={"t": "v"})
def base():
    return 1


@dg.asset(deps=[base])
def next_one():
    return 2


def case_keys():
    return [
        dg.AssetKey("a").path,
        dg.AssetKey(["a", "b"]).to_user_string(),
        dg.AssetKey.from_user_string("x/y/z").path,
        dg.AssetKey(["a", "b"]).to_python_identifier(),
        dg.AssetKey(["a", "b"]).with_prefix("p").path,
        dg.AssetKey(["a", "b"]).has_prefix(["a"]),
        dg.AssetKey("a") == dg.AssetKey(["a"]),
        len({dg.AssetKey("a"), dg.AssetKey(["a"])}),
        sorted([dg.AssetKey("b"), dg.AssetKey("a")])[0].path,
    ]


def case_key_as_text():
    return str(dg.AssetKey(["a", "b"])), repr(dg.AssetKey(["a", "b"]))


def case_map_specs():
    changed = dg.map_asset_specs(
        lambda spec: spec.replace_attributes(group_name="new", owners=["team:b"]).merge_attributes(metadata={"b": 2}, tags={"u": "w"}),
        [base],
    )
    spec = changed[0].get_asset_spec() if hasattr(changed[0], "get_asset_spec") else next(iter(changed[0].specs))
    return spec.group_name, spec.owners, sorted(spec.metadata), dict(spec.tags)


def case_with_attributes():
    changed = base.with_attributes(asset_key_replacements={dg.AssetKey("base"): dg.AssetKey(["p", "base"])})
    return changed.key, dg.materialize([changed])


def case_spec():
    spec = dg.AssetSpec(
        ["a", "b"],
        deps=["up", dg.AssetDep("other")],
        description="d",
        metadata={"x": 1},
        group_name="g",
        kinds={"sql"},
        owners=["team:x"],
        tags={"k": "v"},
        code_version="1",
    )
    return (
        spec.key,
        [dep.asset_key for dep in spec.deps],
        spec.description,
        spec.group_name,
        sorted(spec.kinds),
        list(spec.owners),
        dict(spec.tags).get("k"),
        spec.code_version,
    )


def case_bad_names():
    attempts = [
        lambda: dg.asset(name="with space")(lambda: 1),
        lambda: dg.asset(group_name="with space")(lambda: 1),
        lambda: dg.AssetSpec("a", owners=["not an owner"]),
        lambda: dg.AssetSpec("a", tags={"bad key!": "x"}),
        lambda: dg.AssetSpec("a", kinds={"1", "2", "3", "4"}),
        lambda: dg.asset(deps=["x", "x"])(lambda: 1),
    ]
    return [raised(one, Exception) for one in attempts]


def case_key_prefix():
    @dg.asset(key_prefix=["a", "b"], name="c")
    def made(): ...

    @dg.asset(key=["x", "y"])
    def keyed(): ...

    return made.key, keyed.key


def case_deps():
    return next_one.asset_deps, next_one.dependency_keys, base.group_names_by_key, base.metadata_by_key[base.key]["a"], base.op.name


def case_check_key():
    key = dg.AssetCheckKey(dg.AssetKey(["a", "b"]), "ok")
    return key.name, key.asset_key, dg.AssetCheckSpec("ok", asset=base).key.name


def case_from_package():
    import sys
    import types

    module = types.ModuleType("loaded_by_differential")
    module.base, module.next_one, module.unrelated = base, next_one, 3
    sys.modules["loaded_by_differential"] = module
    found = dg.load_assets_from_modules([module], key_prefix="p", group_name=None)
    return sorted(a.key.to_user_string() for a in found), sorted(k.to_user_string() for a in found for k in a.dependency_keys)


def case_observe_result():
    found = dg.ObserveResult(asset_key="a", metadata={"x": 1})
    return found.asset_key, found.metadata
