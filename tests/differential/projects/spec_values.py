"""What a function of several specs may give back."""

import dagster as dg


def ran(fn, **options):
    made = dg.multi_asset(specs=[dg.AssetSpec("p"), dg.AssetSpec("q", deps=["p"])], **options)(fn)

    @dg.asset(deps=["q"])
    def after(): ...

    return dg.materialize([made, after], raise_on_error=False)


def case_nothing():
    def made(): ...

    return ran(made)


def case_nothing_said():
    def made() -> None: ...

    return ran(made)


def case_tuple_of_values():
    def made():
        return 1, 2

    return ran(made)


def case_outputs():
    def made():
        yield dg.Output(1, "p")
        yield dg.Output(2, "q")

    return ran(made)


def case_outputs_of_none():
    def made():
        yield dg.Output(None, "p")
        yield dg.Output(None, "q", metadata={"a": 1})

    return ran(made)


def case_results_with_values():
    def made():
        yield dg.MaterializeResult(asset_key="p", value=1)
        yield dg.MaterializeResult(asset_key="q", value=2)

    return ran(made)


def case_list_of_results():
    def made():
        return [dg.MaterializeResult(asset_key="p"), dg.MaterializeResult(asset_key="q", metadata={"a": 1})]

    return ran(made)


def case_tuple_of_results():
    def made():
        return dg.MaterializeResult(asset_key="p"), dg.MaterializeResult(asset_key="q")

    return ran(made)


def case_part_of_results():
    def made():
        return [dg.MaterializeResult(asset_key="q")]

    return ran(made)


def case_one_result():
    def made():
        return dg.MaterializeResult(asset_key="q")

    return ran(made)


def case_subset_says_nothing():
    def made(): ...

    return ran(made, can_subset=True)


def case_one_spec():
    @dg.multi_asset(specs=[dg.AssetSpec("p")])
    def made():
        return None

    @dg.multi_asset(specs=[dg.AssetSpec("v")])
    def valued():
        return 3

    return dg.materialize([made]), dg.materialize([valued], raise_on_error=False)
