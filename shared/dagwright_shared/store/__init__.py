"""Postgres: query functions by noun. The first argument of each is a Connection; none opens its own transaction."""
