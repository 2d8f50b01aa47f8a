"""Automation conditions, evaluated by hand on an instance in memory."""

import dagster as dg

C = dg.AutomationCondition


@dg.asset
def source():
    return 1


@dg.asset(automation_condition=C.eager())
def eager(source):
    return 2


@dg.asset(automation_condition=C.missing())
def missing():
    return 3


def asked(defs, instance, cursor=None):
    result = dg.evaluate_automation_conditions(defs=defs, instance=instance, cursor=cursor)
    return result, sorted(e.key.to_user_string() for e in result.results if result.get_num_requested(e.key))


def case_missing():
    with dg.DagsterInstance.ephemeral() as instance:
        _, first = asked(dg.Definitions(assets=[missing]), instance)
        dg.materialize([missing], instance=instance)
        _, second = asked(dg.Definitions(assets=[missing]), instance)
        return first, second


def case_eager():
    defs = dg.Definitions(assets=[source, eager])
    with dg.DagsterInstance.ephemeral() as instance:
        result, first = asked(defs, instance)
        dg.materialize([source], instance=instance)
        result, second = asked(defs, instance, result.cursor)
        dg.materialize([eager, source], selection=[eager], instance=instance)
        result, third = asked(defs, instance, result.cursor)
        dg.materialize([source], instance=instance)
        result, fourth = asked(defs, instance, result.cursor)
        return first, second, third, fourth


def case_labels():
    return [
        C.eager().get_label() is not None,
        C.on_cron("@daily").get_label() is not None,
        (C.missing() & ~C.in_progress()).with_label("mine").get_label(),
    ]


def case_partitioned():
    days = dg.StaticPartitionsDefinition(["a", "b"])

    @dg.asset(partitions_def=days, automation_condition=C.missing())
    def parted(): ...

    defs = dg.Definitions(assets=[parted])
    with dg.DagsterInstance.ephemeral() as instance:
        first = dg.evaluate_automation_conditions(defs=defs, instance=instance).total_requested
        dg.materialize([parted], partition_key="a", instance=instance)
        second = dg.evaluate_automation_conditions(defs=defs, instance=instance).total_requested
        return first, second
