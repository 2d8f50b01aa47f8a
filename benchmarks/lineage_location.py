"""Ten thousand assets in a hundred groups: each reads some of the assets before it, mostly of its own group."""

from __future__ import annotations

import os
import random

import dagwright as dg

COUNT = int(os.environ.get("BENCH_ASSETS", "10000"))
IN_A_GROUP = 100


def _asset(number: int, chance: random.Random) -> dg.AssetsDefinition:
    group, place = divmod(number, IN_A_GROUP)
    own = {group * IN_A_GROUP + chance.randrange(max(0, place - 30), place) for _ in range(chance.choice((1, 1, 2)))} if place else set()
    other = {chance.randrange(max(0, group - 12) * IN_A_GROUP, group * IN_A_GROUP)} if group and chance.random() < 0.08 else set()

    deps = [f"asset_{each:05}" for each in sorted(own | other)]

    @dg.asset(name=f"asset_{number:05}", group_name=f"group_{group:03}", kinds={chance.choice(("duckdb", "python", "dbt"))}, deps=deps)
    def made() -> None: ...

    return made


_chance = random.Random(7)
defs = dg.Definitions(assets=[_asset(number, _chance) for number in range(COUNT)])
