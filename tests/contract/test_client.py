"""The typed client: its generated half is what the OpenAPI document says, and has every operation."""

from __future__ import annotations

import importlib.util
import inspect
import typing
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from dagwright.client import Client, models, operations

pytestmark = pytest.mark.contract
GENERATOR = Path(__file__).parents[2] / ".ci" / "rest_client.py"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rest_client", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["rest_client"] = module
    spec.loader.exec_module(module)
    return module


def test_it_is_as_generated(generator: ModuleType) -> None:
    for path, text in generator.render().items():
        assert path.read_text() == text, f"{path.name} is out of date: run `python .ci/rest_client.py` and commit the result"


def test_every_operation_has_a_method_of_its_own(generator: ModuleType) -> None:
    found = generator.operations(*generator.document())
    client = Client("http://127.0.0.1:1")
    methods = {(each.group, each.method) for each in found}
    assert len(methods) == len(found)
    for group, method in methods:
        assert inspect.getdoc(getattr(getattr(client, group), method)), f"{group}.{method}"
    client.close()


def every_model() -> list[Any]:
    return [each for each in vars(models).values() if inspect.isclass(each) and issubclass(each, models.Model) and each is not models.Model]


@pytest.mark.parametrize("model", every_model(), ids=lambda each: each.__name__)
def test_every_model_can_be_read(model: Any) -> None:
    msgspec.json.Decoder(model)  # compiles it, or says which field it cannot read


def test_every_answer_is_a_model_or_a_list_of_them() -> None:
    for name, group in vars(operations).items():
        if not name.endswith("Calls"):
            continue
        for method, function in vars(group).items():
            if not method.startswith("_"):
                assert "return" in typing.get_type_hints(function, vars(operations)), f"{name}.{method}"
