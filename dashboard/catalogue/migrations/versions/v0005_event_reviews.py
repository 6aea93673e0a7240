"""The review that a burst's event repeats; empty in rows that were written before."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("bursts", sa.Column("event_review_id", sa.String(), nullable=True))
    for name, table, column in (
        ("ix_bursts_event_review_id", "bursts", "event_review_id"),
        ("ix_reviews_supersedes", "reviews", "supersedes"),
    ):
        named = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, table, [column], unique=False, sqlite_where=named, postgresql_where=named)
