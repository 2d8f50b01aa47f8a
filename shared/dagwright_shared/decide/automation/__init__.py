"""Declarative automation: which partitions of which assets are to be requested at a moment, and why.

`evaluation.evaluate` is the way in. It knows the assets by `graph`, what happened to them by `facts`, what the evaluation before
left behind by `cursor`, and answers with a tree of `result.Result` for each asset.
"""
