"""Create everything."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # One string, so that an empty database is ready after one round trip.
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text())
