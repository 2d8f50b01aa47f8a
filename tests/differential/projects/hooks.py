"""Functions that run after steps."""

import dagster as dg

seen = []


@dg.success_hook
def glad(context: dg.HookContext):
    seen.append(("glad", context.op.name, context.step_key, context.hook_def.name))


@dg.failure_hook(name="renamed")
def sad(context: dg.HookContext):
    seen.append(("sad", context.op.name, type(context.op_exception).__name__))


@dg.success_hook(required_resource_keys={"bell"})
def rings(context):
    seen.append(("rings", context.resources.bell))


@dg.op
def works():
    return 1


@dg.op
def breaks():
    raise ValueError("x")


def case_on_job():
    @glad
    @sad
    @dg.job
    def job():
        works()
        breaks()

    seen.clear()
    return job.execute_in_process(raise_on_error=False), sorted(seen)


def case_on_job_argument():
    @dg.job(hooks={glad})
    def job():
        works()

    seen.clear()
    return job.execute_in_process().success, list(seen)


def case_on_op():
    @dg.job
    def job():
        works.with_hooks({glad})()
        works.alias("second")()

    seen.clear()
    return job.execute_in_process().success, list(seen)


def case_resource():
    @dg.job(resource_defs={"bell": dg.ResourceDefinition.hardcoded_resource("ding")}, hooks={rings})
    def job():
        works()

    seen.clear()
    return job.execute_in_process().success, list(seen)


def case_failing_hook():
    @dg.success_hook
    def broken(context):
        raise RuntimeError("hook")

    @dg.job(hooks={broken})
    def job():
        works()

    return job.execute_in_process(raise_on_error=False)


def case_outputs():
    found = []

    @dg.success_hook
    def looks(context):
        found.append(dict(context.op_output_values))

    @dg.job(hooks={looks})
    def job():
        works()

    job.execute_in_process()
    return found


def case_asset_job():
    @dg.asset
    def made():
        return 1

    seen.clear()
    job = dg.define_asset_job("j", selection=[made], hooks={glad})
    dg.Definitions(assets=[made], jobs=[job]).resolve_job_def("j").execute_in_process()
    return list(seen)


def case_built_context():
    seen.clear()
    glad(dg.build_hook_context(op=works)) if False else rings(dg.build_hook_context(resources={"bell": "dong"}, op=works))
    return list(seen)
