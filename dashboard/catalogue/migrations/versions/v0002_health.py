"""Battery voltages, and the contact intervals of deployments; empty in rows that were written before."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("captures", sa.Column("battery_v", sa.Float(), nullable=True))
    op.add_column("camera_days", sa.Column("battery_min_v", sa.Float(), nullable=True))
    op.add_column("deployments", sa.Column("contact_interval_s", sa.Float(), nullable=True))
