"""What of configuration may be seen."""

from __future__ import annotations

from typing import Any

import pytest

from dagwright_shared.runtime.settings import Secret, Settings
from dagwright_webserver.reads.configuration import read_configuration
from dagwright_webserver.reads.resources import MASK, masked


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("path", "/warehouse/shop.duckdb", "/warehouse/shop.duckdb"),
        ("password", "hunter2", MASK),
        ("api_key", "abc", MASK),
        ("aws_secret_access_key", "abc", MASK),
        ("password", {"env": "DB_PASSWORD"}, {"env": "DB_PASSWORD"}),
        ("token", None, None),
        ("use_token", True, True),
        ("url", "postgresql://shop:hunter2@db:5432/shop", f"postgresql://shop:{MASK}@db:5432/shop"),
        ("options", {"user": "shop", "Password": "hunter2", "ports": [1, 2]}, {"user": "shop", "Password": MASK, "ports": [1, 2]}),
        ("urls", ["https://a:b@c"], [f"https://a:{MASK}@c"]),
        ("retries", 3, 3),
    ],
)
def test_masked(name: str, value: Any, shown: Any) -> None:
    assert masked(name, value) == shown


def test_a_schema_says_what_is_secret() -> None:
    schema = {"properties": {"pin": {"format": "password", "writeOnly": True}}}
    assert masked("pin", "1234", schema["properties"]["pin"]) == MASK
    assert masked("account", {"pin": "1234", "name": "shop"}, schema) == {"pin": MASK, "name": "shop"}


def test_settings_tell_their_source_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGWRIGHT_LOG_LEVEL", "DEBUG")
    made = Settings(database_url=Secret("postgresql://u:hunter2@h/d"), port=4444, log_level="DEBUG")
    found = {each.name: each for each in read_configuration(made).items}
    assert (found["database_url"].value, found["database_url"].source) == (MASK, "start")
    assert (found["log_level"].value, found["log_level"].source) == ("DEBUG", "environment")
    assert (found["port"].value, found["port"].source) == (4444, "start")
    assert (found["host"].value, found["host"].source, found["host"].variable) == ("127.0.0.1", "default", "DAGWRIGHT_HOST")
    assert "hunter2" not in repr(found)
