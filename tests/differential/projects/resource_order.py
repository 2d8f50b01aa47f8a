"""When resources are set up and torn down, and what happens when that fails."""

from contextlib import contextmanager

import dagster as dg
from observe import raised

calls = []


def watched(name, *needs):
    @dg.resource(required_resource_keys=set(needs))
    @contextmanager
    def made(context):
        calls.append(f"+{name}")
        try:
            yield name + "".join(sorted(getattr(context.resources, need) for need in needs))
        finally:
            calls.append(f"-{name}")

    return made


def using(*keys, fails=False):
    @dg.op(required_resource_keys=set(keys))
    def uses(context):
        calls.append("use " + " ".join(getattr(context.resources, key) for key in sorted(keys)))
        if fails:
            raise ValueError("no")

    return uses


def ran(op, resources):
    calls.clear()

    @dg.job(resource_defs=resources)
    def job():
        op()

    result = job.execute_in_process(raise_on_error=False)
    return result.success, list(calls)


def case_one():
    return ran(using("a"), {"a": watched("a")})


def case_chain():
    return ran(using("c"), {"a": watched("a"), "b": watched("b", "a"), "c": watched("c", "b")})


def case_failing_op():
    return ran(using("b", fails=True), {"a": watched("a"), "b": watched("b", "a")})


def case_unused_is_not_set_up():
    return ran(using("a"), {"a": watched("a"), "unused": watched("unused")})


def case_set_up_fails():
    @dg.resource
    def broken(context):
        raise ValueError("cannot")

    return ran(using("b"), {"a": watched("a"), "b": broken})


def case_cycle():
    def make():
        return ran(using("a"), {"a": watched("a", "b"), "b": watched("b", "a")})

    return raised(make, Exception)


class Base(dg.ConfigurableResource):
    name: str = "base"

    def setup_for_execution(self, context):
        calls.append(f"+{self.name}")

    def teardown_after_execution(self, context):
        calls.append(f"-{self.name}")


class Outer(dg.ConfigurableResource):
    base: Base
    suffix: str = "!"

    def setup_for_execution(self, context):
        calls.append("+outer")

    def teardown_after_execution(self, context):
        calls.append("-outer")

    def text(self):
        return self.base.name + self.suffix


def materialized(fn, **resources):
    calls.clear()
    result = dg.materialize([dg.asset(fn)], resources=resources, raise_on_error=False)
    return result.success, list(calls)


def case_nested():
    def uses(outer: Outer):
        calls.append(outer.text())

    base = Base(name="inner")
    return materialized(uses, outer=Outer(base=base)), materialized(uses, outer=Outer(base=base), base=base)


def case_partial_dependency():
    def uses(outer: Outer):
        calls.append(outer.text())

    base = Base.configure_at_launch()
    return [
        dg.materialize(
            [dg.asset(uses)],
            resources={"outer": Outer(base=base), "base": base},
            run_config={"resources": {"base": {"config": {"name": "given"}}}},
        ).success,
        list(calls)[-4:],
    ]


def case_yield_for_execution():
    class Yielding(dg.ConfigurableResource):
        value: int

        @contextmanager
        def yield_for_execution(self, context):
            calls.append("enter")
            try:
                yield self
            finally:
                calls.append("exit")

    def uses(y: Yielding):
        calls.append(str(y.value))

    return materialized(uses, y=Yielding(value=3))


def case_private_attributes():
    from pydantic import PrivateAttr

    class Counting(dg.ConfigurableResource):
        start: int = 1
        _count: int = PrivateAttr(default=0)

        def setup_for_execution(self, context):
            self._count = self.start

        def more(self):
            self._count += 1
            return self._count

    def uses(counting: Counting):
        calls.append(str(counting.more() + counting.more()))

    return materialized(uses, counting=Counting(start=5))


def case_factory():
    class Factory(dg.ConfigurableResource[dict]):
        size: int

        def create_resource(self, context):
            return {"size": self.size}

    @dg.asset
    def uses(made: dg.ResourceParam[dict]):
        return made["size"]

    return dg.materialize([uses], resources={"made": Factory(size=4)}).output_for_node("uses")


def case_plain_objects():
    @dg.asset(required_resource_keys={"numbers", "word"})
    def uses(context):
        return [*context.resources.numbers, context.resources.word]

    return dg.materialize([uses], resources={"numbers": [1], "word": "w"}).output_for_node("uses")


def case_configured_resource():
    @dg.resource(config_schema={"a": int, "b": dg.Field(int, default_value=2)})
    def pair(context):
        return context.resource_config["a"], context.resource_config["b"]

    @dg.op(required_resource_keys={"fixed", "open"})
    def uses(context):
        return [context.resources.fixed, context.resources.open]

    @dg.job(resource_defs={"fixed": pair.configured({"a": 1}), "open": pair})
    def job():
        uses()

    return (
        job.execute_in_process(run_config={"resources": {"open": {"config": {"a": 5, "b": 6}}}}).output_for_node("uses"),
        raised(job.execute_in_process, dg.DagsterInvalidConfigError),
    )


def case_make_values_resource():
    @dg.op(required_resource_keys={"values"})
    def uses(context):
        return context.resources.values["name"]

    @dg.job(resource_defs={"values": dg.make_values_resource(name=str)})
    def job():
        uses()

    return job.execute_in_process(run_config={"resources": {"values": {"config": {"name": "x"}}}}).output_for_node("uses")


def case_build_resources():
    calls.clear()
    with dg.build_resources({"a": watched("a"), "b": watched("b", "a"), "plain": 3}) as resources:
        inside = resources.b, resources.plain
    return inside, list(calls)


def case_missing_resource():
    return raised(
        lambda: dg.materialize([dg.asset(required_resource_keys={"missing"})(lambda context: 1)]), dg.DagsterInvalidDefinitionError
    )


def case_validation():
    class Typed(dg.ConfigurableResource):
        size: int
        names: list[str] = []

    return raised(lambda: Typed(size="many"), Exception), raised(lambda: Typed(sizes=3), Exception), raised(lambda: Typed(), Exception)


def case_env_var():
    import os

    os.environ["DIFFERENTIAL_NAME"] = "from outside"
    os.environ["DIFFERENTIAL_SIZE"] = "12"

    class Named(dg.ConfigurableResource):
        name: str
        size: int = 0

    def uses(named: Named):
        calls.append((named.name, named.size))

    return materialized(uses, named=Named(name=dg.EnvVar("DIFFERENTIAL_NAME"), size=dg.EnvVar.int("DIFFERENTIAL_SIZE")))


def case_env_var_missing():
    class Named(dg.ConfigurableResource):
        name: str

    @dg.asset
    def uses(named: Named): ...

    return raised(lambda: dg.materialize([uses], resources={"named": Named(name=dg.EnvVar("DIFFERENTIAL_NOT_SET"))}), Exception)
