"""Who a burst may show, and what people decided about individuals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "individual_sightings",
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("taxon", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("information", sa.Float(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("burst_id", name=op.f("pk_individual_sightings")),
    )
    op.create_index(
        op.f("ix_individual_sightings_status_information"),
        "individual_sightings",
        ["status", "information"],
        unique=False,
    )
    op.create_table(
        "individual_decisions",
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("individual_id", sa.String(), nullable=True),
        sa.Column("other_id", sa.String(), nullable=True),
        sa.Column("burst_id", sa.String(), nullable=True),
        sa.Column("station", sa.String(), nullable=True),
        sa.Column("camera", sa.String(), nullable=True),
        sa.Column("undoes", sa.String(), nullable=True),
        sa.Column("content", JSON, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_individual_decisions")),
    )
    op.create_index(op.f("ix_individual_decisions_change"), "individual_decisions", ["change"], unique=False)
