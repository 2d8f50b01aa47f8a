"""Backfills know all code locations that define a part of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "all that define a part of it: who may not see one does not see it"
    op.add_column("backfills", sa.Column("locations", ARRAY(sa.Text), comment=comment))
    op.execute("UPDATE backfills SET locations = ARRAY[location]")
    op.alter_column("backfills", "locations", nullable=False)
