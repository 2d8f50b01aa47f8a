"""`python -m dagwright.cli` is `dagwright`."""

from __future__ import annotations

from dagwright.cli import main

main()
