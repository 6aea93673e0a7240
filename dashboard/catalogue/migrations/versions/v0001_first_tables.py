"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("burst_id", sa.String(), nullable=True),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_raised_at"), "alerts", ["raised_at"], unique=False)
    op.create_table(
        "burst_flags",
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("flag", sa.String(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("burst_id", "flag", "source", name=op.f("pk_burst_flags")),
    )
    op.create_index(op.f("ix_burst_flags_flag_burst_id"), "burst_flags", ["flag", "burst_id"], unique=False)
    op.create_table(
        "burst_frames",
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("image_id", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("captured_at", sa.DateTime(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("joined", sa.String(length=16), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=True),
        sa.Column("animal_probability", sa.Float(), nullable=True),
        sa.Column("deciding", sa.Boolean(), nullable=False),
        sa.Column("top_label", sa.String(), nullable=True),
        sa.Column("top_taxon", sa.String(), nullable=True),
        sa.Column("top_score", sa.Float(), nullable=True),
        sa.Column("box", JSON, nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("boxes", JSON, nullable=True),
        sa.Column("rejection_reason", sa.String(), nullable=True),
        sa.Column("rejection_message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("burst_id", "number", name=op.f("pk_burst_frames")),
    )
    op.create_index(op.f("ix_burst_frames_image_id"), "burst_frames", ["image_id"], unique=False)
    op.create_table(
        "burst_months",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("taxon", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reviewed", sa.Boolean(), nullable=False),
        sa.Column("bursts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "month", "camera", "category", "taxon", "status", "reviewed", name=op.f("pk_burst_months")
        ),
    )
    op.create_table(
        "burst_revisions",
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=True),
        sa.Column("taxon", sa.String(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("rank", sa.String(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("animal_probability", sa.Float(), nullable=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("models", JSON, nullable=False),
        sa.Column("fusion", sa.String(), nullable=True),
        sa.Column("settings", sa.String(), nullable=False),
        sa.Column("closed_by", sa.String(length=16), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_by", sa.String(), nullable=True),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("flags", JSON, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("burst_id", "revision", name=op.f("pk_burst_revisions")),
    )
    op.create_table(
        "bursts",
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=False),
        sa.Column("minute", sa.SmallInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=False),
        sa.Column("expected_frames", sa.BigInteger(), nullable=True),
        sa.Column("unreadable", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=True),
        sa.Column("taxon", sa.String(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("rank", sa.String(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("reviewed", sa.Boolean(), nullable=False),
        sa.Column("review_id", sa.String(), nullable=True),
        sa.Column("reviewer", sa.String(), nullable=True),
        sa.Column("model_category", sa.String(length=16), nullable=True),
        sa.Column("model_taxon", sa.String(), nullable=True),
        sa.Column("model_label", sa.String(), nullable=True),
        sa.Column("model_rank", sa.String(), nullable=True),
        sa.Column("model_count", sa.BigInteger(), nullable=True),
        sa.Column("model_confidence", sa.Float(), nullable=True),
        sa.Column("animal_probability", sa.Float(), nullable=True),
        sa.Column("taxon_score", sa.Float(), nullable=True),
        sa.Column("taxon_confidence", sa.Float(), nullable=True),
        sa.Column("certain", sa.Boolean(), nullable=False),
        sa.Column("focus", sa.Boolean(), nullable=False),
        sa.Column("uncertainty", sa.Float(), nullable=False),
        sa.Column("best_crop", JSON, nullable=True),
        sa.Column("crops_withheld", sa.Boolean(), nullable=True),
        sa.Column("fusion", sa.String(), nullable=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("models", JSON, nullable=False),
        sa.Column("settings", sa.String(), nullable=False),
        sa.Column("closed_by", sa.String(length=16), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_by", sa.String(), nullable=True),
        sa.Column("supersedes", JSON, nullable=False),
        sa.Column("split_from", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("deployment_id", sa.String(), nullable=True),
        sa.Column("reached_at", sa.DateTime(), nullable=True),
        sa.Column("gap_s", sa.Float(), nullable=True),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("burst_id", name=op.f("pk_bursts")),
    )
    op.create_index(
        "ix_bursts_by_taxon",
        "bursts",
        ["taxon", "started_at", "burst_id", "camera", "category", "status", "reviewed", "minute", "confidence"],
        unique=False,
    )
    op.create_index(
        "ix_bursts_by_time",
        "bursts",
        ["started_at", "burst_id", "camera", "category", "status", "reviewed", "minute", "confidence", "taxon"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bursts_camera_started_at_burst_id"), "bursts", ["camera", "started_at", "burst_id"], unique=False
    )
    op.create_index(
        op.f("ix_bursts_camera_subject_started_at_burst_id"),
        "bursts",
        ["camera", "subject", "started_at", "burst_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bursts_category_started_at_burst_id"), "bursts", ["category", "started_at", "burst_id"], unique=False
    )
    op.create_index(op.f("ix_bursts_change_burst_id"), "bursts", ["change", "burst_id"], unique=False)
    op.create_index(
        "ix_bursts_facets",
        "bursts",
        ["camera", "category", "taxon", "status", "reviewed", "started_at", "minute", "confidence"],
        unique=False,
    )
    op.create_index(
        "ix_bursts_flagged",
        "bursts",
        ["taxon", "started_at", "burst_id", "camera", "category", "status", "reviewed", "minute", "confidence"],
        unique=False,
        sqlite_where=sa.text("flagged"),
        postgresql_where=sa.text("flagged"),
    )
    op.create_index(op.f("ix_bursts_uncertainty_burst_id"), "bursts", ["uncertainty", "burst_id"], unique=False)
    op.create_index(op.f("ix_bursts_updated_at_burst_id"), "bursts", ["updated_at", "burst_id"], unique=False)
    op.create_table(
        "camera_clocks",
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.Column("offset_s", sa.Float(), nullable=True),
        sa.Column("last_capture", sa.DateTime(), nullable=True),
        sa.Column("last_upload", sa.DateTime(timezone=True), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("camera", name=op.f("pk_camera_clocks")),
    )
    op.create_table(
        "camera_days",
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("captures", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("first_captured_at", sa.DateTime(), nullable=False),
        sa.Column("last_captured_at", sa.DateTime(), nullable=False),
        sa.Column("last_uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("temperature_min_c", sa.Float(), nullable=True),
        sa.Column("temperature_max_c", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("camera", "day", name=op.f("pk_camera_days")),
    )
    op.create_index(op.f("ix_camera_days_day"), "camera_days", ["day"], unique=False)
    op.create_table(
        "cameras",
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("camera", name=op.f("pk_cameras")),
    )
    op.create_table(
        "captures",
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("image_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("captured_at", sa.DateTime(), nullable=True),
        sa.Column("captured_on", sa.Date(), nullable=True),
        sa.Column("time_source", sa.String(length=16), nullable=True),
        sa.Column("time_origin", sa.String(), nullable=True),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=True),
        sa.Column("trigger", sa.String(length=16), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("sequence_length", sa.BigInteger(), nullable=True),
        sa.Column("event_number", sa.BigInteger(), nullable=True),
        sa.Column("make", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("infrared", sa.Boolean(), nullable=True),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("warnings", JSON, nullable=True),
        sa.Column("classifier", sa.String(), nullable=True),
        sa.Column("label_set", sa.String(), nullable=True),
        sa.Column("top_label", sa.String(), nullable=True),
        sa.Column("top_taxon", sa.String(), nullable=True),
        sa.Column("top_score", sa.Float(), nullable=True),
        sa.Column("detector", sa.String(), nullable=True),
        sa.Column("detector_categories", JSON, nullable=True),
        sa.Column("rejection_reason", sa.String(), nullable=True),
        sa.Column("rejection_message", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_captures")),
    )
    op.create_index(op.f("ix_captures_camera_captured_on"), "captures", ["camera", "captured_on"], unique=False)
    op.create_index(op.f("ix_captures_camera_uploaded_at"), "captures", ["camera", "uploaded_at"], unique=False)
    op.create_index(op.f("ix_captures_image_id"), "captures", ["image_id"], unique=False)
    op.create_index(op.f("ix_captures_state_uploaded_at"), "captures", ["state", "uploaded_at"], unique=False)
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "crops",
        sa.Column("crop_id", sa.String(), nullable=False),
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("image_id", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("pixel_width", sa.BigInteger(), nullable=True),
        sa.Column("pixel_height", sa.BigInteger(), nullable=True),
        sa.Column("x", sa.Float(), nullable=False),
        sa.Column("y", sa.Float(), nullable=False),
        sa.Column("width", sa.Float(), nullable=False),
        sa.Column("height", sa.Float(), nullable=False),
        sa.Column("crop_box", JSON, nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("captured_at", sa.DateTime(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("crop_id", name=op.f("pk_crops")),
    )
    op.create_index(op.f("ix_crops_burst_id"), "crops", ["burst_id"], unique=False)
    op.create_index(op.f("ix_crops_image_id"), "crops", ["image_id"], unique=False)
    op.create_table(
        "deployments",
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("deployment_id", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("coordinate_uncertainty_m", sa.Float(), nullable=True),
        sa.Column("sensitivity", sa.String(length=16), nullable=False),
        sa.Column("capture_method", sa.String(length=16), nullable=True),
        sa.Column("burst_gap_s", sa.Float(), nullable=True),
        sa.Column("burst_idle_s", sa.Float(), nullable=True),
        sa.Column("burst_lateness_s", sa.Float(), nullable=True),
        sa.Column("event_gap_s", sa.Float(), nullable=True),
        sa.Column("independence_gap_s", sa.Float(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("camera", "deployment_id", name=op.f("pk_deployments")),
    )
    op.create_table(
        "detections",
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("x", sa.Float(), nullable=False),
        sa.Column("y", sa.Float(), nullable=False),
        sa.Column("width", sa.Float(), nullable=False),
        sa.Column("height", sa.Float(), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_detections")),
    )
    op.create_table(
        "explanation_requests",
        sa.Column("explanation_id", sa.String(), nullable=False),
        sa.Column("image_id", sa.String(), nullable=False),
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("class_index", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("explanation_id", name=op.f("pk_explanation_requests")),
    )
    op.create_index(op.f("ix_explanation_requests_image_id"), "explanation_requests", ["image_id"], unique=False)
    op.create_table(
        "explanations",
        sa.Column("explanation_id", sa.String(), nullable=False),
        sa.Column("image_id", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("label_set", sa.String(), nullable=True),
        sa.Column("class_index", sa.BigInteger(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("taxon", sa.String(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("bucket", sa.String(), nullable=True),
        sa.Column("heat_map_key", sa.String(), nullable=True),
        sa.Column("weights_key", sa.String(), nullable=True),
        sa.Column("r2", sa.Float(), nullable=True),
        sa.Column("superpixels", sa.BigInteger(), nullable=True),
        sa.Column("samples", sa.BigInteger(), nullable=True),
        sa.Column("boxes", JSON, nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("explained_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rejection_reason", sa.String(), nullable=True),
        sa.Column("rejection_message", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("explanation_id", name=op.f("pk_explanations")),
    )
    op.create_index(op.f("ix_explanations_image_id"), "explanations", ["image_id"], unique=False)
    op.create_table(
        "log_partitions",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("topic_id", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_log_partitions")),
    )
    op.create_table(
        "observations",
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=True),
        sa.Column("taxon", sa.String(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("rank", sa.String(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("certain", sa.Boolean(), nullable=True),
        sa.Column("focus", sa.Boolean(), nullable=True),
        sa.Column("observed_by", sa.String(), nullable=True),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_id", sa.String(), nullable=True),
        sa.Column("boxes", JSON, nullable=True),
        sa.PrimaryKeyConstraint("burst_id", "source", "number", name=op.f("pk_observations")),
    )
    op.create_index(op.f("ix_observations_taxon"), "observations", ["taxon"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("review_id", sa.String(), nullable=False),
        sa.Column("burst_id", sa.String(), nullable=False),
        sa.Column("burst_revision", sa.BigInteger(), nullable=True),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("observations", JSON, nullable=False),
        sa.Column("rejected_boxes", JSON, nullable=False),
        sa.Column("images", JSON, nullable=False),
        sa.Column("marks", JSON, nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("supersedes", sa.String(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_reviews")),
    )
    op.create_index(op.f("ix_reviews_burst_id"), "reviews", ["burst_id"], unique=False)
    op.create_index(op.f("ix_reviews_reviewer_reviewed_at"), "reviews", ["reviewer", "reviewed_at"], unique=False)
    op.create_table(
        "skipped_events",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "generation", "offset", name=op.f("pk_skipped_events")),
    )
    op.create_table(
        "static_objects",
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("objects", JSON, nullable=False),
        sa.Column("bursts", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("camera", name=op.f("pk_static_objects")),
    )
    op.create_table(
        "taxa",
        sa.Column("taxon", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("rank", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("taxon", "label", "rank", name=op.f("pk_taxa")),
    )
