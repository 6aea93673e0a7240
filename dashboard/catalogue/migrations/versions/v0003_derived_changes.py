"""Changes of gaps and removals by number, and when the catalogue was created: for copies of columns in memory."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "derived_changes",
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("burst_id", name=op.f("pk_derived_changes")),
    )
    op.create_index(op.f("ix_derived_changes_change_burst_id"), "derived_changes", ["change", "burst_id"], unique=False)
    counters = sa.table("counters", sa.column("name", sa.String()), sa.column("value", sa.BigInteger()))
    op.execute(counters.insert().values(name="created", value=int(1000 * time.time())))
