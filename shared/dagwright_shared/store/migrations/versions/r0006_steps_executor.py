"""Steps know their executor and their group."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("steps", sa.Column("executor", sa.Text, comment="where it is not the run's"))
    op.add_column("steps", sa.Column("step_group", sa.Text))
