"""Results of sound recordings, and the calls in them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "recordings",
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("recording_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("analysed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("time_origin", sa.String(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("sample_rate_hz", sa.BigInteger(), nullable=True),
        sa.Column("channels", sa.BigInteger(), nullable=True),
        sa.Column("windows", sa.BigInteger(), nullable=True),
        sa.Column("calls", sa.BigInteger(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("settings", sa.String(), nullable=True),
        sa.Column("warnings", JSON, nullable=False),
        sa.Column("rejection_reason", sa.String(), nullable=True),
        sa.Column("rejection_message", sa.Text(), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_recordings")),
    )
    op.create_index(op.f("ix_recordings_recording_id"), "recordings", ["recording_id"], unique=False)
    op.create_index(op.f("ix_recordings_bucket_key"), "recordings", ["bucket", "key"], unique=False)
    op.create_table(
        "sound_calls",
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("recording_id", sa.String(), nullable=False),
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("start_s", sa.Float(), nullable=True),
        sa.Column("end_s", sa.Float(), nullable=True),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("windows", sa.BigInteger(), nullable=True),
        sa.Column("category", sa.String(length=16), nullable=True),
        sa.Column("taxon", sa.String(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("rank", sa.String(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("certain", sa.Boolean(), nullable=True),
        sa.Column("spectrogram", JSON, nullable=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("label_set", sa.String(), nullable=False),
        sa.Column("settings", sa.String(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.String(), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_sound_calls")),
    )
    for columns in (
        ("recording_id", "start_s"),
        ("counted", "started_at", "call_id"),
        ("camera", "started_at", "call_id"),
        ("taxon", "started_at", "call_id"),
        ("counted", "taxon", "label", "camera"),
    ):
        op.create_index(op.f(f"ix_sound_calls_{'_'.join(columns)}"), "sound_calls", list(columns), unique=False)
