"""The tree of a defs folder."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import yaml

import dagwright as dg
import dagwright.components as dgc
from dagwright.components.testing import create_defs_folder_sandbox

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


def keys(defs):
    return sorted(key.to_user_string() for key in defs.resolve_all_asset_keys())


TABLES = """
    import dagwright as dg
    class Tables(dg.Component, dg.Model, dg.Resolvable):
        names: list[str]
        @staticmethod
        @dg.template_var
        def prefix():
            return "pre"
        def build_defs(self, context):
            return dg.Definitions(assets=[dg.AssetSpec(f"{context.path.name}_{name}") for name in self.names])
"""


def test_a_folder_of_yaml_python_and_folders(sandbox):
    write(
        sandbox,
        {
            "types.py": TABLES,
            "shop/defs.yaml": f"""
                type: {sandbox.project_name}.defs.types.Tables
                attributes: {{names: [a, "{{{{ prefix }}}}_b"]}}
                ---
                type: {sandbox.project_name}.defs.types.Tables
                attributes:
                  names: [c]
            """,
            "plain/assets.py": """
                import dagwright as dg
                @dg.asset
                def one():
                    return 1
                @dg.asset
                def two(one):
                    return one
                both = dg.define_asset_job("both", selection=[one, two])
            """,
            "plain/deeper/lazy.py": """
                import dagwright as dg
                @dg.definitions
                def defs(context: dg.ComponentLoadContext):
                    return dg.Definitions(assets=[dg.AssetSpec(context.path.stem)], resources={"x": 1})
            """,
            "made.py": """
                import dagwright as dg
                from .types import Tables
                @dg.component_instance
                def tables(context):
                    return Tables(names=["d"])
            """,
            ".hidden/broken.py": "1 / 0",
            "notes.txt": "nothing",
        },
    )
    with sandbox.build_all_defs() as defs:
        assert keys(defs) == ["lazy", "made.py_d", "one", "shop_a", "shop_c", "shop_pre_b", "two"]
        assert defs.get_job_def("both") is not None
        assert defs.resources == {"x": 1}
    with sandbox.build_component_tree() as tree:
        root = tree.load_root_component()
        assert isinstance(root, dgc.DefsFolderComponent)
        from importlib import import_module

        tables = import_module(f"{sandbox.project_name}.defs.types").Tables
        assert [one.names for one in tree.get_all_components(tables)] == [["d"], ["a", "pre_b"], ["c"]]


def test_relative_types_template_modules_and_other_components(sandbox):
    write(
        sandbox,
        {
            "shop/local.py": TABLES,
            "shop/names.py": """
                import dagwright as dg
                @dg.template_var
                def suffix(context):
                    return context.path.name
            """,
            "shop/defs.yaml": """
                type: .local.Tables
                template_vars_module: .names
                attributes: {names: ["{{ suffix }}", "{{ context.project_root.name }}"]}
            """,
            "other/defs.yaml": f"""
                type: {sandbox.project_name}.defs.shop.local.Tables
                attributes: {{names: "{{{{ context.load_component('shop').names }}}}"}}
            """,
        },
    )
    with sandbox.build_all_defs() as defs:
        root = sandbox.project_root.name
        assert keys(defs) == sorted(["shop_shop", f"shop_{root}", "other_shop", f"other_{root}"])


def test_post_processing(sandbox):
    write(
        sandbox,
        {
            "defs.yaml": """
                type: dagster.DefsFolderComponent
                post_processing:
                  assets:
                    - target: "*"
                      attributes: {tags: {from: folder}, owners: ["team:a"]}
                    - target: "group:raw or key:z"
                      attributes:
                        description: "about {{ asset.key.to_user_string() }}"
                        kinds: [csv]
                    - target: z
                      operation: replace
                      attributes: {tags: {only: this}, group_name: last}
            """,
            "a/assets.py": """
                import dagwright as dg
                @dg.asset(group_name="raw", tags={"own": "1"})
                def y():
                    return 1
                z = dg.AssetSpec("z", tags={"own": "2"})
            """,
        },
    )
    with sandbox.build_all_defs() as defs:
        specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert specs["y"].tags == {"own": "1", "from": "folder"}
    assert specs["y"].owners == ["team:a"]
    assert (specs["y"].description, specs["y"].kinds) == ("about y", {"csv"})
    assert (specs["z"].tags, specs["z"].group_name) == ({"only": "this"}, "last")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("type: shop.types.Tabels", ["defs.yaml:1:1: type: there is no module 'shop"]),
        ("type: dagwright.PythonScriptComponnt", ["has no component type 'PythonScriptComponnt'", "did you mean 'PythonScriptComponent'?"]),
        ("type: dagwright.Component\natributes: {}", ["defs.yaml:2:1: ", "did you mean 'attributes'?"]),
        ("attributes: {}", ["'type' is missing"]),
        ("", ["the file is empty"]),
        ("type: dagwright.DefinitionsComponent\nattributes:\n  pth: x", ["defs.yaml:3:3: attributes.pth", "did you mean 'path'?"]),
        (
            "type: dagwright.DefsFolderComponent\npost_processing:\n  assets:\n    - target: 'grp:x'\n      attributes: {}",
            ["defs.yaml:4:7: post_processing.assets.0.target"],
        ),
        (
            "type: dagwright.DefsFolderComponent\npost_processing:\n  assets:\n    - attributes: {kind: [x]}",
            ["defs.yaml:4:20: post_processing.assets.0.attributes.kind", "did you mean 'kinds'?"],
        ),
        ("type: dagwright.PythonScriptComponent\nattributes:\n  execution: {path: x.py}", ["has neither assets nor checks"]),
        (
            "type: dagwright.FunctionComponent\nattributes:\n  execution: .code.run\n  assets: [{key: a}]",
            ["defs.yaml:3:3: attributes.execution", "there is no module"],
        ),
    ],
)
def test_errors_name_the_file_line_and_column(sandbox, text, words):
    write(sandbox, {"bad/defs.yaml": text})
    with pytest.raises(dgc.ComponentError) as caught, sandbox.build_all_defs() as defs:
        defs.resolve()
    for word in words:
        assert word in str(caught.value)


def test_an_error_of_build_defs_says_which_component_it_was(sandbox):
    write(sandbox, {"t.py": TABLES, "x/defs.yaml": f"type: {sandbox.project_name}.defs.t.Tables\nattributes: {{names: ['a b/']}}"})
    with pytest.raises(ValueError, match=r"asset key|AssetSpec") as caught, sandbox.build_all_defs():
        pass
    assert any("defs.yaml:1:1" in note for note in caught.value.__notes__)


def test_components_that_wait_for_each_other(sandbox):
    body = """
        import dagwright as dg
        class Waits(dg.Component, dg.Model, dg.Resolvable):
            other: str
            def build_defs(self, context):
                return context.build_defs(self.other)
    """
    kind = f"{sandbox.project_name}.defs.t.Waits"
    write(
        sandbox,
        {"t.py": body, "a/defs.yaml": f"type: {kind}\nattributes: {{other: b}}", "b/defs.yaml": f"type: {kind}\nattributes: {{other: a}}"},
    )
    with pytest.raises(dgc.ComponentError, match="wait for each other"), sandbox.build_all_defs():
        pass


def test_requirements_are_told(sandbox, caplog, monkeypatch):
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    write(sandbox, {"x/defs.yaml": "type: dagwright.DefsFolderComponent\nrequirements:\n  env:\n    - SHOP_TOKEN"})
    with sandbox.build_all_defs():
        pass
    assert "defs.yaml:4:7" in caplog.text
    assert "SHOP_TOKEN is required but not set" in caplog.text


def test_python_files_with_several_definitions(sandbox):
    write(sandbox, {"two.py": "import dagwright as dg\na = dg.Definitions()\nb = dg.Definitions(assets=[dg.AssetSpec('x')])"})
    with pytest.raises(dgc.ComponentError, match="2 Definitions objects"), sandbox.build_all_defs():
        pass


def test_load_component_and_helpers(sandbox):
    path = sandbox.scaffold_component(
        dgc.DefinitionsComponent, "x", defs_yaml_contents={"type": "dagster.DefinitionsComponent", "attributes": {"path": "d.py"}}
    )
    (path / "d.py").write_text("import dagwright as dg\na = dg.AssetSpec('a')\n")
    with sandbox.load_component_and_build_defs(path) as (component, defs):
        assert isinstance(component, dgc.DefinitionsComponent)
        assert keys(defs) == ["a"]
    with sandbox.build_component_tree() as tree:
        with pytest.raises(dgc.ComponentError, match=r"there is no component at .*did you mean 'x'"):
            tree.load_component("xx")
        with pytest.raises(dgc.ComponentError, match="is a DefinitionsComponent, not a DefsFolderComponent"):
            tree.load_component("x", dgc.DefsFolderComponent)
    swapped = sandbox.swap_defs_file(path / "defs.yaml", {"type": "dagwright.DefsFolderComponent"})
    with swapped, sandbox.load_component_and_build_defs(path) as (component, _):
        assert isinstance(component, dgc.DefsFolderComponent)


def test_scaffolders(sandbox):
    class Params(dgc.Model):
        table: str

    class WithSql(dgc.Scaffolder[Params]):
        @classmethod
        def get_scaffold_params(cls):
            return Params

        def scaffold(self, request):
            dgc.scaffold_component(request, {"path": "d.py"})
            (request.target_path / "d.py").write_text(f"import dagwright as dg\na = dg.AssetSpec({request.params.table!r})\n")

    kind = dgc.scaffold_with(WithSql)(type("Scaffolded", (dgc.DefinitionsComponent,), {"__module__": __name__}))
    path = sandbox.scaffold_component(kind, "x", scaffold_params={"table": "t"})
    assert "path: d.py" in (path / "defs.yaml").read_text()
    (path / "defs.yaml").write_text("type: dagwright.DefinitionsComponent\nattributes: {path: d.py}\n")
    with sandbox.build_all_defs() as defs:
        assert keys(defs) == ["t"]
    python = sandbox.scaffold_component(dgc.DefinitionsComponent, "y", scaffold_format="python")
    assert "return DefinitionsComponent()" in (python / "component.py").read_text()
    with pytest.raises(dgc.ComponentError, match="takes no parameters, but got x"):
        sandbox.scaffold_component(dgc.DefinitionsComponent, "z", scaffold_params={"x": 1})
    with pytest.raises(dgc.ComponentError, match="give a class derived from Scaffolder"):
        dgc.scaffold_with(int)


def test_a_component_is_added_to_a_document(tmp_path):
    request = dgc.ScaffoldRequest(type_name="shop.Sales", target_path=tmp_path / "shop")
    dgc.scaffold_component(request, {"table": "a"})
    file = tmp_path / "shop" / "defs.yaml"
    dgc.scaffold_component(replace(request, target_path=file, append=True), {"table": "b"})
    found = list(yaml.safe_load_all(file.read_text()))
    assert found == [{"type": "shop.Sales", "attributes": {"table": name}} for name in ("a", "b")]


def test_components_within_a_project(project):
    folder = project / "src" / "shop_project" / "defs" / "two"
    folder.mkdir()
    (folder / "d.py").write_text("import dagwright as dg\nx = dg.AssetSpec('x')\n")
    document = "type: dagwright.DefinitionsComponent\nattributes: {path: d.py}\n"
    (folder / "defs.yaml").write_text(f"{document}---\ntype: dagwright.DefinitionsComponent\nattributes: {{path: ../a.py}}\n")
    component, defs = dg.get_component_defs_within_project(project_root=project, component_path="two", instance_key=1)
    assert isinstance(component, dgc.DefinitionsComponent)
    assert keys(defs) == ["a"]
    with pytest.raises(dgc.ComponentError, match="has 2 components, so there is none with instance_key=2"):
        dg.get_component_defs_within_project(project_root=project, component_path="two", instance_key=2)


# ---------------------------------------------------------------- projects


@pytest.fixture
def project(tmp_path):
    defs = tmp_path / "src" / "shop_project" / "defs"
    defs.mkdir(parents=True)
    (defs / "a.py").write_text("import dagwright as dg\n@dg.asset\ndef a():\n    return 1\n")
    (tmp_path / "pyproject.toml").write_text('[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "shop_project"\n')
    yield tmp_path
    for name in [one for one in sys.modules if one.partition(".")[0] == "shop_project"]:
        del sys.modules[name]
    if str(tmp_path / "src") in sys.path:
        sys.path.remove(str(tmp_path / "src"))


def test_a_project_by_a_path_in_it(project):
    assert keys(dg.load_from_defs_folder(path_within_project=project / "src" / "shop_project")) == ["a"]


def test_a_project_without_settings(project):
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert keys(dg.load_from_defs_folder(project_root=project)) == ["a"]


def test_load_defs_of_a_package(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "src")
    import importlib

    assert keys(dg.load_defs(importlib.import_module("shop_project.defs"))) == ["a"]


def test_projects_that_are_not_right(project, tmp_path):
    (project / "pyproject.toml").write_text('[tool.dagwright]\nroot_modul = "shop_project"\n')
    with pytest.raises(dgc.ComponentError, match=r"has 'root_modul'. To mend: did you mean root_module\?"):
        dg.load_from_defs_folder(project_root=project)
    (project / "pyproject.toml").write_text('[tool.dagwright]\nroot_module = "shp"\n')
    with pytest.raises(dgc.ComponentError, match=r"there is no folder for the module 'shp\.defs'"):
        dg.load_from_defs_folder(project_root=project)
    with pytest.raises(dgc.ComponentError, match="there is no folder"):
        dg.load_from_defs_folder(project_root=project / "nowhere")
    with pytest.raises(dgc.ComponentError, match="was given no path"):
        dg.load_from_defs_folder()


def test_validate_loads_a_project_folder(project):
    def validate(*arguments):
        command = [sys.executable, "-m", "dagwright.cli", "definitions", "validate", *arguments]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    for arguments in (["-f", "."], []):
        found = validate(*arguments)
        assert found.returncode == 0, found.stderr
        assert "1 asset" in found.stdout
    (project / "src" / "shop_project" / "definitions.py").write_text(
        "import dagwright as dg\ndefs = dg.Definitions(assets=[dg.AssetSpec('m'), dg.AssetSpec('n')])\n"
    )
    assert "2 assets" in validate().stdout
    assert "2 assets" in validate("-m", "shop_project.definitions").stdout
    (project / "pyproject.toml").write_text('[tool.dagster]\nmodule_name = "shop_project.definitions"\n')
    assert "ok shop_project: 2 assets" in validate().stdout
    (project / "src" / "shop_project" / "definitions.py").unlink()
    (project / "src" / "shop_project" / "defs" / "bad").mkdir()
    (project / "src" / "shop_project" / "defs" / "bad" / "defs.yaml").write_text("type: x.Y\n")
    bad = validate("-f", ".")
    assert bad.returncode == 1
    assert "defs.yaml:1:1" in bad.stderr
