"""Components that are there already, run."""

from __future__ import annotations

import json
import shutil
import textwrap

import pytest

import dagwright as dg
import dagwright.components as dgc
from dagwright.components.testing import component_defs, create_defs_folder_sandbox
from dagwright_shared.model.events import AssetMaterialized, CheckEvaluated

pytestmark = pytest.mark.unit


@pytest.fixture
def sandbox():
    with create_defs_folder_sandbox() as made:
        yield made


def write(sandbox, files):
    for name, text in files.items():
        path = sandbox.defs_folder_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))


def run(sandbox, resources=None):
    with sandbox.build_all_defs() as defs:
        return dg.materialize([*defs.assets, *defs.asset_checks], resources=resources)


def materialized(result):
    return {p.asset_key.to_user_string(): dict(p.metadata) for e in result.events if isinstance(p := e.payload, AssetMaterialized)}


def checked(result):
    return {p.check_key.name: p.passed for e in result.events if isinstance(p := e.payload, CheckEvaluated)}


def test_a_python_script(sandbox):
    write(
        sandbox,
        {
            "x/make.py": """
                import sys
                from dagster_pipes import open_dagster_pipes
                with open_dagster_pipes() as pipes:
                    pipes.report_asset_materialization(asset_key="a", metadata={"args": sys.argv[1:]})
                    pipes.report_asset_check("good", passed=True, asset_key="a")
            """,
            "x/defs.yaml": """
                type: dagster.PythonScriptComponent
                attributes:
                  execution: {path: make.py, args: "--n 3"}
                  assets: [{key: a}, {key: b, deps: [a]}]
                  checks: [{name: good, asset: a}]
            """,
        },
    )
    result = run(sandbox)
    assert materialized(result) == {"a": {"args": dg.MetadataValue.json(["--n", "3"])}, "b": {}}
    assert checked(result) == {"good": True}


@pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv on this machine")
def test_a_script_by_uv(sandbox):
    write(
        sandbox,
        {
            "x/make.py": "print('made')\n",
            "x/defs.yaml": "type: dagwright.UvRunComponent\nattributes:\n  execution: {path: make.py}\n  assets: [{key: a}]\n",
        },
    )
    assert list(materialized(run(sandbox))) == ["a"]


def test_a_script_that_is_not_there(sandbox):
    write(
        sandbox, {"x/defs.yaml": "type: dagwright.PythonScriptComponent\nattributes:\n  execution: {path: no.py}\n  assets: [{key: a}]\n"}
    )
    with pytest.raises(dgc.ComponentError, match=r"there is no script .*no.py.*relative to the defs.yaml"):
        run(sandbox)


def test_a_function_with_config_and_resources(sandbox):
    write(
        sandbox,
        {
            "x/code.py": """
                import dagwright as dg
                class Limit(dg.Config):
                    rows: int = 5
                class Client(dg.ConfigurableResource):
                    name: str
                def update(context, client: Client, config: Limit):
                    yield dg.MaterializeResult(asset_key="a", metadata={"rows": config.rows, "by": client.name})
                    yield dg.AssetCheckResult(check_name="good", passed=True, asset_key="a")
                def judge(context):
                    return dg.AssetCheckResult(passed=False, check_name="late", asset_key="a")
            """,
            "x/defs.yaml": """
                type: dagwright.FunctionComponent
                attributes:
                  execution: {fn: .code.update, name: updating, tags: {size: 3}}
                  assets: [{key: a}]
                  checks: [{name: good, asset: a}]
                ---
                type: dagwright.FunctionComponent
                attributes:
                  execution: .code.judge
                  checks: [{name: late, asset: a}]
            """,
        },
    )
    with sandbox.build_all_defs() as defs:
        from importlib import import_module

        client = import_module(f"{sandbox.project_name}.defs.x.code").Client(name="me")
        result = dg.materialize([*defs.assets, *defs.asset_checks], resources={"client": client})
    assert {name: value.value for name, value in materialized(result)["a"].items()} == {"rows": 5, "by": "me"}
    assert checked(result) == {"good": True, "late": False}


def test_a_function_that_takes_what_nobody_gives():
    def update(context, upstream):
        return None

    with pytest.raises(dgc.ComponentError, match="takes 'upstream', which is neither a resource nor config"):
        component_defs(component=dgc.FunctionComponent(execution=update, assets=[dg.AssetSpec("a")]))


def test_templated_sql(sandbox):
    write(
        sandbox,
        {
            "client.py": """
                import dagwright as dg
                class Client(dg.Component, dg.Resolvable, dg.Model):
                    path: str
                    def connect_and_execute(self, sql):
                        with open(self.path, "a") as file:
                            file.write(sql + "\\n")
                    def build_defs(self, context):
                        return dg.Definitions()
            """,
            "connection/defs.yaml": f"""
                type: {sandbox.project_name}.defs.client.Client
                attributes: {{path: {sandbox.project_root}/log}}
            """,
            "t/make.sql": "insert into {{ table }} select {{ n }}",
            "t/defs.yaml": """
                type: dagster.TemplatedSqlComponent
                attributes:
                  connection: "{{ context.load_component('connection') }}"
                  sql_template: {path: make.sql}
                  sql_template_vars: {table: t, n: "{{ 1 + 1 }}"}
                  assets: [{key: t}]
                ---
                type: dagster.TemplatedSqlComponent
                attributes:
                  connection: "{{ context.load_component('connection') }}"
                  sql_template: "select {{ x }}"
                  assets: [{key: u}]
                  sql_template_vars: {x: 4}
            """,
        },
    )
    assert sorted(materialized(run(sandbox))) == ["t", "u"]
    assert sorted((sandbox.project_root / "log").read_text().splitlines()) == ["insert into t select 2", "select 4"]


def test_sql_that_cannot_be_made():
    broken = dgc.TemplatedSqlComponent(connection=object(), sql_template="select 1", assets=[dg.AssetSpec("a")])
    with pytest.raises(dgc.ComponentError, match=r"cannot execute SQL.*connect_and_execute"):
        dg.materialize(list(component_defs(component=broken).assets))


class Tables(dgc.StateBackedComponent, dgc.Model, dgc.Resolvable):
    fetched: list[str] | None = None
    defs_state: dgc.ResolvedDefsStateConfig = dgc.DefsStateConfigArgs.local_filesystem()

    @property
    def defs_state_config(self):
        return dgc.DefsStateConfig.from_args(self.defs_state, default_key="Tables[x/y]")

    def write_state_to_path(self, state_path):
        if not self.fetched:
            return
        state_path.write_text(json.dumps(self.fetched))

    def build_defs_from_state(self, context, state_path):
        return dg.Definitions(assets=[dg.AssetSpec(name) for name in json.loads(state_path.read_text())])


def test_state_is_fetched_once_and_kept(sandbox, monkeypatch):
    with sandbox.build_component_tree() as tree:
        context = tree.load_context
        assert [s.key.to_user_string() for s in Tables(fetched=["a"]).build_defs(context).resolve_all_asset_specs()] == ["a"]
        assert [s.key.to_user_string() for s in Tables(fetched=["b"]).build_defs(context).resolve_all_asset_specs()] == ["a"]
        Tables(fetched=["b"]).refresh_state(context)
        assert [s.key.to_user_string() for s in Tables().build_defs(context).resolve_all_asset_specs()] == ["b"]
        with pytest.raises(dgc.ComponentError, match="wrote nothing"):
            Tables().refresh_state(context)
        assert [s.key.to_user_string() for s in Tables().build_defs(context).resolve_all_asset_specs()] == ["b"]
        own = Tables.from_attributes_dict(attributes={"fetched": ["c"], "defs_state": {"key": "mine"}}, context=context)
        assert own.defs_state_config.key == "mine"
        assert [s.key.to_user_string() for s in own.build_defs(context).resolve_all_asset_specs()] == ["c"]
