from __future__ import annotations

import logging
import types
from pathlib import Path

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError


def module(**members: object) -> types.ModuleType:
    made = types.ModuleType("made_for_this_test")
    vars(made).update(members)
    return made


@dg.asset
def raw() -> int:
    return 1


@dg.asset
def clean(raw: int) -> int:
    return raw + 1


@dg.asset_check(asset=clean)
def fine(clean: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=clean == 2)


outside = dg.SourceAsset("outside")


def test_prefixes_of_assets_sources_and_checks() -> None:
    it = module(raw=raw, clean=clean, outside=outside, fine=fine)
    assets = dg.load_assets_from_modules([it], key_prefix="shop", source_key_prefix="ext", group_name="g")
    assert sorted(key.to_user_string() for item in assets for key in item.keys) == ["ext/outside", "shop/clean", "shop/raw"]
    checks = dg.load_asset_checks_from_modules([it], asset_key_prefix="shop")
    assert checks[0].check_key.to_user_string() == "shop/clean:fine"
    assert dg.materialize([*assets, *checks]).get_asset_check_evaluations()[0].passed


def test_whole_modules() -> None:
    job = dg.define_asset_job("everything")
    defs = dg.load_definitions_from_module(module(raw=raw, clean=clean, fine=fine, job=job), resources={"x": 1})
    assert [made.name for made in defs.resolve_all_job_defs()] == ["__ASSET_JOB", "everything"]
    assert len(defs.resolve_all_asset_keys()) == 2


def test_repositories() -> None:
    @dg.repository
    def older():
        return [raw, [clean], dg.define_asset_job("j")]

    assert isinstance(older, dg.Definitions)
    assert older.get_job_def("j").name == "j"
    with pytest.raises(DefinitionError, match="@repository broken has 1, a int"):

        @dg.repository
        def broken():
            return [1]


def test_code_references_become_links() -> None:
    (linked,) = dg.with_source_code_references([raw])
    here = Path(__file__)
    mapping = dg.AnchorBasedFilePathMapping(local_file_anchor=here, file_anchor_path_in_repository="tests/x.py")
    (there,) = dg.link_code_references_to_git([linked], "https://github.com/me/it", "main", mapping)
    (reference,) = there.get_asset_spec().metadata["dagwright/code_references"].code_references  # type: ignore[attr-defined]
    assert reference.url.startswith(f"https://github.com/me/it/tree/main/tests/{here.name}#L")
    with pytest.raises(DefinitionError, match="does not tell what platform"):
        dg.link_code_references_to_git([linked], "https://example.org/x", "main", mapping)


def make_job() -> dg.JobDefinition:
    @dg.op
    def one() -> int:
        return 1

    @dg.job
    def made():
        one()

    return made


def test_jobs_that_can_be_made_again() -> None:
    assert dg.reconstructable(make_job).get_definition().name == "made"
    again = dg.build_reconstructable_job(__name__, "make_job")
    assert again.get_definition().name == "made"
    with pytest.raises(DefinitionError, match="is not at the top level of a module"):
        dg.reconstructable(lambda: make_job())  # noqa: PLW0108
    with pytest.raises(DefinitionError, match=r"makes a function|makes a int|not a job"):
        dg.build_reconstructable_job("math", "pi").get_definition()


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelname, record.getMessage()))


def test_run_loggers_receive_records() -> None:
    kept = Kept()

    @dg.logger({"level": dg.Field(str, default_value="INFO")})
    def mine(context: dg.InitLoggerContext) -> logging.Logger:
        made = logging.Logger("mine", context.logger_config["level"])
        made.addHandler(kept)
        return made

    @dg.op
    def talk(context: dg.OpExecutionContext) -> None:
        context.log.info("hello")
        context.log.debug("quiet")
        dg.get_dagster_logger().warning("managed")

    @dg.job(logger_defs={"mine": mine})
    def chat():
        talk()

    assert chat.execute_in_process().success
    assert kept.lines == [("INFO", "hello"), ("WARNING", "managed")]
    chat.execute_in_process(run_config={"loggers": {"mine": {"config": {"level": "ERROR"}}}})
    assert len(kept.lines) == 2
    with pytest.raises(DefinitionError, match="LoggerDefinition: logger_fn is a str"):
        dg.LoggerDefinition("x")  # type: ignore[arg-type]


def test_with_resources_and_paths() -> None:
    @dg.asset(required_resource_keys={"db"})
    def uses(context: dg.AssetExecutionContext) -> str:
        return str(context.resources.db)

    (bound,) = dg.with_resources([uses], {"db": dg.ResourceDefinition.hardcoded_resource("d"), "other": 1})
    assert set(bound.resource_defs) == {"db"}
    assert dg.materialize([bound]).asset_value("uses") == "d"
    assert dg.file_relative_path("/a/b.py", "c.txt") == "/a/c.txt"
