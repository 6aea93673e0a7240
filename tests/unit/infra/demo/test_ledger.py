"""The demo's ledger: a file is accounted for only when it is confirmed, predicted and in a settled burst."""

from datetime import UTC, datetime, timedelta
from typing import Any

from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    Capture,
    CaptureTimeSource,
    ImagePredicted,
    Rejection,
    TaxonVerdict,
    Trigger,
)
from uncia.ids import upload_id
from uncia.infra.demo.ledger import Ledger, closing_line

T0 = datetime(2026, 5, 1, 12, tzinfo=UTC)


def uploaded(name: str) -> dict[str, Any]:
    return {
        "event": "uploaded",
        "path": f"/card/{name}",
        "bucket": "b",
        "key": f"s/c/{name}",
        "etag": "e",
        "confirmed_at": T0.isoformat(),
    }


def prediction(name: str, rejection: Rejection | None = None) -> ImagePredicted:
    return ImagePredicted(
        upload_id=upload_id("b", f"s/c/{name}", "e"),
        image_id=f"img-{name}",
        station="s",
        camera="s/c",
        bucket="b",
        key=f"s/c/{name}",
        etag="e",
        size=1,
        uploaded_at=T0,
        predicted_at=T0 + timedelta(milliseconds=200),
        capture=Capture(time=datetime(2026, 5, 1, 4), time_source=CaptureTimeSource.EXIF),
        rejection=rejection,
    )


def burst(*names: str, status: BurstStatus = BurstStatus.FINAL, revision: int = 1) -> BurstResolved:
    frames = tuple(
        BurstFrame(
            image_id=f"img-{name}",
            upload_id=name,
            bucket="b",
            key=name,
            captured_at=datetime(2026, 5, 1, 4),
            uploaded_at=T0,
            predicted_at=T0,
        )
        for name in names
    )
    return BurstResolved(
        burst_id="bst-1",
        revision=revision,
        status=status,
        station="s",
        camera="s/c",
        trigger=Trigger.UNKNOWN,
        started_at=datetime(2026, 5, 1, 4),
        ended_at=datetime(2026, 5, 1, 4),
        frames=frames,
        rule="mean/1",
        settings="set-1",
    )


def complete_ledger(name: str) -> Ledger:
    ledger = Ledger(expected={f"/card/{name}"})
    ledger.record_gateway_event(uploaded(name))
    ledger.record_prediction(prediction(name))
    ledger.record_burst(burst(name))
    return ledger


def test_a_photograph_with_upload_prediction_and_burst_is_accounted_for() -> None:
    assert complete_ledger("1.jpg").summary()["unaccounted"] == 0


def test_a_file_that_no_gateway_confirmed_is_named() -> None:
    assert Ledger(expected={"/card/1.jpg"}).unaccounted()["not uploaded"] == ["/card/1.jpg"]


def test_an_exact_duplicate_needs_no_upload() -> None:
    ledger = complete_ledger("1.jpg")
    ledger.expected.add("/card/copy.jpg")
    ledger.record_gateway_event({"event": "duplicate", "path": "/card/copy.jpg"})
    assert ledger.summary()["unaccounted"] == 0


def test_an_upload_without_a_prediction_is_named() -> None:
    ledger = Ledger(expected={"/card/1.jpg"})
    ledger.record_gateway_event(uploaded("1.jpg"))
    assert ledger.unaccounted()["not answered"] == ["s/c/1.jpg"]


def test_a_rejection_counts_as_answered() -> None:
    ledger = Ledger(expected={"/card/1.jpg"})
    ledger.record_gateway_event(uploaded("1.jpg"))
    ledger.record_prediction(prediction("1.jpg", Rejection(reason="image-empty", message="0 bytes")))
    ledger.record_burst(burst("1.jpg"))
    assert (ledger.summary()["rejected"], ledger.summary()["unaccounted"]) == (1, 0)


def test_a_prediction_in_a_provisional_burst_is_not_settled() -> None:
    ledger = complete_ledger("1.jpg")
    ledger.record_burst(burst("1.jpg", status=BurstStatus.PROVISIONAL, revision=2))
    assert ledger.unaccounted()["in no settled burst"] == ["s/c/1.jpg"]


def test_an_older_revision_is_ignored() -> None:
    ledger = complete_ledger("1.jpg")
    ledger.record_burst(burst("1.jpg", revision=2))
    ledger.record_burst(burst(status=BurstStatus.PROVISIONAL, revision=1))
    assert ledger.summary()["unaccounted"] == 0


def test_the_closing_line_has_the_documented_names() -> None:
    line = closing_line(complete_ledger("1.jpg").summary())
    assert line == "uploaded=1 predicted=1 rejected=0 bursts=1 unaccounted=0 images_per_s=5.0 p50_ms=200 p95_ms=200"


def test_the_last_event_of_every_burst_is_one_line() -> None:
    ledger = Ledger()
    ledger.record_burst(burst("a"))
    ledger.record_burst(burst("a", "b", status=BurstStatus.REVISED, revision=2))
    lines = ledger.burst_lines().splitlines()
    assert [BurstResolved.from_bytes(line.encode()).revision for line in lines] == [2]
    assert ledger.burst_lines().endswith("\n")


def test_the_surest_settled_animal_is_explained_and_a_certain_focus_taxon_before_any_other() -> None:
    def animal(name: str, probability: float, **changes: object) -> BurstResolved:
        verdict = TaxonVerdict(taxon="Animalia", label="animal", group="animal", score=0.5, certain=False)
        values = {"burst_id": name, "category": BurstCategory.ANIMAL, "verdict": verdict}
        return burst(name).model_copy(update={**values, "animal_probability": probability, **changes})

    leopard = TaxonVerdict(taxon="Panthera uncia", label="leopard", group="animal", score=0.8, certain=True, focus=True)
    ledger = Ledger()
    assert ledger.burst_to_explain() is None
    for event in (
        animal("bst-blank", 0.1, category=BurstCategory.BLANK),
        animal("bst-open", 1.0, status=BurstStatus.PROVISIONAL),
        animal("bst-withheld", 1.0, crops_withheld=True),
        animal("bst-goat", 0.9),
        animal("bst-cat", 0.95),
    ):
        ledger.record_burst(event)
    assert ledger.burst_to_explain() == "bst-cat"
    ledger.record_burst(animal("bst-leopard", 0.8, verdict=leopard))
    assert ledger.burst_to_explain() == "bst-leopard"
