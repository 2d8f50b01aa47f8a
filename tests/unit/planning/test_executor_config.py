"""How a run's config chooses and configures its executor."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright.execution.executors.choice import make
from dagwright.planning.executor_config import resolve
from dagwright_shared.model.errors import DefinitionError, InvalidRequestError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["in_process", "multiprocess", "threads", "asyncio"])
def test_the_config_of_a_run_chooses_whatever_the_job_says(name):
    _, config = resolve(dg.multiprocess_executor, {"config": {name: {}}})
    assert make(config).name == name


def test_settings_of_the_definition_and_of_the_run_add_up():
    mine = dg.threads_executor.configured({"max_concurrent": 7}, name="mine")
    definition, config = resolve(mine, {"config": {"tag_concurrency_limits": [{"key": "db", "limit": 1}]}})
    assert definition.name == "mine"
    assert config.max_concurrent == 7
    assert config.tag_concurrency_limits[0].key == "db"


def test_a_wrong_setting_is_refused_with_its_path():
    with pytest.raises(InvalidRequestError) as caught:
        resolve(dg.threads_executor, {"config": {"max_concurent": 2}})
    assert "config.execution.config" in caught.value.problems[0].path
    with pytest.raises(DefinitionError, match="did you mean 'max_concurrent'"):
        dg.threads_executor.configured({"max_concurent": 2})


def test_two_executors_at_once_are_refused():
    with pytest.raises(InvalidRequestError, match="name one executor"):
        resolve(None, {"config": {"threads": {}, "asyncio": {}}})
