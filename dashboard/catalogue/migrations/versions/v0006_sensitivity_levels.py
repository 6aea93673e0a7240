"""Levels of sensitivity by the scale of GBIF; the words of before meant coarser positions."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply the change."""
    # In this order: no row is changed twice.
    for former, level in (("high", "extreme"), ("medium", "high"), ("low", "medium")):
        op.execute(f"UPDATE deployments SET sensitivity = '{level}' WHERE sensitivity = '{former}'")
