"""Intake decides the lane of each upload once, and writes it into the event."""

import asyncio
from datetime import UTC, datetime

from tests.unit.processors.intake.filer_events import entry, event
from uncia.events import Lane
from uncia.processors.intake.worker import Intake

UPLOADED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OLD = "20251203T040000-0123456789abcdef.jpg"
NEW = "20260102T030000-0123456789abcdef.jpg"


def lane(intake: Intake, name: str, **metadata: str) -> Lane:
    headers = {f"X-Amz-Meta-{key.replace('_', '-').title()}": value for key, value in metadata.items()}
    raw = event(new=entry(name, s3_etag="00", mtime=int(UPLOADED_AT.timestamp()), metadata=headers))
    announced, problem = asyncio.run(intake.uploads(raw, b"/buckets/camera-uploads/ridge/cam-1/x"))
    assert problem is None
    return announced[0].lane


def test_a_photograph_of_last_month_is_backfill(intake: Intake) -> None:
    assert lane(intake, OLD) is Lane.BACKFILL


def test_a_photograph_of_this_hour_is_live(intake: Intake) -> None:
    assert lane(intake, NEW) is Lane.LIVE


def test_a_photograph_of_unknown_age_is_live(intake: Intake) -> None:
    assert lane(intake, "IMG_0001.JPG") is Lane.LIVE


def test_the_requested_lane_decides(intake: Intake) -> None:
    assert lane(intake, OLD, uncia_lane="live") is Lane.LIVE
    assert lane(intake, NEW, uncia_lane="backfill") is Lane.BACKFILL
