"""Decisions: facts in, decision out. Pure functions over `model`; no IO, no clock."""
