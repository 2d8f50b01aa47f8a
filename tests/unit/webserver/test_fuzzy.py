from __future__ import annotations

import pytest

from dagwright_webserver.fuzzy import score


@pytest.mark.parametrize(
    ("words", "better", "worse"),
    [
        ("daily", "daily", "daily_sales"),
        ("daily", "daily_sales", "sales_daily"),
        ("sales", "daily_sales", "presales"),
        ("ord", "raw/orders", "records"),
        ("ord", "raw/orders", "staging/orders_of_all_partners"),
        ("drc", "daily_revenue_check", "directory_scan"),
        ("raw ord", "raw/orders", "raw/customers"),
        ("ORD", "raw/orders", "x"),
    ],
)
def test_what_fits_better(words: str, better: str, worse: str) -> None:
    assert score(words, better) > score(words, worse)


@pytest.mark.parametrize(
    ("words", "text"), [("xyz", "raw/orders"), ("raw xyz", "raw/orders"), ("sro", "raw/orders"), ("a", "b"), ("rs", "r" + "_" * 60 + "s")]
)
def test_what_does_not_fit(words: str, text: str) -> None:
    assert score(words, text) == 0.0


def test_any_text_is_taken() -> None:
    assert score("ü%_\\", "a%_\\") == 0.0
    assert score("", "anything") == 0.0
    assert score("ß", "straße") > 0
