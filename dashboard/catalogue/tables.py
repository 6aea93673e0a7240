"""The tables of the catalogue, for SQLite and PostgreSQL. `docs/catalogue.md` describes them column by column.

Every table that holds the state of a thing has a column `version`: the position in the log of the message that the row
was written from. A row is replaced only by one with a higher version, see `uncia.dashboard.catalogue.fold`. Rows of one
message in two tables (a burst and its frames) are written in one transaction; there are no foreign keys between things
of different topics, which arrive in any order.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

__all__ = [
    "ALL_MONTHS",
    "FLAGGED_INDEX",
    "METADATA",
    "UtcDateTime",
    "alert_acknowledgements",
    "alert_handlings",
    "alert_mutes",
    "alert_revisions",
    "alerts",
    "burst_flags",
    "burst_frames",
    "burst_months",
    "burst_revisions",
    "bursts",
    "camera_clocks",
    "camera_days",
    "camera_status",
    "cameras",
    "captures",
    "counters",
    "crops",
    "deployments",
    "derived_changes",
    "detections",
    "explanation_requests",
    "explanations",
    "fetch_requests",
    "individual_decisions",
    "individual_sightings",
    "log_partitions",
    "observations",
    "recordings",
    "reviews",
    "skipped_events",
    "sound_calls",
    "static_objects",
    "taxa",
]


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC: `timestamptz` in PostgreSQL, text without an offset in SQLite, which has no such type."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """With a time zone where the database has one."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC. Raises `ValueError` for a time without an offset."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no UTC offset")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """A time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_LOCAL = DateTime()
"""A time by a camera's clock, without an offset."""


def _version() -> Column[int]:
    return Column("version", BigInteger, nullable=False)


def _box(prefix: str = "") -> tuple[Column[float], ...]:
    """Position and size of a box, as shares of the photograph's width and height."""
    return tuple(Column(f"{prefix}{name}", Float, nullable=False) for name in ("x", "y", "width", "height"))


captures = Table(
    "captures",
    METADATA,
    Column("upload_id", String, primary_key=True),
    Column("image_id", String),
    Column("state", String(16), nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Column("etag", String, nullable=False),
    Column("version_id", String),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String),
    Column("lane", String(16), nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("predicted_at", UtcDateTime),
    Column("captured_at", _LOCAL),
    Column("captured_on", Date),
    Column("time_source", String(16)),
    Column("time_origin", String),
    Column("utc_offset_minutes", Integer),
    Column("trigger", String(16)),
    Column("sequence", BigInteger),
    Column("sequence_length", BigInteger),
    Column("event_number", BigInteger),
    Column("make", Text),
    Column("model", Text),
    Column("serial", Text),
    Column("temperature_c", Float),
    Column("battery_v", Float),
    Column("infrared", Boolean),
    Column("width", BigInteger),
    Column("height", BigInteger),
    Column("warnings", _JSON),
    Column("classifier", String),
    Column("label_set", String),
    Column("top_label", String),
    Column("top_taxon", String),
    Column("top_score", Float),
    Column("detector", String),
    Column("detector_categories", _JSON),
    Column("rejection_reason", String),
    Column("rejection_message", Text),
    _version(),
    Index(None, "camera", "captured_on"),
    Index(None, "camera", "uploaded_at"),
    Index(None, "state", "uploaded_at"),
    Index(None, "image_id"),
)
"""Photographs: one row per upload. `state`: `uploaded` until a prediction or rejection arrives."""

detections = Table(
    "detections",
    METADATA,
    Column("upload_id", String, primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("category", String(16), nullable=False),
    Column("score", Float, nullable=False),
    *_box(),
    Column("embedding", LargeBinary),
)
"""Boxes of a photograph, best first, of the detector that its capture names. `embedding`: see `crop_embedding`."""

FLAGGED_INDEX = "ix_bursts_flagged"
"""Of the few bursts that have flags or marks."""

_FILTERED = ("camera", "category", "status", "reviewed", "minute", "confidence")

bursts = Table(
    "bursts",
    METADATA,
    Column("burst_id", String, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("started_at", _LOCAL, nullable=False),
    Column("ended_at", _LOCAL, nullable=False),
    Column("minute", SmallInteger, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("frame_count", Integer, nullable=False),
    Column("expected_frames", BigInteger),
    Column("unreadable", BigInteger, nullable=False),
    # What the burst shows: by the review where there is one, else by the model.
    Column("category", String(16)),
    Column("taxon", String),
    Column("label", String),
    Column("rank", String),
    Column("count", BigInteger),
    Column("confidence", Float),
    Column("reviewed", Boolean, nullable=False),
    Column("review_id", String),
    Column("reviewer", String),
    # The verdict of the models.
    Column("model_category", String(16)),
    Column("model_taxon", String),
    Column("model_label", String),
    Column("model_rank", String),
    Column("model_count", BigInteger),
    Column("model_confidence", Float),
    Column("animal_probability", Float),
    Column("taxon_score", Float),
    Column("taxon_confidence", Float),
    Column("certain", Boolean, nullable=False),
    Column("focus", Boolean, nullable=False),
    Column("uncertainty", Float, nullable=False),
    Column("best_crop", _JSON),
    Column("crops_withheld", Boolean),
    Column("fusion", String),
    Column("rule", String, nullable=False),
    Column("models", _JSON, nullable=False),
    Column("settings", String, nullable=False),
    Column("closed_by", String(16)),
    Column("closed_at", UtcDateTime),
    Column("superseded_by", String),
    Column("supersedes", _JSON, nullable=False),
    Column("split_from", String),
    # The review that the event repeats, which can be one of an earlier burst.
    Column("event_review_id", String),
    # Derived from other rows.
    Column("subject", String),
    Column("deployment_id", String),
    Column("reached_at", _LOCAL),
    Column("gap_s", Float),
    Column("flagged", Boolean, nullable=False),
    Column("change", BigInteger, nullable=False),
    _version(),
    # The columns after the id let a filter be checked without reading the row.
    Index("ix_bursts_by_time", "started_at", "burst_id", *_FILTERED, "taxon"),
    Index("ix_bursts_by_taxon", "taxon", "started_at", "burst_id", *_FILTERED),
    Index(
        FLAGGED_INDEX,
        "taxon",
        "started_at",
        "burst_id",
        *_FILTERED,
        sqlite_where=text("flagged"),
        postgresql_where=text("flagged"),
    ),
    Index(
        None,
        "event_review_id",
        sqlite_where=text("event_review_id IS NOT NULL"),
        postgresql_where=text("event_review_id IS NOT NULL"),
    ),
    Index(None, "updated_at", "burst_id"),
    Index(None, "change", "burst_id"),
    Index(None, "uncertainty", "burst_id"),
    Index(None, "camera", "started_at", "burst_id"),
    Index(None, "category", "started_at", "burst_id"),
    Index(None, "camera", "subject", "started_at", "burst_id"),
    Index(
        "ix_bursts_facets", "camera", "category", "taxon", "status", "reviewed", "started_at", "minute", "confidence"
    ),
)
"""The newest revision of each burst, superseded ones included.

`change` numbers the transactions that changed what a page shows of the burst: its row, its review or its crops. It
depends on when the worker read what, and is the one column that a rebuild does not reproduce.
"""

burst_months = Table(
    "burst_months",
    METADATA,
    Column("month", Date, primary_key=True),
    Column("camera", String, primary_key=True),
    Column("category", String(16), primary_key=True),
    Column("taxon", String, primary_key=True),
    Column("status", String(16), primary_key=True),
    Column("reviewed", Boolean, primary_key=True),
    Column("bursts", Integer, nullable=False),
)
"""How many bursts there are of each kind, by month and camera; empty text where a burst has no category or taxon.

The counts of filters would otherwise read every burst. The rows of the month `ALL_MONTHS` count those of all months.
"""

ALL_MONTHS = date(1, 1, 1)

burst_revisions = Table(
    "burst_revisions",
    METADATA,
    Column("burst_id", String, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    Column("frame_count", Integer, nullable=False),
    Column("category", String(16)),
    Column("taxon", String),
    Column("label", String),
    Column("rank", String),
    Column("count", BigInteger),
    Column("confidence", Float),
    Column("animal_probability", Float),
    Column("rule", String, nullable=False),
    Column("models", _JSON, nullable=False),
    Column("fusion", String),
    Column("settings", String, nullable=False),
    Column("closed_by", String(16)),
    Column("closed_at", UtcDateTime),
    Column("superseded_by", String),
    Column("changes", _JSON, nullable=False),
    Column("flags", _JSON, nullable=False),
    _version(),
)
"""Every revision that was read. Kafka compacts old ones away: a rebuild has fewer."""

burst_frames = Table(
    "burst_frames",
    METADATA,
    Column("burst_id", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("upload_id", String, nullable=False),
    Column("image_id", String, nullable=False),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Column("captured_at", _LOCAL, nullable=False),
    Column("sequence", BigInteger),
    Column("joined", String(16)),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("predicted_at", UtcDateTime, nullable=False),
    Column("category", String(16)),
    Column("animal_probability", Float),
    Column("deciding", Boolean, nullable=False),
    Column("top_label", String),
    Column("top_taxon", String),
    Column("top_score", Float),
    Column("box", _JSON),
    Column("score", Float),
    Column("boxes", _JSON),
    Column("rejection_reason", String),
    Column("rejection_message", Text),
    Index(None, "image_id"),
)
"""The frames of the newest revision, in order of capture. `boxes`: the burst's view, static objects marked."""

burst_flags = Table(
    "burst_flags",
    METADATA,
    Column("burst_id", String, primary_key=True),
    Column("flag", String, primary_key=True),
    Column("source", String(16), primary_key=True),
    Index(None, "flag", "burst_id"),
)
"""Flags of the newest revision (`source` is `model`) and marks of reviewers (`human`)."""

observations = Table(
    "observations",
    METADATA,
    Column("burst_id", String, primary_key=True),
    Column("source", String(16), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("category", String(16)),
    Column("taxon", String),
    Column("label", String),
    Column("rank", String),
    Column("count", BigInteger),
    Column("score", Float),
    Column("confidence", Float),
    Column("certain", Boolean),
    Column("focus", Boolean),
    Column("observed_by", String),
    Column("observed_at", UtcDateTime),
    Column("review_id", String),
    Column("boxes", _JSON),
    Index(None, "taxon"),
)
"""What is in a burst: by the models (`source` is `model`), and by the review that counts (`human`). The first row of
each source is the verdict."""

reviews = Table(
    "reviews",
    METADATA,
    Column("review_id", String, primary_key=True),
    Column("burst_id", String, nullable=False),
    Column("burst_revision", BigInteger),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("reviewer", String, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("observations", _JSON, nullable=False),
    Column("rejected_boxes", _JSON, nullable=False),
    Column("images", _JSON, nullable=False),
    Column("marks", _JSON),
    Column("comment", Text),
    Column("supersedes", String),
    Column("reviewed_at", UtcDateTime, nullable=False),
    _version(),
    Index(None, "burst_id"),
    Index(
        None,
        "supersedes",
        sqlite_where=text("supersedes IS NOT NULL"),
        postgresql_where=text("supersedes IS NOT NULL"),
    ),
    Index(None, "reviewer", "reviewed_at"),
)
"""Every decision of a reviewer, undone ones included."""

crops = Table(
    "crops",
    METADATA,
    Column("crop_id", String, primary_key=True),
    Column("burst_id", String, nullable=False),
    Column("image_id", String, nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Column("sha256", String),
    Column("size", BigInteger, nullable=False),
    Column("pixel_width", BigInteger),
    Column("pixel_height", BigInteger),
    *_box(),
    Column("crop_box", _JSON, nullable=False),
    Column("category", String(16), nullable=False),
    Column("score", Float, nullable=False),
    Column("captured_at", _LOCAL, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    Column("withdrawn", String),
    _version(),
    Index(None, "burst_id"),
    Index(None, "image_id"),
)
"""Crops; `withdrawn`: why the store does not hold it any more."""

explanation_requests = Table(
    "explanation_requests",
    METADATA,
    Column("explanation_id", String, primary_key=True),
    Column("image_id", String, nullable=False),
    Column("upload_id", String, nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("method", String(32), nullable=False),
    Column("class_index", BigInteger),
    Column("reason", String(32), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    _version(),
    Index(None, "image_id"),
)
"""Requests of explanations; pending where `explanations` has no row of the same id."""

explanations = Table(
    "explanations",
    METADATA,
    Column("explanation_id", String, primary_key=True),
    Column("image_id", String, nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("method", String(32), nullable=False),
    Column("model", String),
    Column("label_set", String),
    Column("class_index", BigInteger),
    Column("label", String),
    Column("taxon", String),
    Column("score", Float),
    Column("bucket", String),
    Column("heat_map_key", String),
    Column("weights_key", String),
    Column("r2", Float),
    Column("superpixels", BigInteger),
    Column("samples", BigInteger),
    Column("boxes", _JSON, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("explained_at", UtcDateTime, nullable=False),
    Column("rejection_reason", String),
    Column("rejection_message", Text),
    _version(),
    Index(None, "image_id"),
)
"""Explanations, or why there is none."""

fetch_requests = Table(
    "fetch_requests",
    METADATA,
    Column("fetch_id", String, primary_key=True),
    Column("image_id", String, nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("requested_by", String),
    Column("requested_at", UtcDateTime, nullable=False),
    _version(),
)
"""Requests of whole photographs; `fetch_id` names the thumbnail, and `image_id` is its image."""

recordings = Table(
    "recordings",
    METADATA,
    Column("upload_id", String, primary_key=True),
    Column("recording_id", String, nullable=False),
    Column("state", String(16), nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Column("etag", String, nullable=False),
    Column("version_id", String),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("analysed_at", UtcDateTime, nullable=False),
    Column("recorded_at", _LOCAL, nullable=False),
    Column("time_origin", String, nullable=False),
    Column("duration_s", Float),
    Column("sample_rate_hz", BigInteger),
    Column("channels", BigInteger),
    Column("windows", BigInteger),
    Column("calls", BigInteger),
    Column("model", String),
    Column("settings", String),
    Column("warnings", _JSON, nullable=False),
    Column("rejection_reason", String),
    Column("rejection_message", Text),
    # Derived from other rows.
    Column("counted", Boolean, nullable=False),
    _version(),
    Index(None, "recording_id"),
    Index(None, "bucket", "key"),
)
"""Results of sound recordings: one row per upload. `state`: `analysed`, `rejected` or `forgotten`; `counted`: it is the
latest upload of its key, and of copies under several keys the one that was analysed last."""

sound_calls = Table(
    "sound_calls",
    METADATA,
    Column("call_id", String, primary_key=True),
    Column("recording_id", String, nullable=False),
    Column("upload_id", String, nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("start_s", Float),
    Column("end_s", Float),
    Column("started_at", _LOCAL),
    Column("ended_at", _LOCAL),
    Column("windows", BigInteger),
    Column("category", String(16)),
    Column("taxon", String),
    Column("label", String),
    Column("rank", String),
    Column("score", Float),
    Column("confidence", Float),
    Column("threshold", Float),
    Column("certain", Boolean),
    Column("spectrogram", _JSON),
    Column("rule", String, nullable=False),
    Column("model", String, nullable=False),
    Column("label_set", String, nullable=False),
    Column("settings", String, nullable=False),
    Column("heard_at", UtcDateTime, nullable=False),
    Column("withdrawn", String),
    # Derived from other rows.
    Column("counted", Boolean, nullable=False),
    _version(),
    Index(None, "recording_id", "start_s"),
    Index(None, "counted", "started_at", "call_id"),
    Index(None, "camera", "started_at", "call_id"),
    Index(None, "taxon", "started_at", "call_id"),
    # With these columns the names are counted without reading the rows.
    Index(None, "counted", "taxon", "label", "camera"),
)
"""Calls in sound recordings. `counted`: of the model version and settings of its recording's result that counts.
`withdrawn`: its recording was forgotten; nothing of what was heard is left in the row."""

deployments = Table(
    "deployments",
    METADATA,
    Column("camera", String, primary_key=True),
    Column("deployment_id", String, primary_key=True),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
    Column("utc_offset_minutes", Integer, nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("coordinate_uncertainty_m", Float),
    Column("sensitivity", String(16), nullable=False),
    Column("capture_method", String(16)),
    Column("burst_gap_s", Float),
    Column("burst_idle_s", Float),
    Column("burst_lateness_s", Float),
    Column("event_gap_s", Float),
    Column("independence_gap_s", Float),
    Column("contact_interval_s", Float),
    _version(),
)
"""Deployments with their exact positions, which are secret."""

camera_clocks = Table(
    "camera_clocks",
    METADATA,
    Column("camera", String, primary_key=True),
    Column("verdict", String(16), nullable=False),
    Column("reasons", _JSON, nullable=False),
    Column("evidence", _JSON, nullable=False),
    Column("offset_s", Float),
    Column("last_capture", _LOCAL),
    Column("last_upload", UtcDateTime),
    Column("judged_at", UtcDateTime, nullable=False),
    _version(),
)
"""The last assessment of each camera's clock."""

camera_status = Table(
    "camera_status",
    METADATA,
    Column("camera", String, primary_key=True),
    Column("quantity", String(16), primary_key=True),
    Column("report_id", String, nullable=False),
    Column("reported_at", UtcDateTime, nullable=False),
    Column("profile", String, nullable=False),
    Column("percent", Float),
    Column("bars", Integer),
    Column("bars_of", Integer),
    Column("volts", Float),
    Column("dbm", Float),
    Column("free_mb", Float),
    Column("total_mb", Float),
    Column("photographs", BigInteger),
    Column("celsius", Float),
    _version(),
)
"""The newest report of each camera about each quantity: battery, signal, card, temperature. A row of its own for each,
because a mail with a photograph may state the battery alone."""

static_objects = Table(
    "static_objects",
    METADATA,
    Column("camera", String, primary_key=True),
    Column("objects", _JSON, nullable=False),
    Column("bursts", BigInteger, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    _version(),
)
"""The places of a camera where boxes count as background."""

cameras = Table(
    "cameras",
    METADATA,
    Column("camera", String, primary_key=True),
    Column("station", String, nullable=False),
)
"""Every camera of which something was read."""

camera_days = Table(
    "camera_days",
    METADATA,
    Column("camera", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("captures", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("first_captured_at", _LOCAL, nullable=False),
    Column("last_captured_at", _LOCAL, nullable=False),
    Column("last_uploaded_at", UtcDateTime, nullable=False),
    Column("temperature_min_c", Float),
    Column("temperature_max_c", Float),
    Column("battery_min_v", Float),
    Index(None, "day"),
)
"""What a camera captured by day (of its clock), derived from `captures`: effort, and gaps in it."""

taxa = Table(
    "taxa",
    METADATA,
    Column("taxon", String, primary_key=True),
    Column("label", String, primary_key=True),
    Column("rank", String, primary_key=True),
)
"""Every taxon that a burst was ever called, with the labels and ranks (empty: unknown) in its events."""

alerts = Table(
    "alerts",
    METADATA,
    Column("alert_id", String, primary_key=True),
    Column("burst_id", String),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("raised_at", UtcDateTime, nullable=False),
    Column("content", _JSON, nullable=False),
    _version(),
    Column("rule", String),
    Column("change", BigInteger),
    Index(None, "raised_at"),
    Index(None, "change"),
)
"""Alerts, by their last event. `kind`: the severity; `burst_id`: the first burst that matches, or did; `change`: number
of the transaction that wrote the row."""

alert_revisions = Table(
    "alert_revisions",
    METADATA,
    Column("alert_id", String, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("summary", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    _version(),
)
"""The revisions of alerts that were read: the topic is compacted, so that a rebuild may find fewer."""

alert_handlings = Table(
    "alert_handlings",
    METADATA,
    Column("handling_id", String, primary_key=True),
    Column("action", String(16), nullable=False),
    Column("alert_id", String),
    Column("alert_revision", Integer),
    Column("rule", String),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("until", UtcDateTime),
    Column("account", String, nullable=False),
    Column("note", Text),
    Column("handled_at", UtcDateTime, nullable=False),
    _version(),
    Index(None, "alert_id"),
)
"""Everything that people did about alerts."""

alert_acknowledgements = Table(
    "alert_acknowledgements",
    METADATA,
    Column("alert_id", String, primary_key=True),
    Column("handling_id", String, nullable=False),
    Column("acknowledged", Boolean, nullable=False),
    Column("alert_revision", Integer),
    Column("account", String, nullable=False),
    Column("note", Text),
    Column("handled_at", UtcDateTime, nullable=False),
    _version(),
    Column("change", BigInteger),
    Index(None, "change"),
)
"""Of each alert the last acknowledgement, or that it was taken back."""

alert_mutes = Table(
    "alert_mutes",
    METADATA,
    Column("rule", String, primary_key=True),
    Column("camera", String, primary_key=True),
    Column("handling_id", String, nullable=False),
    Column("station", String, nullable=False),
    Column("until", UtcDateTime),
    Column("account", String, nullable=False),
    Column("note", Text),
    Column("handled_at", UtcDateTime, nullable=False),
    _version(),
    Column("change", BigInteger),
    Index(None, "change"),
)
"""The last mute of a rule (empty: any) at a camera (empty: all); `until` NULL: it was taken back."""

individual_sightings = Table(
    "individual_sightings",
    METADATA,
    Column("burst_id", String, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("station", String, nullable=False),
    Column("camera", String, nullable=False),
    Column("started_at", _LOCAL, nullable=False),
    Column("taxon", String, nullable=False),
    Column("status", String(16), nullable=False),
    Column("information", Float, nullable=False),
    Column("content", _JSON, nullable=False),
    _version(),
    Index(None, "status", "information"),
)
"""Who a burst may show, by its newest revision. `information`: what a decision is expected to tell, in bits."""

individual_decisions = Table(
    "individual_decisions",
    METADATA,
    Column("decision_id", String, primary_key=True),
    Column("decision", String(16), nullable=False),
    Column("reviewer", String, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("individual_id", String),
    Column("other_id", String),
    Column("burst_id", String),
    Column("station", String),
    Column("camera", String),
    Column("undoes", String),
    Column("content", _JSON, nullable=False),
    _version(),
    Column("change", BigInteger),
    Index(None, "change"),
)
"""All decisions about individuals, undone ones included; the registry is a fold of `content`, the whole event.
`change`: number of the transaction that wrote the row."""

log_partitions = Table(
    "log_partitions",
    METADATA,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("topic_id", String, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
)
"""Up to where each partition was folded, written in the transaction of the rows. `generation` rises when the topic was
recreated or lost messages: its offsets then start again."""

derived_changes = Table(
    "derived_changes",
    METADATA,
    Column("burst_id", String, primary_key=True),
    Column("change", BigInteger, nullable=False),
    Index(None, "change", "burst_id"),
)
"""Bursts that were removed, or whose gap changed with one before them, by the number of that transaction. Live pages do
not show these changes; who keeps a copy of `bursts` reads them here."""

counters = Table(
    "counters",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""`change`: the last number of a transaction, see `bursts.change`; `created`: when these tables were created, in
milliseconds since 1970."""

skipped_events = Table(
    "skipped_events",
    METADATA,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("reason", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
)
"""Messages that could not be folded, and why."""
