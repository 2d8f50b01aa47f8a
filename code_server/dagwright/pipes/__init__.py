"""Pipes: a step starts a program, in any language, which reports assets, checks and log lines while it runs."""
