"""What cellular cameras report of their battery, signal, card and temperature."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "camera_status",
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("quantity", sa.String(length=16), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("percent", sa.Float(), nullable=True),
        sa.Column("bars", sa.Integer(), nullable=True),
        sa.Column("bars_of", sa.Integer(), nullable=True),
        sa.Column("volts", sa.Float(), nullable=True),
        sa.Column("dbm", sa.Float(), nullable=True),
        sa.Column("free_mb", sa.Float(), nullable=True),
        sa.Column("total_mb", sa.Float(), nullable=True),
        sa.Column("photographs", sa.BigInteger(), nullable=True),
        sa.Column("celsius", sa.Float(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("camera", "quantity", name=op.f("pk_camera_status")),
    )
