from __future__ import annotations

import doctest
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import dagwright

ROOT = Path(__file__).parents[3]
AUTHORING = sorted((ROOT / "code_server" / "dagwright" / "authoring").glob("*.py"))


def test_every_name_is_there() -> None:
    for name in dagwright.__all__:
        assert getattr(dagwright, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Assets'"):
        _ = dagwright.Assets  # type: ignore[attr-defined]


def test_type_checkers_see_the_same_names() -> None:
    spec = importlib.util.spec_from_file_location("public_names", ROOT / ".ci" / "public_names.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.STUB.read_text() == module.render(), "run python .ci/public_names.py"


@pytest.mark.parametrize("path", AUTHORING, ids=lambda path: path.stem)
def test_examples_of_docstrings_run(path: Path) -> None:
    module = importlib.import_module(f"dagwright.authoring.{path.stem}")
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS, verbose=False)
    assert failed == 0


PROBE = """
import sys, time
import pydantic
from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model, field_validator
TypeAdapter(int)
begin = time.process_time()
import dagwright as dg
bare = time.process_time() - begin

@dg.asset
def a():
    return 1

defs = dg.Definitions(assets=[a])
used = time.process_time() - begin
heavy = [name for name in ("sqlalchemy", "psycopg2", "grpc", "google.protobuf", "fastapi", "httpx") if name in sys.modules]
print(bare * 1000, used * 1000, ",".join(heavy) or "-")
"""


def test_importing_costs_little_and_loads_nothing_heavy() -> None:
    lines = [subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    assert {heavy for _, _, heavy in lines} == {"-"}
    # CPU time, the best of three: other processes on the machine do not count.
    assert min(float(bare) for bare, _, _ in lines) <= 100
