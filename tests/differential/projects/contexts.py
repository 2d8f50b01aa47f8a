"""What a context tells inside a run."""

import dagster as dg


def case_asset():
    seen = {}

    @dg.asset(key_prefix="p", group_name="g", metadata={"m": 1}, op_tags={"o": "t"})
    def looks(context: dg.AssetExecutionContext):
        seen.update(
            key=context.asset_key,
            selected=context.selected_asset_keys,
            outputs=context.selected_output_names,
            job=context.job_name,
            run=context.run.run_id == context.run_id,
            retry=context.retry_number,
            config=context.op_config,
            partitioned=context.has_partition_key,
            op=context.op_def.name,
            handle=str(context.op_handle),
            specs=[s.key for s in context.assets_def.specs],
            tags={k: v for k, v in context.run.tags.items() if not k.startswith((".", "dagster/"))},
            same=dg.AssetExecutionContext.get() is context,
            of_output=context.asset_key_for_output(),
            inner=context.op_execution_context.op_def.name,
        )
        return 1

    dg.materialize([looks], tags={"a": "b"})
    return seen


def case_op():
    seen = {}

    @dg.op(tags={"x": "y"})
    def looks(context: dg.OpExecutionContext):
        seen.update(
            job=context.job_name,
            op=context.op.name,
            config=context.op_config,
            tag=context.get_tag("a"),
            has=context.has_tag("zzz"),
            handle=str(context.op_handle),
        )

    @dg.job
    def watching():
        looks.alias("other")()

    watching.execute_in_process(tags={"a": "b"})
    return seen


def case_output_metadata_twice():
    @dg.asset
    def adds(context: dg.AssetExecutionContext):
        context.add_output_metadata({"a": 1})
        context.add_output_metadata({"b": 2})
        return dg.Output(1, metadata={"c": 3})

    return dg.materialize([adds])


def case_asset_metadata():
    @dg.asset
    def adds(context: dg.AssetExecutionContext):
        context.add_asset_metadata({"a": 1})
        return 1

    return dg.materialize([adds])


def case_no_partition():
    @dg.asset
    def asks(context: dg.AssetExecutionContext):
        return context.partition_key

    return dg.materialize([asks], raise_on_error=False)


def case_log():
    @dg.asset
    def logs(context: dg.AssetExecutionContext):
        context.log.info("a %s", "b")
        context.log.warning("w")
        dg.get_dagster_logger().info("module")
        return 1

    return dg.materialize([logs])


def case_multi_context():
    seen = {}

    @dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut(key=["deep", "b"])})
    def two(context: dg.AssetExecutionContext):
        context.add_output_metadata({"n": 1}, output_name="a")
        seen.update(
            b=context.asset_key_for_output("b"),
            out=context.output_for_asset_key(dg.AssetKey(["deep", "b"])),
            names=context.selected_output_names,
        )
        return 1, 2

    return dg.materialize([two]), seen
