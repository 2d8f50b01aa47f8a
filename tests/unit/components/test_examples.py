"""The examples in the docstrings of components run, and each name can be imported."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest

import dagwright.components as dgc

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "name", ["component_class", "executable", "project", "resolution", "resolved", "resolver", "scaffold", "state", "testing"]
)
def test_examples_of_docstrings_run(name):
    failed, tried = doctest.testmod(importlib.import_module(f"dagwright.components.{name}"))
    assert (failed, tried > 0) == (0, True)


def test_every_name_is_there():
    for name in dgc.__all__:
        assert getattr(dgc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Componentt'"):
        _ = dgc.Componentt


def test_the_package_costs_nothing_until_it_is_used():
    code = "import sys, dagwright, dagwright.components; print([m for m in ('yaml', 'jinja2', 'pydantic') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
