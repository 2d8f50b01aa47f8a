"""What IO managers are asked, in which order and with what."""

import dagster as dg

calls = []


class Memory(dg.IOManager):
    def __init__(self):
        self.kept = {}

    def handle_output(self, context: dg.OutputContext, obj):
        key = tuple(context.asset_key.path) if context.has_asset_key else (context.step_key, context.name)
        calls.append(("store", key, dict(context.definition_metadata), context.has_partition_key))
        context.add_output_metadata({"stored": 1})
        self.kept[key] = obj

    def load_input(self, context: dg.InputContext):
        upstream = context.upstream_output
        key = tuple(context.asset_key.path) if context.has_asset_key else (upstream.step_key, upstream.name)
        calls.append(("load", context.name, key, context.has_asset_key, upstream.name if upstream else None))
        return self.kept[key]


@dg.asset(metadata={"table": "t"}, io_manager_key="memory")
def first():
    return 1


@dg.asset(io_manager_key="memory", key_prefix="deep")
def second(first):
    return first + 1


def case_assets():
    calls.clear()
    result = dg.materialize([first, second], resources={"memory": Memory()})
    return result, list(calls)


def case_ops():
    @dg.op(out=dg.Out(io_manager_key="memory", metadata={"m": 1}))
    def makes():
        return 2

    @dg.op
    def takes(value):
        return value * 2

    manager = Memory()

    @dg.io_manager
    def made(context):
        return manager

    @dg.job(resource_defs={"memory": made})
    def job():
        takes(makes())

    calls.clear()
    result = job.execute_in_process()
    return result.output_for_node("takes"), list(calls)


def case_load_only():
    manager = Memory()
    manager.kept[("first",)] = 41
    result = dg.materialize([first, second], resources={"memory": manager}, selection=[second])
    return result, manager.kept[("deep", "second")]


def case_source_asset():
    manager = Memory()
    manager.kept[("outside",)] = 10

    @dg.asset
    def reads(outside):
        return outside + 1

    result = dg.materialize(
        [reads, dg.AssetSpec("outside").with_io_manager_key("memory")], resources={"memory": manager}, selection=[reads]
    )
    return result.asset_value("reads")


def case_configurable():
    class Folder(dg.ConfigurableIOManager):
        prefix: str = "p"

        def handle_output(self, context, obj):
            calls.append(("store", self.prefix, context.asset_key.path))

        def load_input(self, context):
            calls.append(("load", self.prefix, context.asset_key.path))
            return 5

    @dg.asset
    def up():
        return 1

    @dg.asset
    def down(up):
        return up

    calls.clear()
    result = dg.materialize([up, down], resources={"io_manager": Folder(prefix="q")})
    return result, list(calls)


def case_factory():
    class Factory(dg.ConfigurableIOManagerFactory):
        size: int

        def create_io_manager(self, context):
            calls.append(("made", self.size))
            return Memory()

    @dg.asset
    def up():
        return 1

    calls.clear()
    return dg.materialize([up], resources={"io_manager": Factory(size=3)}).success, list(calls)


def case_none_is_not_stored():
    @dg.asset(io_manager_key="memory")
    def nothing() -> None:
        return None

    @dg.asset(io_manager_key="memory")
    def untyped():
        return None

    calls.clear()
    dg.materialize([nothing, untyped], resources={"memory": Memory()})
    return list(calls)


def case_input_manager():
    @dg.input_manager
    def fixed(context):
        return 99

    @dg.op
    def makes():
        return 1

    @dg.op(ins={"value": dg.In(input_manager_key="fixed")})
    def takes(value):
        return value

    @dg.job(resource_defs={"fixed": fixed})
    def job():
        takes(makes())

    return job.execute_in_process().output_for_node("takes")


def case_asset_in_manager():
    class Special(Memory):
        def load_input(self, context):
            return "special", dict(context.definition_metadata)

    @dg.asset(ins={"first": dg.AssetIn(input_manager_key="special", metadata={"columns": ["a"]})})
    def third(first):
        return first

    return dg.materialize([first, third], resources={"memory": Memory(), "special": Special()}).asset_value("third")


def case_fails():
    class Broken(dg.IOManager):
        def handle_output(self, context, obj):
            raise OSError("full")

        def load_input(self, context):
            return 1

    @dg.asset
    def up():
        return 1

    return dg.materialize([up], resources={"io_manager": Broken()}, raise_on_error=False)


def case_built_contexts():
    manager = Memory()
    manager.handle_output(dg.build_output_context(asset_key=dg.AssetKey("k"), definition_metadata={"a": 1}), 7)
    return manager.load_input(
        dg.build_input_context(name="k", asset_key=dg.AssetKey("k"), upstream_output=dg.build_output_context(asset_key=dg.AssetKey("k")))
    )
