"""Conditions over time, as tables: seconds since the line before, what happens, and what the tick then asks for."""

from __future__ import annotations

import pytest
from tests.unit.decide.automation.worlds import World, entity, timeline

from dagwright.authoring.automation import AutomationCondition as C
from dagwright_shared.decide.automation.graph import EntityGraph

pytestmark = pytest.mark.unit
CHAIN = [entity("up"), entity("down", C.eager(), "up"), entity("last", C.eager(), "down")]

TABLES = {
    "eager waits for the upstream": (
        CHAIN,
        """
        +0s  |                        |
        +1s  | make up                | down, last
        +1s  | run down, run last     |
        +1s  | make down last, end down, end last |
        +1s  |                        |
        +9s  | make up                | down, last
        """,
    ),
    "eager does not ask while a run is going on, nor after it": (
        CHAIN[:2],
        """
        +0s  |                        |
        +1s  | make up                | down
        +1s  | run down               |
        +1s  | make up                |
        +1s  | make down, end down    |
        +1s  | make up                | down
        """,
    ),
    "eager asks again once the run that was in the way has failed": (
        CHAIN[:2],
        """
        +0s  |                        |
        +1s  | run down               |
        +1s  | make up                |
        +1s  | fail down, end down    | down
        +1s  |                        |
        """,
    ),
    "an upstream in progress holds it back": (
        CHAIN[:2],
        """
        +0s  |                        |
        +1s  | make up, run up        |
        +1s  | end up                 | down
        """,
    ),
    "on_cron asks once for each tick when all upstreams are new": (
        [entity("one"), entity("two"), entity("down", C.on_cron("0 * * * *"), "one", "two")],
        """
        +60s   | make one, make two   |
        +3600s |                      |
        +60s   | make one             |
        +60s   | make two             | down
        +60s   |                      |
        +60s   | make one, make two   |
        +3600s | make one             |
        +60s   | make two             | down
        """,
    ),
    "on_missing asks once": (
        [entity("up"), entity("down", C.on_missing(), "up")],
        """
        +0s  |                        |
        +1s  | make up                |
        +1s  |                        |
        """,
    ),
    "missing asks at each tick": (
        [entity("a", C.missing())],
        """
        +0s  |                        | a
        +1s  |                        | a
        +1s  | make a                 |
        """,
    ),
    "newly_true asks at the turn alone": (
        [entity("up"), entity("down", (~C.any_deps_missing()).newly_true(), "up")],
        """
        +0s  |                        |
        +1s  | make up                | down
        +1s  | make up                |
        """,
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_table(name: str) -> None:
    entities, text = TABLES[name]
    timeline(World(EntityGraph(entities)), text)


def test_a_table_can_fail() -> None:
    with pytest.raises(AssertionError, match="line 2"):
        timeline(World(EntityGraph(CHAIN)), "+0s | |\n+1s | make up | nothing at all")
