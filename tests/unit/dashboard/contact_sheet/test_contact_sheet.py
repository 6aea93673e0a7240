"""The page shows every burst and rejection, is self-contained, and reveals no position."""

import base64
import io
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from uncia.dashboard.contact_sheet.page import FRAMES_SHOWN, ContactSheetBurst, burst_view, render
from uncia.dashboard.contact_sheet.results import RejectedFile, ResultSet
from uncia.dashboard.page_parts.thumbnails import Thumbnail, thumbnail_url
from uncia.events import (
    BoxSource,
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    CropPublished,
    CropReference,
    DetectionCategory,
    FrameBox,
    TaxonVerdict,
    Trigger,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def frame(number: int, deciding: bool = False) -> BurstFrame:
    return BurstFrame(
        image_id=f"img-{number}",
        upload_id=f"upl-{number}",
        bucket="b",
        key=f"s/c/{number}.jpg",
        captured_at=datetime(2026, 5, 1, 4, 0, number % 60),
        uploaded_at=NOW,
        predicted_at=NOW,
        score=0.5,
        box=(0.1, 0.2, 0.3, 0.4),
        deciding=deciding,
    )


def burst(count: int = 3, label: str = "snow leopard", deciding: int = 0) -> BurstResolved:
    return BurstResolved(
        burst_id="bst-1",
        revision=1,
        status=BurstStatus.FINAL,
        station="s",
        camera="s/c",
        trigger=Trigger.MOTION,
        started_at=datetime(2026, 5, 1, 4),
        ended_at=datetime(2026, 5, 1, 4, 0, 9),
        frames=tuple(frame(number, deciding=number == deciding) for number in range(count)),
        verdict=TaxonVerdict(
            taxon="Panthera uncia", label=label, group="animal", score=0.5, threshold=0.02, certain=True, focus=True
        ),
        rule="log-odds/1",
        settings="set-1",
    )


def jpeg(exif: bytes = b"") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((600, 800, 3), np.uint8)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def page(results: ResultSet) -> str:
    return render(
        results, lambda assessed: Thumbnail("data:image/jpeg;base64,AAAA"), title="T", summary={"uploaded": 3}
    )


def test_the_box_of_the_verdict_is_drawn() -> None:
    results = ResultSet(bursts={"bst-1": burst()})
    assert "left:10.0%;top:20.0%;width:30.0%;height:40.0%" in page(results)


def test_rejected_files_are_listed_with_their_reason() -> None:
    results = ResultSet(rejected={"u": RejectedFile("s/c/x.jpg", "image-truncated", "ends after 10 of 90 rows")})
    assert "ends after 10 of 90 rows" in page(results)


def test_labels_are_escaped() -> None:
    results = ResultSet(bursts={"bst-1": burst(label="<script>alert(1)</script>")})
    assert "<script>" not in page(results)


def test_the_page_loads_nothing() -> None:
    assert "http" not in page(ResultSet(bursts={"bst-1": burst()}))


def test_a_page_without_bursts_says_so() -> None:
    assert "No burst yet" in page(ResultSet())


def test_a_long_burst_shows_its_deciding_frame_and_counts_the_hidden_ones() -> None:
    view = burst_view(burst(count=500, deciding=333), ResultSet(), lambda assessed: Thumbnail(None))
    assert (len(view.frames), view.hidden, sum(f.deciding for f in view.frames)) == (FRAMES_SHOWN, 476, 1)


def test_a_thumbnail_has_no_exif() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRETMAKE"
    url = thumbnail_url(jpeg(exif.tobytes()))
    assert url is not None
    assert b"SECRETMAKE" not in base64.b64decode(url.split(",")[1])


@pytest.mark.parametrize("data", [b"", b"text", jpeg()[:300]])
def test_bytes_that_are_not_a_photograph_give_no_thumbnail(data: bytes) -> None:
    assert thumbnail_url(data) is None


def detected(**changes: object) -> BurstResolved:
    boxes = (
        FrameBox(category=DetectionCategory.ANIMAL, score=0.8, box=(0.1, 0.2, 0.3, 0.4)),
        FrameBox(category=DetectionCategory.ANIMAL, score=0.5, box=(0.6, 0.6, 0.1, 0.1), static=True),
    )
    frames = tuple(
        one.model_copy(update={"boxes": boxes, "category": BurstCategory.ANIMAL, "animal_probability": 0.97})
        for one in burst().frames
    )
    best = CropReference(image_id="img-1", box=(0.1, 0.2, 0.3, 0.4), category=DetectionCategory.ANIMAL, score=0.8)
    values = {
        "frames": frames, "category": BurstCategory.ANIMAL, "animal_probability": 0.97, "count": 2, "best_crop": best,
    }  # fmt: skip
    return burst().model_copy(update=values | changes)


def crop(**changes: object) -> CropPublished:
    values = {
        "crop_id": "crp-1", "burst_id": "bst-1", "image_id": "img-1", "station": "s", "camera": "s/c", "bucket": "b",
        "key": "crops/1.jpg", "sha256": "0", "box": (0.1, 0.2, 0.3, 0.4), "crop_box": (0.05, 0.15, 0.4, 0.5),
        "category": DetectionCategory.ANIMAL, "score": 0.8, "captured_at": datetime(2026, 5, 1, 4), "published_at": NOW,
    }  # fmt: skip
    return CropPublished.model_validate(values | changes)


def view(shown: BurstResolved, *crops: CropPublished) -> ContactSheetBurst:
    results = ResultSet(bursts={"bst-1": shown}, crops={one.crop_id: one for one in crops})
    return burst_view(shown, results, lambda _: Thumbnail("data:,"), lambda _: Thumbnail("data:crop"))


def test_detections_are_drawn_and_static_ones_are_marked() -> None:
    boxes = view(detected()).frames[0].boxes
    assert [(box.left, box.width, box.kind) for box in boxes] == [(10, 30, "animal"), (60, 10, "animal static")]
    assert 'class="box animal static"' in page(ResultSet(bursts={"bst-1": detected()}))


@pytest.mark.parametrize(("category", "shown"), [(BurstCategory.ANIMAL, 1), (BurstCategory.BLANK, 0)])
def test_a_weak_detection_is_drawn_only_where_it_makes_the_frame_an_animal(category: BurstCategory, shown: int) -> None:
    weak = tuple(FrameBox(category=DetectionCategory.ANIMAL, score=0.03, box=(n / 4, 0, 0.2, 0.2)) for n in range(3))
    frames = tuple(one.model_copy(update={"boxes": weak, "category": category}) for one in burst().frames)
    assert len(view(detected(frames=frames)).frames[0].boxes) == shown


def test_a_box_of_movement_is_drawn_and_marked() -> None:
    animal = DetectionCategory.ANIMAL
    boxes = (
        FrameBox(category=animal, score=0.05, box=(0.7, 0.7, 0.1, 0.1)),
        FrameBox(category=animal, score=0, box=(0.1, 0.2, 0.3, 0.4), source=BoxSource.MOVEMENT, best=True),
    )
    frames = tuple(one.model_copy(update={"boxes": boxes, "category": BurstCategory.ANIMAL}) for one in burst().frames)
    (drawn,) = view(detected(frames=frames)).frames[0].boxes
    assert (drawn.kind, drawn.title) == ("animal movement", "animal, where something moved, without a detection")


def test_a_burst_with_a_category_is_named_by_it() -> None:
    shown = view(detected())
    assert (shown.verdict, shown.frames[0].note) == (
        "animal 97 %, 2 seen, snow leopard (score 0.50)",
        "animal 97 %",
    )
    blank = view(detected(category=BurstCategory.BLANK, animal_probability=0.02, count=None, best_crop=None))
    assert (blank.verdict, blank.score, blank.tone, blank.others) == ("blank 98 %", "", "blank", ())


def test_the_best_crop_is_shown_while_it_is_published() -> None:
    assert view(detected(), crop()).crop == "data:crop"
    assert view(detected()).crop is None
    assert view(detected(), crop(withdrawn="person-in-burst", sha256=None)).crop is None
    assert view(detected(crops_withheld=True), crop()).crop is None
    assert view(detected(), crop(box=(0.6, 0.6, 0.1, 0.1))).crop is None


def test_events_without_detections_keep_the_box_of_the_verdict() -> None:
    assert [box.kind for box in view(burst()).frames[0].boxes] == ["verdict"]


def test_blank_bursts_come_last_whatever_their_best_class_is() -> None:
    blank = detected(category=BurstCategory.BLANK)
    bursts = {"bst-1": blank, "bst-2": detected(burst_id="bst-2", started_at=datetime(2026, 5, 1, 5))}
    assert [shown.burst_id for shown in ResultSet(bursts=bursts).current_bursts()] == ["bst-2", "bst-1"]


def test_a_report_of_a_station_leaves_out_all_others() -> None:
    own = burst()
    other = own.model_copy(update={"burst_id": "bst-other", "station": "elsewhere"})
    rejected = {
        name: RejectedFile(f"{name}/cam/1.jpg", "image-empty", "no bytes") for name in (own.station, "elsewhere")
    }
    every = ResultSet({each.burst_id: each for each in (own, other)}, rejected, [RejectedFile("k", "reason", "text")])
    found = every.of_stations([own.station])
    assert found.current_bursts() == [own]
    assert list(found.rejected) == [own.station]
    assert found.dead == []
