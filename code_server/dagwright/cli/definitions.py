"""`definitions validate`: does this file or module load, and what is in it?"""

from __future__ import annotations

import click


@click.group()
def definitions() -> None:
    """Check definitions without running anything."""
