"""Resources: given, nested, set up and torn down in order."""

from contextlib import contextmanager

import dagster as dg
from observe import raised
from pydantic import PrivateAttr

log = []


class Server(dg.ConfigurableResource):
    host: str = "here"

    def url(self):
        return f"http://{self.host}"


class Client(dg.ConfigurableResource):
    server: Server
    _count: int = PrivateAttr(default=0)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        log.append("client up")
        self._count = 5

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        log.append("client down")

    def call(self):
        return self.server.url(), self._count


class Yields(dg.ConfigurableResource):
    @contextmanager
    def yield_for_execution(self, context):
        log.append("yields up")
        yield self
        log.append("yields down")


@dg.resource(config_schema={"size": dg.Field(int, default_value=1)}, description="old")
def old_style(context: dg.InitResourceContext):
    log.append("old up")
    try:
        yield {"size": context.resource_config["size"]}
    finally:
        log.append("old down")


def case_given():
    @dg.asset
    def uses(client: Client):
        return client.call()

    log.clear()
    result = dg.materialize([uses], resources={"client": Client(server=Server(host="there"))})
    return result.asset_value("uses"), list(log)


def case_order():
    @dg.op(required_resource_keys={"old", "yields"})
    def uses(context):
        log.append("run")
        return context.resources.old["size"]

    @dg.job(resource_defs={"old": old_style, "yields": Yields()})
    def job():
        uses()

    log.clear()
    result = job.execute_in_process(run_config={"resources": {"old": {"config": {"size": 4}}}})
    return result.output_for_node("uses"), sorted(log[:2]), log[2], sorted(log[3:])


def case_torn_down_after_failure():
    @dg.op(required_resource_keys={"old"})
    def fails(context):
        raise ValueError("x")

    @dg.job(resource_defs={"old": old_style})
    def job():
        fails()

    log.clear()
    return job.execute_in_process(raise_on_error=False), list(log)


def case_bare_objects():
    @dg.asset(required_resource_keys={"number"})
    def uses(context) -> int:
        return context.resources.number + 1

    @dg.asset
    def typed(number: dg.ResourceParam[int]) -> int:
        return number + 2

    result = dg.materialize([uses, typed], resources={"number": 5})
    return result.asset_value("uses"), result.asset_value("typed")


def case_config_at_launch():
    @dg.asset
    def uses(server: Server):
        return server.url()

    result = dg.materialize(
        [uses], resources={"server": Server.configure_at_launch()}, run_config={"resources": {"server": {"config": {"host": "launch"}}}}
    )
    return result.asset_value("uses")


def case_run_config_class():
    @dg.asset
    def uses(server: Server):
        return server.url()

    config = dg.RunConfig(resources={"server": Server(host="typed")})
    return dg.materialize([uses], resources={"server": Server.configure_at_launch()}, run_config=config).asset_value("uses")


def case_env():
    import os

    os.environ["DIFFERENTIAL_HOST"] = "env-host"

    @dg.asset
    def uses(server: Server):
        return server.url()

    return dg.materialize([uses], resources={"server": Server(host=dg.EnvVar("DIFFERENTIAL_HOST"))}).asset_value("uses")


def case_missing():
    @dg.asset(required_resource_keys={"nowhere"})
    def uses(context):
        return 1

    return raised(lambda: dg.materialize([uses]), dg.DagsterInvalidDefinitionError)


def case_wrong_config():
    return raised(lambda: Server(host=3) and Server(nothing=1), Exception)


def case_resource_on_resource():
    @dg.resource(required_resource_keys={"base"})
    def derived(context):
        return context.resources.base * 2

    @dg.op(required_resource_keys={"derived"})
    def uses(context):
        return context.resources.derived

    @dg.job(resource_defs={"base": dg.ResourceDefinition.hardcoded_resource(4), "derived": derived})
    def job():
        uses()

    return job.execute_in_process().output_for_node("uses")


def case_build_resources():
    with dg.build_resources({"old": old_style, "n": 3}, resource_config={"old": {"config": {"size": 2}}}) as found:
        return found.old, found.n


def case_setup_fails():
    @dg.resource
    def broken(context):
        raise ValueError("cannot")

    @dg.op(required_resource_keys={"broken"})
    def uses(context):
        return 1

    @dg.job(resource_defs={"broken": broken})
    def job():
        uses()

    return job.execute_in_process(raise_on_error=False).success
