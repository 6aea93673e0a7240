"""Upload ids that were answered lately."""

from datetime import UTC, datetime, timedelta

from uncia.events import ImageUploaded
from uncia.processors.predict.recent_ids import RecentIds
from uncia.processors.predict.worker import repetition_id


def test_the_oldest_is_forgotten_first() -> None:
    recent = RecentIds(2)
    for upload_id in ("a", "b", "a", "c"):
        recent.add(upload_id)
    assert [upload_id in recent for upload_id in "abc"] == [True, False, True]


def test_what_may_be_stored_anew_can_be_forgotten() -> None:
    recent = RecentIds(2)
    recent.add("a")
    recent.discard("a")
    recent.discard("never known")
    assert "a" not in recent


def test_a_repetition_is_known_and_what_is_stored_anew_is_not() -> None:
    at = datetime(2026, 5, 14, 21, 36, 5, 250_000, tzinfo=UTC)
    first = ImageUploaded(
        upload_id="upl-1", station="s", camera="s/c", bucket="b", key="s/c/1.jpg", etag="e", size=1, uploaded_at=at,
        announced_at=at,
    )  # fmt: skip
    listed = first.model_copy(update={"uploaded_at": at.replace(microsecond=0), "announced_by": "reconcile"})
    anew = first.model_copy(update={"uploaded_at": at + timedelta(seconds=9)})
    assert repetition_id(listed) == repetition_id(first)
    assert repetition_id(anew) != repetition_id(first)
