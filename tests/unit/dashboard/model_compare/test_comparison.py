"""The predictions of two versions are joined by upload; the page shows the differences."""

from datetime import UTC, datetime

import pytest

from uncia.dashboard.model_compare.comparison import VersionComparison, compare_versions
from uncia.dashboard.model_compare.page import render
from uncia.dashboard.page_parts.thumbnails import Thumbnail
from uncia.events import (
    WITHDRAWN_REASONS,
    Capture,
    CaptureTimeSource,
    ClassScore,
    ClassVector,
    FocusScore,
    ImagePredicted,
    Lane,
    Prediction,
    Rejection,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
VECTOR = ClassVector(length=1, f16="AAA=")


def predicted(
    upload: str, version: str, label: str, *, taxon: str = "", score: float = 0.5, focus: float = 0.0
) -> ImagePredicted:
    """The prediction of a version for a photograph; `focus` is the snow leopard's score, 0.1 its threshold."""
    box = (0.0, 0.0, 1.0, 1.0)
    return ImagePredicted(
        upload_id=upload,
        image_id=f"img-{upload}",
        station="ridge",
        camera="ridge/north",
        bucket="uploads",
        key=f"ridge/north/{upload}.jpg",
        etag="e",
        size=1,
        sha256="0" * 64,
        uploaded_at=NOW,
        predicted_at=NOW,
        lane=Lane.LIVE,
        capture=Capture(time=NOW.replace(tzinfo=None), time_source=CaptureTimeSource.EXIF),
        prediction=Prediction(
            model="cats",
            version=version,
            label_set="set@0",
            settings="set-0",
            asked_at=NOW,
            inference_ms=1,
            whole=VECTOR,
            windows=VECTOR,
            top=(ClassScore(index=0, label=label, taxon=taxon, group="animal", score=score, box=box),),
            focus=(FocusScore(taxon="Panthera uncia", label="snow leopard", score=focus, threshold=0.1, box=box),),
        ),
    )


def comparison_of(*answers: ImagePredicted) -> VersionComparison:
    return compare_versions("cats@1", "cats@2", answers)


def test_photographs_are_joined_and_those_of_one_version_alone_are_counted() -> None:
    found = comparison_of(
        predicted("a", "1", "goat"),
        predicted("a", "2", "goat"),
        predicted("b", "1", "goat"),
        predicted("c", "3", "goat"),
    )

    assert [pair.upload_id for pair in found.pairs] == ["a"]
    assert (found.only_first, found.only_second, found.different()) == (1, 0, [])


def test_another_taxon_differs_and_another_label_of_the_same_does_not() -> None:
    found = comparison_of(
        predicted("a", "1", "tabby", taxon="Felis catus"), predicted("a", "2", "house cat", taxon="Felis catus"),
        predicted("b", "1", "tabby", taxon="Felis catus"), predicted("b", "2", "wolf", taxon="Canis lupus"),
    )  # fmt: skip

    assert [pair.upload_id for pair in found.different()] == ["b"]
    assert found.table() == [("Felis catus", "Canis lupus", 1), ("Felis catus", "Felis catus", 1)]


def test_a_focus_taxon_that_only_one_version_finds_comes_first() -> None:
    found = comparison_of(
        predicted("a", "1", "goat", score=0.9), predicted("a", "2", "sheep", score=0.9),
        predicted("b", "1", "goat"), predicted("b", "2", "goat", focus=0.2),
    )  # fmt: skip

    assert [pair.upload_id for pair in found.different()] == ["b", "a"]
    assert found.different()[0].second.compared == "Panthera uncia"


def test_the_last_prediction_of_a_version_counts() -> None:
    found = comparison_of(predicted("a", "1", "goat"), predicted("a", "2", "wolf"), predicted("a", "2", "goat"))

    assert not found.different()


def test_the_page_shows_differences_and_is_self_contained() -> None:
    found = comparison_of(
        predicted("a", "1", "goat"),
        predicted("a", "2", "<wolf>"),
        predicted("b", "1", "goat"),
        predicted("b", "2", "goat"),
    )
    page = render(
        found,
        lambda assessed: Thumbnail(f"data:image/jpeg;base64,{assessed.bucket}-{assessed.key}-{assessed.upload_id}"),
    )

    assert page.count("<img") == 1
    assert "data:image/jpeg;base64,uploads-ridge/north/a.jpg-a" in page
    assert "&lt;wolf&gt;" in page
    assert "<script" not in page and "http" not in page


def test_a_missing_picture_is_explained() -> None:
    found = comparison_of(predicted("a", "1", "goat"), predicted("a", "2", "wolf"))
    page = render(found, lambda assessed: Thumbnail(None, "replaced by another photograph"))

    assert "<img" not in page
    assert "no picture: replaced by another photograph" in page


@pytest.mark.parametrize("reason", sorted(WITHDRAWN_REASONS))
def test_predictions_for_a_withdrawn_upload_are_not_compared(reason: str) -> None:
    withdrawn = predicted("a", "1", "goat").model_copy(
        update={"prediction": None, "rejection": Rejection(reason=reason, message="")}
    )
    assert comparison_of(predicted("a", "1", "goat"), predicted("a", "2", "wolf"), withdrawn).pairs == []
