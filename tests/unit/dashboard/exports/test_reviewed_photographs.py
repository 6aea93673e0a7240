"""The photographs of reviewed bursts as a dataset for training."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.dashboard.exports.records_data import IBEX, a_burst, a_frame, reviewed
from tests.unit.uncia.imaging.metadata_builders import PLAIN_JPEG as JPEG
from uncia.dashboard.exports.records import BoxRecord, BurstRecord, FrameRecord, ObservationRecord, Verdict
from uncia.dashboard.exports.reviewed import BOXES_FILE, label_burst, write_reviewed
from uncia.errors import PermanentError
from uncia.training.datasets.reading import read_dataset
from uncia.training.detectors.annotated_frames import read_annotated_frames

BLANK = Verdict("blank")
CAT = Verdict("animal", "Panthera uncia", "snow leopard", "species", 1)
BOX = (0.25, 0.5, 0.25, 0.25)


def _seen(verdict: Verdict, *boxes: str, number: int = 0) -> ObservationRecord:
    drawn = tuple((image, BOX) for image in boxes)
    return ObservationRecord("human", number, verdict, observed_by="aigul", boxes=drawn)


def _burst(*seen: ObservationRecord, frames: tuple[FrameRecord, ...] | None = None, name: str = "1") -> BurstRecord:
    burst = a_burst(name) if frames is None else a_burst(name, frames=frames, frame_count=len(frames))
    return replace(burst, **reviewed(burst, *seen)) if seen else burst  # type: ignore[arg-type]


def _labels(burst: BurstRecord, **options: bool) -> list[tuple[str, str]]:
    return [(each.frame.image_id, each.label) for each in label_burst(burst, **options)[0]]


def test_only_the_photographs_with_a_box_are_labelled_with_what_the_reviewer_said() -> None:
    walked_out = a_frame("2", boxes=(BoxRecord("animal", 0.1, BOX),))
    assert _labels(_burst(_seen(CAT), frames=(a_frame("1"), walked_out))) == [("img-1", "Panthera uncia")]


def test_boxes_that_the_reviewer_drew_come_before_those_of_the_detector() -> None:
    assert _labels(_burst(_seen(CAT, "img-2"), frames=(a_frame("1"), a_frame("2")))) == [("img-2", "Panthera uncia")]


def test_a_burst_of_one_photograph_needs_no_box() -> None:
    assert _labels(_burst(_seen(CAT), frames=(a_frame("1", boxes=()),))) == [("img-1", "Panthera uncia")]


def test_all_readable_photographs_of_a_blank_burst_are_blank() -> None:
    damaged = a_frame("2", rejection_reason="image-truncated")
    assert _labels(_burst(_seen(BLANK), frames=(a_frame("1"), damaged))) == [("img-1", "blank")]


def test_two_taxa_are_told_apart_by_the_boxes_that_were_drawn() -> None:
    both = _burst(_seen(CAT, "img-1"), _seen(IBEX, "img-2", number=1), frames=(a_frame("1"), a_frame("2")))
    assert _labels(both) == [("img-1", "Panthera uncia"), ("img-2", "Capra sibirica")]
    assert "several taxa" in label_burst(_burst(_seen(CAT), _seen(IBEX, number=1)))[1]


@pytest.mark.parametrize(
    ("burst", "reason"),
    [
        (_burst(), "without a review"),
        (_burst(_seen(Verdict(None))), "cannot tell"),
        (_burst(_seen(Verdict("person"))), "person"),
        (_burst(_seen(CAT), frames=(a_frame("1", boxes=()), a_frame("2", boxes=()))), "without a box"),
    ],
)
def test_what_has_no_sure_label_is_left_out_with_a_reason(burst: BurstRecord, reason: str) -> None:
    assert reason in label_burst(burst)[1]


def test_an_animal_without_a_taxon_is_no_label_among_species() -> None:
    animal = _burst(_seen(Verdict("animal")))
    assert _labels(animal) == [("img-1", "animal")]
    assert _labels(animal, named_only=True) == []


def test_people_are_in_it_only_where_that_was_asked_for() -> None:
    people = _burst(_seen(Verdict("person"), "img-1"))
    assert _labels(people, with_people=True) == [("img-1", "person")]


def _write(folder: Path, *bursts: BurstRecord, gone: str = "", fetched: list[str] | None = None) -> int:
    def fetch(frame: FrameRecord) -> bytes:
        if frame.upload_id == gone:
            raise PermanentError("object-missing", "gone")
        if fetched is not None:
            fetched.append(frame.upload_id)
        return JPEG

    return write_reviewed(folder, bursts, fetch).photographs


def test_training_reads_the_labels_taxa_bursts_and_cameras(tmp_path: Path) -> None:
    _write(tmp_path, _burst(_seen(CAT), name="1"), _burst(_seen(BLANK), name="2"))
    first, second = read_dataset(tmp_path).samples
    assert (first.label, first.taxon, first.group, first.camera) == (
        "Panthera uncia",
        "Panthera uncia",
        "animal",
        "ridge/cam-1",
    )
    assert first.burst != second.burst
    assert first.box == BOX
    assert (second.label, second.group, second.box) == ("blank", "nothing", None)
    assert first.path.read_bytes() == JPEG


def test_a_detector_learns_from_every_box_and_from_blanks(tmp_path: Path) -> None:
    two = (BoxRecord("animal", 0.9, BOX), BoxRecord("animal", 0.8, (0.5, 0.5, 0.125, 0.25)))
    _write(
        tmp_path,
        _burst(_seen(IBEX), frames=(a_frame("1", boxes=two),)),
        _burst(_seen(BLANK), name="2"),
        _burst(_seen(CAT), frames=(a_frame("3", boxes=()),), name="3"),
    )
    found = read_annotated_frames(tmp_path / BOXES_FILE)
    assert sorted(len(frame.boxes) for frame in found.frames) == [0, 2]
    assert found.left_out == 1


def test_a_second_run_fetches_only_what_is_new_and_forgets_what_was_taken_back(tmp_path: Path) -> None:
    fetched: list[str] = []
    _write(tmp_path, _burst(_seen(CAT), name="1"), _burst(_seen(IBEX), name="2"), fetched=fetched)
    _write(tmp_path, _burst(_seen(CAT), name="1"), _burst(_seen(IBEX), name="3"), fetched=fetched)
    assert fetched == ["upl-1", "upl-2", "upl-3"]
    assert sorted(path.name for path in (tmp_path / "media").iterdir()) == ["upl-1.jpg", "upl-3.jpg"]


def test_a_photograph_that_is_gone_is_left_out(tmp_path: Path) -> None:
    assert _write(tmp_path, _burst(_seen(CAT), name="1"), _burst(_seen(IBEX), name="2"), gone="upl-1") == 1
