"""`dagwright migrate`: rewrites the imports of a Dagster project and lists what needs a person."""
