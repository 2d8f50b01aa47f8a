"""Flights out of New York in 2013, as assets in one DuckDB file."""
