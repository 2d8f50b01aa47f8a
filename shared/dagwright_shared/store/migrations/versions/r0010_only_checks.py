"""Runs can say that they evaluate certain checks and no others, also none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "of the checks, those named and no others"
    op.add_column("runs", sa.Column("only_checks", sa.Boolean, nullable=False, server_default=sa.text("false"), comment=comment))
