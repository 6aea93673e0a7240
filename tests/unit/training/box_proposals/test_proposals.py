"""Boxes are cleaned, merged, found by movement, written as COCO, and proposed resumably."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from uncia.training.box_proposals import making
from uncia.training.box_proposals.making import coco_document, propose_boxes, write_coco
from uncia.training.box_proposals.movement import moving_boxes
from uncia.training.box_proposals.proposal import SOURCES, Proposal, clean, merge
from uncia.training.box_proposals.report import compare_with_truth
from uncia.training.box_proposals.sources import BoxSources
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.image_decoding import image_size
from uncia.training.datasets.reading import read_dataset
from uncia.training.detectors.annotated_frames import read_annotated_frames

ANIMAL, OTHER = (0.2, 0.3, 0.2, 0.2), (0.7, 0.6, 0.15, 0.2)

boxes = st.tuples(*[st.floats(0, 0.6)] * 2, *[st.floats(0.001, 0.4)] * 2)
proposals = st.lists(st.builds(Proposal, st.sampled_from(SOURCES), boxes, st.floats(0.01, 1)), max_size=12)


def test_specks_stripes_and_the_whole_frame_are_no_animals() -> None:
    wrong = [(0.1, 0.1, 0.01, 0.01), (0.0, 0.5, 1.0, 0.05), (0.0, 0.0, 1.0, 0.95)]
    assert clean([Proposal("lime", box, 0.9) for box in (*wrong, ANIMAL)]) == (Proposal("lime", ANIMAL, 0.9),)


def test_of_duplicates_of_a_source_the_better_one_is_kept() -> None:
    near = (0.21, 0.3, 0.2, 0.2)
    kept = clean([Proposal("lime", near, 0.5), Proposal("lime", ANIMAL, 0.9), Proposal("movement", near, 0.4)])
    assert [(one.source, one.score) for one in kept] == [("lime", 0.9), ("movement", 0.4)]


def test_sources_that_agree_are_one_object_with_the_box_of_the_most_trusted() -> None:
    window = (0.1, 0.1, 0.5, 0.7)
    merged = merge([Proposal("windows", window, 1.0), Proposal("detector", ANIMAL, 0.8), Proposal("lime", ANIMAL, 1.0)])
    assert [one.box for one in merged] == [ANIMAL]
    assert merged[0].sources == ("lime", "windows", "detector")


def test_two_animals_stay_two_and_little_support_is_dropped() -> None:
    both = [Proposal("detector", ANIMAL, 0.8), Proposal("detector", OTHER, 0.7)]
    assert len(merge(both)) == 2
    assert [one.box for one in merge([both[0], Proposal("windows", OTHER, 0.9)])] == [ANIMAL]


@given(proposals)
def test_merging_never_loses_the_best_object_and_does_not_depend_on_the_order(found: list[Proposal]) -> None:
    merged = merge(clean(found))
    assert bool(merged) == bool(clean(found))
    assert merge(clean(found[::-1])) == merged
    assert list(merged) == sorted(merged, key=lambda one: -one.support)


def burst(frames: int, seed: int = 0) -> list[np.ndarray]:
    """A still scene with noise; a bright square walks through it from the left, absent from the last frame."""
    random = np.random.default_rng(seed)
    scene = random.integers(40, 120, (120, 160, 3))
    pictures = []
    for number in range(frames):
        picture = scene + random.integers(-4, 5, scene.shape)
        if number < frames - 1:
            picture[40:70, 10 + 35 * number : 40 + 35 * number] = 220
        pictures.append(picture.clip(0, 255).astype(np.uint8))
    return pictures


def test_what_moved_is_boxed_and_the_frame_without_it_has_no_box() -> None:
    found = moving_boxes(burst(5))
    for number in range(4):
        x, y, width, height = found[number][0][0]
        assert abs(x - (10 + 35 * number) / 160) < 0.04 and abs(y - 40 / 120) < 0.04
        assert abs(width - 30 / 160) < 0.06 and abs(height - 30 / 120) < 0.06
    assert found[4] == []


def test_two_frames_tell_nothing_and_wind_everywhere_neither() -> None:
    assert moving_boxes(burst(2)) == [[], []]
    random = np.random.default_rng(1)
    assert not any(moving_boxes([random.integers(0, 255, (120, 160, 3)).astype(np.uint8) for _ in range(4)]))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    samples = []
    for name, label in (("walk", "deer"), ("still", "empty")):
        pictures = burst(4) if name == "walk" else burst(4, 5)
        for number, picture in enumerate(pictures if name == "walk" else pictures[-1:] * 3):
            path = tmp_path / "photographs" / f"{name}{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(picture).resize((320, 240)).save(path, quality=95)
            samples.append(Sample(path, label, name, "camera"))
    missing = Sample(tmp_path / "photographs" / "gone.jpg", "deer", "walk", "camera")
    return Dataset((*samples, missing), "squares")


MOVEMENT = BoxSources(("movement",))


def test_the_written_file_is_read_by_the_reader_of_coco(dataset: Dataset, tmp_path: Path) -> None:
    proposed = propose_boxes(dataset, MOVEMENT, tmp_path / "journal")
    assert list(proposed.unreadable) == [dataset.samples[-1].path]
    out = tmp_path / "boxes.json"
    write_coco(coco_document(proposed, out, "test"), out)
    read = read_dataset(out)
    assert read.labels == ("deer", "empty")
    assert {sample.path.resolve() for sample in read.samples} == {
        frame.sample.path.resolve() for frame in proposed.frames if frame.blank or frame.boxes
    }
    frames = {frame.path.name: frame for frame in read_annotated_frames(out).frames}
    assert len(frames["walk0.jpg"].boxes) == 1 and frames["still0.jpg"].boxes == ()
    # The animal has left the last frame: it has no box, and is no blank either.
    assert "walk3.jpg" not in frames
    own = next(frame for frame in proposed.frames if frame.sample.path.name == "walk0.jpg")
    assert np.allclose(frames["walk0.jpg"].boxes[0].box, own.boxes[0].box, atol=1e-4)


def test_a_killed_run_resumes_with_the_same_result(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = propose_boxes(dataset, MOVEMENT, tmp_path / "whole")
    journal = tmp_path / "killed"

    def kill(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        propose_boxes(dataset, MOVEMENT, journal, progress=kill)
    # A kill in the middle of a line.
    journal.write_text(journal.read_text() + '{"path": "half')
    read: list[Path] = []
    size = image_size

    def record(path: Path) -> tuple[int, int]:
        read.append(path)
        return size(path)

    monkeypatch.setattr(making, "image_size", record)
    assert propose_boxes(dataset, MOVEMENT, journal) == whole
    assert len(read) == len(dataset.samples) - 2


def test_a_journal_of_other_data_is_started_again(dataset: Dataset, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    propose_boxes(dataset, MOVEMENT, journal)
    fewer = dataset.with_samples(dataset.samples[:3])
    assert len(propose_boxes(fewer, MOVEMENT, journal).frames) == 3
    assert len(journal.read_text().splitlines()) == 4


def test_a_limit_takes_bursts_of_each_label_in_turn(dataset: Dataset, tmp_path: Path) -> None:
    proposed = propose_boxes(dataset, MOVEMENT, tmp_path / "journal", limit=6)
    labels = {frame.sample.label for frame in proposed.frames}
    assert labels == {"deer", "empty"}


def test_overlap_with_true_boxes_is_reported_by_source(dataset: Dataset, tmp_path: Path) -> None:
    proposed = propose_boxes(dataset, MOVEMENT, tmp_path / "journal")
    first = proposed.frames[0]
    truth = {first.sample.path: [first.boxes[0].box]}
    figures = compare_with_truth(proposed.frames, truth, ("movement",), seed=1)
    assert figures["merged"]["recall at IoU 0.5"].value == figures["movement"]["recall at IoU 0.5"].value == 1.0
    assert compare_with_truth(proposed.frames, {}, ("movement",), seed=1) == {}


def test_the_journal_is_json_lines(dataset: Dataset, tmp_path: Path) -> None:
    propose_boxes(dataset, MOVEMENT, tmp_path / "journal")
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert "run" in lines[0] and all("path" in line for line in lines[1:])
