"""What people did about alerts, the revisions of alerts, and the number of the last change of each."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("alerts", sa.Column("rule", sa.String(), nullable=True))
    op.add_column("alerts", sa.Column("change", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_alerts_change"), "alerts", ["change"], unique=False)
    op.create_table(
        "alert_revisions",
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "revision", name=op.f("pk_alert_revisions")),
    )
    op.create_table(
        "alert_handlings",
        sa.Column("handling_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("alert_id", sa.String(), nullable=True),
        sa.Column("alert_revision", sa.Integer(), nullable=True),
        sa.Column("rule", sa.String(), nullable=True),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("handling_id", name=op.f("pk_alert_handlings")),
    )
    op.create_index(op.f("ix_alert_handlings_alert_id"), "alert_handlings", ["alert_id"], unique=False)
    op.create_table(
        "alert_acknowledgements",
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("handling_id", sa.String(), nullable=False),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.Column("alert_revision", sa.Integer(), nullable=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert_acknowledgements")),
    )
    op.create_index(op.f("ix_alert_acknowledgements_change"), "alert_acknowledgements", ["change"], unique=False)
    op.create_table(
        "alert_mutes",
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("handling_id", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("rule", "camera", name=op.f("pk_alert_mutes")),
    )
    op.create_index(op.f("ix_alert_mutes_change"), "alert_mutes", ["change"], unique=False)
    _name_rules()


def _name_rules() -> None:
    """Set the rule of the alerts that are there, which only their content names."""
    connection = op.get_bind()
    known = connection.execute(sa.text("SELECT alert_id, content FROM alerts")).all()
    rules = [
        {"alert_id": alert, "rule": (json.loads(content) if isinstance(content, str) else content).get("rule")}
        for alert, content in known
    ]
    if rules:
        connection.execute(sa.text("UPDATE alerts SET rule = :rule WHERE alert_id = :alert_id"), rules)
