"""The smallest job: one op that does nothing."""

import dagwright as dg


@dg.op
def nothing():
    pass


@dg.job
def one_op():
    nothing()


defs = dg.Definitions(jobs=[one_op])
