"""Two versions' words on the same photographs, joined; the page shows where they differ."""

from datetime import UTC, datetime

import pytest

from uncia.dashboard.contact_sheet.thumbnails import Thumbnail
from uncia.dashboard.model_compare.comparing import Comparison, compared
from uncia.dashboard.model_compare.page import render
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


def said(
    upload: str, version: str, label: str, *, taxon: str = "", score: float = 0.5, focus: float = 0.0
) -> ImagePredicted:
    """What a version says of a photograph; `focus` is the snow leopard's score, 0.1 its threshold."""
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


def of(*answers: ImagePredicted) -> Comparison:
    return compared("cats@1", "cats@2", answers)


def test_photographs_are_joined_and_those_of_one_version_alone_are_counted() -> None:
    found = of(said("a", "1", "goat"), said("a", "2", "goat"), said("b", "1", "goat"), said("c", "3", "goat"))

    assert [pair.upload_id for pair in found.pairs] == ["a"]
    assert (found.only_first, found.only_second, found.different()) == (1, 0, [])


def test_another_taxon_differs_and_another_label_of_the_same_does_not() -> None:
    found = of(
        said("a", "1", "tabby", taxon="Felis catus"), said("a", "2", "house cat", taxon="Felis catus"),
        said("b", "1", "tabby", taxon="Felis catus"), said("b", "2", "wolf", taxon="Canis lupus"),
    )  # fmt: skip

    assert [pair.upload_id for pair in found.different()] == ["b"]
    assert found.table() == [("Felis catus", "Canis lupus", 1), ("Felis catus", "Felis catus", 1)]


def test_a_focus_taxon_that_only_one_of_them_sees_comes_first() -> None:
    found = of(
        said("a", "1", "goat", score=0.9), said("a", "2", "sheep", score=0.9),
        said("b", "1", "goat"), said("b", "2", "goat", focus=0.2),
    )  # fmt: skip

    assert [pair.upload_id for pair in found.different()] == ["b", "a"]
    assert found.different()[0].second.said == "Panthera uncia"


def test_the_last_word_on_a_photograph_counts() -> None:
    found = of(said("a", "1", "goat"), said("a", "2", "wolf"), said("a", "2", "goat"))

    assert not found.different()


def test_the_page_shows_what_differs_and_needs_nothing_else() -> None:
    found = of(said("a", "1", "goat"), said("a", "2", "<wolf>"), said("b", "1", "goat"), said("b", "2", "goat"))
    page = render(
        found, lambda judged: Thumbnail(f"data:image/jpeg;base64,{judged.bucket}-{judged.key}-{judged.upload_id}")
    )

    assert page.count("<img") == 1
    assert "data:image/jpeg;base64,uploads-ridge/north/a.jpg-a" in page
    assert "&lt;wolf&gt;" in page
    assert "<script" not in page and "http" not in page


def test_a_photograph_that_is_stored_no_more_is_named_in_place_of_its_picture() -> None:
    found = of(said("a", "1", "goat"), said("a", "2", "wolf"))
    page = render(found, lambda judged: Thumbnail(None, "replaced by another picture"))

    assert "<img" not in page
    assert "no picture: replaced by another picture" in page


@pytest.mark.parametrize("reason", sorted(WITHDRAWN_REASONS))
def test_what_was_said_of_a_withdrawn_upload_is_not_compared(reason: str) -> None:
    withdrawn = said("a", "1", "goat").model_copy(
        update={"prediction": None, "rejection": Rejection(reason=reason, message="")}
    )
    assert of(said("a", "1", "goat"), said("a", "2", "wolf"), withdrawn).pairs == []
