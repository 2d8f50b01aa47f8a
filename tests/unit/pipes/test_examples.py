"""The examples in the docstrings of pipes run."""

from __future__ import annotations

import doctest
import importlib

import pytest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["client", "injectors", "ports", "session"])
def test_examples_of_docstrings_run(name):
    failed, tried = doctest.testmod(importlib.import_module(f"dagwright.pipes.{name}"))
    assert (failed, tried > 0) == (0, True)
