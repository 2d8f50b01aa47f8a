"""The code server: a parent that serves gRPC and commits events, a template child with user code, and their forks.

Invariant: the parent never imports user code, and nothing below it touches the database.
"""
