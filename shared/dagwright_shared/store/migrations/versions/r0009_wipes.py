"""A partition remembers when it was wiped: what happened before is no longer part of its history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "asset_partitions", sa.Column("wiped_at", sa.DateTime(timezone=True), comment="events up to then are no longer its history")
    )
