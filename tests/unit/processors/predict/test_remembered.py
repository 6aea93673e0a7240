"""Upload ids that were answered lately."""

from datetime import UTC, datetime, timedelta

from uncia.events import ImageUploaded
from uncia.processors.predict.worker import Remembered, _mark


def test_the_oldest_is_forgotten_first() -> None:
    remembered = Remembered(2)
    for upload_id in ("a", "b", "a", "c"):
        remembered.add(upload_id)
    assert [upload_id in remembered for upload_id in "abc"] == [True, False, True]


def test_what_may_be_stored_anew_can_be_forgotten() -> None:
    remembered = Remembered(2)
    remembered.add("a")
    remembered.discard("a")
    remembered.discard("never known")
    assert "a" not in remembered


def test_a_repetition_is_known_and_what_is_stored_anew_is_not() -> None:
    at = datetime(2026, 5, 14, 21, 36, 5, 250_000, tzinfo=UTC)
    first = ImageUploaded(
        upload_id="upl-1", station="s", camera="s/c", bucket="b", key="s/c/1.jpg", etag="e", size=1, uploaded_at=at,
        announced_at=at,
    )  # fmt: skip
    listed = first.model_copy(update={"uploaded_at": at.replace(microsecond=0), "announced_by": "reconcile"})
    anew = first.model_copy(update={"uploaded_at": at + timedelta(seconds=9)})
    assert _mark(listed) == _mark(first)
    assert _mark(anew) != _mark(first)
