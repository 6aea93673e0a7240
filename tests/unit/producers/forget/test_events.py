"""A burst without forgotten photographs lists none of them, whatever it was, and says so once."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from uncia.events import (
    IMAGE_FORGOTTEN,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    CropReference,
    DetectionCategory,
    ImagePredicted,
    Trigger,
)
from uncia.producers.forget.events import (
    forgotten_prediction,
    is_ended,
    lists_any,
    removable_bursts,
    without_images,
)
from uncia.producers.forget.plan import ForgetPlan, PlannedPhotograph

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BOX = (0.1, 0.1, 0.2, 0.2)


def frame(number: int) -> BurstFrame:
    return BurstFrame(
        image_id=f"img-{number}",
        upload_id=f"upl-{number}",
        key=f"s/c/{number}.jpg",
        bucket="b",
        captured_at=datetime(2026, 5, 1, 4, 0, number),
        uploaded_at=NOW,
        predicted_at=NOW,
    )


def burst(numbers: set[int], left_out: int | None = None) -> BurstResolved:
    first = min(numbers, default=None)
    return BurstResolved(
        burst_id="bst-1",
        revision=4,
        status=BurstStatus.FINAL,
        station="s",
        camera="s/c",
        trigger=Trigger.MOTION,
        started_at=datetime(2026, 5, 1, 4),
        ended_at=datetime(2026, 5, 1, 4),
        frames=tuple(frame(number) for number in sorted(numbers)),
        frames_left_out=left_out,
        best_crop=None
        if first is None
        else CropReference(image_id=f"img-{first}", box=BOX, category=DetectionCategory.ANIMAL, score=0.5),
        rule="r",
        settings="set-1",
    )


numbers = st.sets(st.integers(0, 9), min_size=1)


@given(numbers, st.sets(st.integers(0, 12)), st.none() | st.integers(1, 9))
def test_nothing_forgotten_is_left_and_nothing_else_is_lost(
    held: set[int], forgotten: set[int], left_out: int | None
) -> None:
    images = {f"img-{number}" for number in forgotten}
    after = without_images(burst(held, left_out), images)
    assert not lists_any(after, images)
    assert {one.image_id for one in after.frames} == {f"img-{number}" for number in held - forgotten}
    assert after.best_crop is None or after.best_crop.image_id not in images
    assert after.revision == 5
    assert is_ended(after) == (not held - forgotten and left_out is None)
    # A repetition after a kill finds nothing to do.
    assert not lists_any(BurstResolved.from_bytes(after.to_bytes()), images)


def test_a_frame_whose_content_stays_under_another_key_names_that_key() -> None:
    copy = PHOTOGRAPH.model_copy(update={"upload_id": "upl-copy", "key": "s/c/copy.jpg"})
    gone = PHOTOGRAPH.model_copy(update={"upload_id": "upl-2", "image_id": "img-2", "key": "s/c/2.jpg"})
    plan = ForgetPlan(what="", made_at=NOW, photographs=(PHOTOGRAPH, gone), kept=(copy,))
    assert plan.images == {"img-2"} and plan.copies == {"upl-1": copy}
    before = burst({1, 2, 3})
    assert lists_any(before, (), plan.copies)
    after = without_images(before, plan.images, plan.copies)
    assert [(one.image_id, one.upload_id, one.key) for one in after.frames] == [
        ("img-1", "upl-copy", "s/c/copy.jpg"),
        ("img-3", "upl-3", "s/c/3.jpg"),
    ]
    assert after.best_crop == before.best_crop
    assert after.changes == ("1 photographs forgotten", "1 photographs forgotten under one of their keys")
    assert not lists_any(after, plan.images, plan.copies)


def chain(*links: tuple[str, str | None]) -> dict[str, BurstResolved]:
    """Superseded bursts by id, each with its successor."""
    ended = {"status": BurstStatus.SUPERSEDED, "frames": (), "best_crop": None}
    return {
        name: burst({1}).model_copy(update={**ended, "burst_id": name, "superseded_by": successor})
        for name, successor in links
    }


def test_a_chain_of_superseded_bursts_goes_from_its_end() -> None:
    whole = chain(("a", "b"), ("b", "c"), ("c", None), ("other", None))
    order = removable_bursts(["a"], whole)
    assert order == ["c", "b", "a"]
    # Killed after each tombstone, the next run finds the rest.
    for sent in range(4):
        left = {name: event for name, event in whole.items() if name not in order[:sent]}
        assert removable_bursts(["a"], left) == order[sent:]


def test_a_burst_whose_successor_has_photographs_stays() -> None:
    successor = burst({1}).model_copy(update={"burst_id": "b"})
    assert removable_bursts(["a", "b"], {**chain(("a", "b")), "b": successor}) == []


def test_bursts_that_supersede_each_other_end_nothing() -> None:
    assert removable_bursts(["a"], {}) == []
    assert set(removable_bursts(["a"], chain(("a", "b"), ("b", "a")))) <= {"a", "b"}


def test_a_burst_with_frames_that_its_event_does_not_list_is_not_ended() -> None:
    after = without_images(burst({1}, left_out=3), {"img-1"})
    assert after.status is BurstStatus.REVISED and after.frame_count == 3


PHOTOGRAPH = PlannedPhotograph(
    upload_id="upl-1",
    image_id="img-1",
    station="s",
    camera="s/c",
    bucket="b",
    key="s/c/1.jpg",
    etag="e",
    size=10,
    uploaded_at=NOW,
)


def test_the_rejection_says_nothing_of_the_photograph() -> None:
    event = ImagePredicted.from_bytes(forgotten_prediction(PHOTOGRAPH, NOW).to_bytes())
    assert event.rejection is not None and event.rejection.reason == IMAGE_FORGOTTEN
    assert event.sha256 is None and event.prediction is None and event.detection is None and event.luminance is None
    assert event.capture.make is None and event.capture.serial is None


def test_a_plan_is_named_by_its_photographs_and_survives_storage(tmp_path: object) -> None:
    from pathlib import Path

    plan = ForgetPlan(what="camera s/c", made_at=NOW, photographs=(PHOTOGRAPH,), bursts=(("s/c", "bst-1"),))
    path = plan.store(Path(str(tmp_path)) / "forget")
    assert ForgetPlan.load(path) == plan
    assert path.stat().st_mode & 0o777 == 0o600
    assert plan.model_copy(update={"what": "img-1"}).name == plan.name
