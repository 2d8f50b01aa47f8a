"""Checks of arguments."""

from __future__ import annotations

from typing import Any

import pytest

from dagwright import check

pytestmark = pytest.mark.unit


def test_what_fits_comes_back() -> None:
    given: dict[str, Any] = {"a": 1}
    assert check.dict_param(given, "given", str, int) is given
    assert check.mapping_param(given, "given", str) is given
    assert (check.not_none(0), check.inst(3, (int, str)), check.invariant(1)) == (0, 3, True)
    assert (check.opt_str_param(None, "x"), check.opt_int_param(None, "x", 4), check.opt_dict_param(None, "x")) == (None, 4, {})
    assert (check.opt_list_param(None, "x"), check.opt_inst_param(None, "x", int, 5)) == ([], 5)
    assert list(check.sequence_param(("a",), "x", of_type=str)) == ["a"]
    assert (check.str_param("a", "x"), check.int_param(1, "x"), check.bool_param(True, "x")) == ("a", 1, True)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: check.failed("no way"), "no way"),
        (lambda: check.invariant(False, "must hold"), "must hold"),
        (lambda: check.not_none(None, "ask first"), "the value is None; ask first"),
        (lambda: check.inst("a", (int, float)), "'a' is not a int or float"),
        (lambda: check.str_param(3, "name"), "the argument 'name' is 3, not a str"),
        (lambda: check.list_param(["a"], "rows", int), "the argument 'rows' is 'a', not a int"),
        (lambda: check.sequence_param("ab", "rows"), "the argument 'rows' is the text 'ab'"),
        (lambda: check.dict_param({1: 2}, "table", key_type=str), "the argument 'table' is 1, not a str"),
    ],
)
def test_what_does_not_fit_is_named(wrong: Any, says: str) -> None:
    with pytest.raises(check.CheckError, match=says):
        wrong()
