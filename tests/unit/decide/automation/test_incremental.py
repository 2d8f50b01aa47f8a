"""Evaluating only what an event concerns asks for the same as evaluating everything."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.decide.automation.worlds import START, Evaluator, World, entity

from dagwright.authoring.automation import AutomationCondition as C
from dagwright_shared.decide.automation.cursor import Cursor
from dagwright_shared.decide.automation.graph import Entity, EntityGraph
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.partitions import StaticPartitions, TimeWindowPartitions

pytestmark = pytest.mark.unit
NAMES = "abcdef"
KEYS = StaticPartitions(keys=("x", "y", "z"))
HOURS = TimeWindowPartitions(cron="0 * * * *", format="%Y-%m-%d-%H:%M", start=START - timedelta(hours=3))
LEAVES = [
    C.missing(),
    C.newly_missing(),
    C.newly_updated(),
    C.newly_requested(),
    C.run_in_progress(),
    C.execution_failed(),
    C.will_be_requested(),
    C.in_latest_time_window(),
    C.cron_tick_passed("30 * * * *"),
    C.initial_evaluation(),
    C.any_downstream_conditions(),
    C.any_checks_match(C.check_failed()),
    C.asset_matches("a", C.newly_updated()),
    C.eager(),
    C.on_cron("*/20 * * * *"),
    C.on_missing(),
]
CONDITIONS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        inner.map(lambda one: ~one),
        inner.map(C.any_deps_match),
        inner.map(C.all_deps_match),
        inner.map(lambda one: one.newly_true()),
        inner.map(lambda one: one.since_last_handled()),
        st.tuples(inner, inner).map(lambda pair: pair[0].since(pair[1])),
    ),
    max_leaves=5,
)


@st.composite
def graphs(draw: st.DrawFn) -> EntityGraph:
    entities: list[Entity] = []
    for at, name in enumerate(NAMES):
        parents = draw(st.sets(st.sampled_from(NAMES[:at]), max_size=3)) if at else set()
        condition = draw(st.none() | CONDITIONS)
        entities.append(entity(name, condition, *parents, partitions=draw(st.sampled_from([None, None, KEYS, HOURS]))))
    check = AssetCheckKey(AssetKey("a"), "check")
    entities[0] = entity("a", C.missing(), partitions=entities[0].partitions, checks=(check,))
    return EntityGraph(
        [*entities, Entity(key=check, location="l", parents=(AssetKey("a"),), condition=draw(st.none() | st.just(C.eager().node)))]
    )  # type: ignore[arg-type]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["make", "make", "run", "end", "fail", "judge", "wait"]), st.sampled_from(NAMES), st.integers(0, 2), st.booleans()
    ),
    max_size=14,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs(), steps=STEPS)
def test_incremental_is_full(graph: EntityGraph, steps: list[tuple[str, str, int, bool]]) -> None:
    world = World(graph)
    some, everything = Evaluator(world, incremental=True), Evaluator(world, incremental=False)
    for verb, name, ordinal, flag in [("wait", "a", 0, False), *steps]:
        key = AssetKey(name)
        place = ordinal if graph[key].partitions is not None else 0
        if verb == "wait":
            world.now += timedelta(minutes=7 if flag else 25)
        elif verb == "judge":
            world.judge(AssetCheckKey(AssetKey("a"), "check"), passed=flag)
        else:
            world.now += timedelta(seconds=1)
            getattr(world, verb)(key, place)
        assert some.tick(world.events) == everything.tick()
        world.events.clear()
        # What is remembered survives being stored.
        some.cursors = {one: Cursor.from_json(json.loads(json.dumps(cursor.to_json()))) for one, cursor in some.cursors.items()}
    assert some.evaluated <= everything.evaluated


def test_an_event_concerns_few() -> None:
    entities = [entity("a0")] + [entity(f"a{at}", C.eager(), f"a{at - 1}") for at in range(1, 500)]
    world = World(EntityGraph(entities))
    evaluator = Evaluator(world, incremental=True)
    for _ in range(3):
        evaluator.tick()
    before = evaluator.evaluated
    world.make(AssetKey("a498"))
    assert evaluator.tick(world.events).keys() == {AssetKey("a499")}
    assert evaluator.evaluated - before <= 3


def test_a_damaged_cursor() -> None:
    with pytest.raises(ValueError, match="not the cursor"):
        Cursor.from_json({"f": 1})
