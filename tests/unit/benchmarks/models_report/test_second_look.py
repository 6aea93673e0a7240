"""Second looks in the report: chosen and combined as in the stream, and figures that compare like with like."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.models_report import second_look as module
from benchmarks.models_report.second_look import (
    TileCache,
    detect_tiles,
    frames_to_look_at,
    look_again,
    second_look_step,
)
from benchmarks.models_report.second_look_figures import SecondLooks, figures_of_looks, pooled_looks
from benchmarks.models_report.steps import QUICK_SIZES, Report
from tests.unit.training.presence.tiny_detector import FRAME, write_detector
from uncia.camtrap.presence import FrameEvidence
from uncia.errors import RejectedImage
from uncia.imaging.tiles import FoundBoxes
from uncia.processors.bursts.second_looks import DISCOUNT
from uncia.training.presence.evaluation import PresencePredictions, detector_alone
from uncia.training.presence.evidence import OpenDetector, open_detector
from uncia.training.presence.labelled_bursts import LabelledBurst, LabelledFrame, PreparedBurst, prepare_bursts

CATEGORIES = ("animal", "person")
FIRST = (0.1, 0.1, 0.2, 0.2)
OTHER = (0.6, 0.6, 0.1, 0.1)


def evidence(*scores: float, category: str = "animal") -> FrameEvidence:
    boxes = np.array([(0.1 + 0.3 * number, 0.1, 0.2, 0.2) for number in range(len(scores))]).reshape(-1, 4)
    return FrameEvidence(boxes, np.array(scores), (category,) * len(scores))


def burst(*frames: FrameEvidence) -> PreparedBurst:
    named = tuple(LabelledFrame(frame, True, None, f"{number}.jpg") for number, frame in enumerate(frames))
    return prepare_bursts([LabelledBurst("north/1", "north", "", named, True)], 0.35)[0]


def test_the_best_frames_of_an_inconclusive_burst_are_asked() -> None:
    own = burst(evidence(0.3), evidence(0.6), evidence(), evidence(0.4))
    assert frames_to_look_at(own, detector_alone(), 0.5, 0.3, 3) == (1, 3, 0)


@pytest.mark.parametrize("score", [0.05, 0.95])
def test_no_frame_of_a_conclusive_burst_is_asked(score: float) -> None:
    assert frames_to_look_at(burst(evidence(score)), detector_alone(), 0.5, 0.3, 3) == ()


def test_evidence_is_combined_as_in_the_stream() -> None:
    tiles = FoundBoxes.of([FIRST, OTHER, OTHER], [0.1, 0.9, 0.8], [0, 0, 0])
    after = look_again(evidence(0.5), tiles, CATEGORIES)
    assert after.boxes.tolist() == [list(OTHER), list(FIRST)]
    # What is seen twice counts once, the first look keeps its score, and a new box is lowered.
    odds = np.log(after.scores[0] / (1 - after.scores[0]))
    assert odds == pytest.approx(np.log(0.9 / 0.1) - DISCOUNT, abs=1e-4)
    assert after.scores[1] == 0.5
    assert after.categories == ("animal", "animal")


def test_a_second_look_that_finds_nothing_changes_nothing() -> None:
    for first in (evidence(), evidence(0.5), evidence(0.5, category="person")):
        after = look_again(first, FoundBoxes.of([], [], []), CATEGORIES)
        assert after.boxes.tolist() == first.boxes.tolist()
        assert after.scores.tolist() == first.scores.tolist()
        assert after.categories == first.categories


def test_boxes_of_the_tiles_are_shares_of_the_photograph_without_cut_ones(tmp_path: Path) -> None:
    detector = open_detector(write_detector(tmp_path / "detector", scores=(0.9, 0.6, 0.0, 0.0, 0.0)))
    found = detect_tiles(detector, Image.new("RGB", (256, 192)))
    # The vehicle is as wide as its tile, so that an inner edge cuts it; the animal is in the middle of all four.
    assert found.categories.tolist() == [0, 0, 0, 0]
    kept = 1 - FRAME.crop_top - FRAME.crop_bottom
    first = [0.25 * 0.6, FRAME.crop_top + 0.25 * 0.6 * kept, 0.5 * 0.6, 0.5 * 0.6 * kept]
    assert found.boxes[0] == pytest.approx(first)
    assert found.boxes[3] == pytest.approx([first[0] + 0.4, first[1] + 0.4 * kept, *first[2:]])


def test_tiles_are_detected_once_and_again_where_the_cache_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = open_detector(write_detector(tmp_path / "detector", scores=(0.9, 0.6, 0.0, 0.0, 0.0)))
    path, calls = tmp_path / "photograph.jpg", list[int]()
    Image.new("RGB", (128, 96)).save(path)
    cache = TileCache(tmp_path / "tiles")

    def counted(detector: OpenDetector, image: Image.Image) -> FoundBoxes:
        calls.append(1)
        return detect_tiles(detector, image)

    monkeypatch.setattr(module, "detect_tiles", counted)
    first = cache.detections(detector, path)
    again = cache.detections(detector, path)
    assert len(calls) == 1
    assert again.found.boxes.tolist() == first.found.boxes.tolist()
    assert again.seconds == first.seconds
    (stored,) = (tmp_path / "tiles").iterdir()
    stored.write_bytes(stored.read_bytes()[:50])
    cache.detections(detector, path)
    assert len(calls) == 2


def test_a_file_that_is_no_photograph_is_rejected(tmp_path: Path) -> None:
    detector = open_detector(write_detector(tmp_path / "detector"))
    (tmp_path / "text.jpg").write_text("text")
    with pytest.raises(RejectedImage):
        TileCache(tmp_path / "tiles").detections(detector, tmp_path / "text.jpg")


def predictions(scores: list[float], truth: list[bool], dataset: str = "north") -> PresencePredictions:
    names = np.array([f"{dataset}/{number}" for number in range(len(scores))])
    shown, values = np.array(truth), np.array(scores)
    none = np.zeros(0, dtype=bool)
    return PresencePredictions(shown, values, names, shown, values, names, none, none.astype(np.str_))


TRUTH = [True, True, True, False, False]


def looks(before: list[float], after: list[float], dataset: str = "north", threshold: float = 0.6) -> SecondLooks:
    changed = np.array(before) != np.array(after)
    return SecondLooks.of(
        predictions(before, TRUTH, dataset),
        predictions(after, TRUTH, dataset),
        threshold,
        3 * changed,
        2.0 * changed,
    )


def test_animals_found_and_blanks_called_are_counted_before_and_after() -> None:
    facts = figures_of_looks(looks([0.9, 0.5, 0.4, 0.5, 0.1], [0.9, 0.7, 0.4, 0.65, 0.1]), seed=1)
    assert (facts["requested"], facts["requested_blank"], facts["frames_looked"]) == (2, 1, 6)
    for items in (facts["bursts"], facts["frames"]):
        assert [items["found"][name] for name in ("of", "before", "after")] == [3, 1, 2]
        assert [items["false"][name] for name in ("of", "before", "after")] == [2, 0, 1]
        assert items["found"]["change"]["value"] == pytest.approx(1 / 3)


def test_seconds_are_those_of_the_bursts_that_were_timed() -> None:
    before, after = [0.5, 0.5, 0.4, 0.5, 0.1], [0.9, 0.9, 0.4, 0.5, 0.1]
    own = replace(looks(before, after), seconds=np.array([2.0, np.nan, 0, 0, 0]))
    seconds = figures_of_looks(own, seed=1)["seconds"]
    assert seconds["bursts"] == 1
    assert seconds["a_burst"]["value"] == 2.0
    assert seconds["a_frame"]["value"] == pytest.approx(2 / 3)


def test_first_looks_are_compared_at_the_same_number_of_alarms() -> None:
    # A threshold just over 0.1 calls one of the blanks an animal too, and finds all animals.
    facts = figures_of_looks(looks([0.9, 0.5, 0.4, 0.5, 0.1], [0.9, 0.7, 0.4, 0.65, 0.1]), seed=1)
    assert facts["bursts"]["found_at_equal_alarms"] == 3


def test_a_second_look_that_changes_nothing_has_no_effect() -> None:
    same = [0.9, 0.5, 0.4, 0.5, 0.1]
    facts = figures_of_looks(looks(same, same), seed=1)
    assert facts["requested"] == 0
    assert facts["seconds"] is None
    assert facts["bursts"]["auc"]["change"] == {"low": 0.0, "value": 0.0, "high": 0.0}


def test_data_sets_are_joined_with_the_threshold_of_each() -> None:
    same = [0.9, 0.5, 0.4, 0.5, 0.1]
    facts = figures_of_looks(pooled_looks([looks(same, same), looks(same, same, "south", 0.45)]), seed=1)
    assert facts["bursts"]["found"]["before"] == 1 + 2
    assert facts["bursts"]["false"]["before"] == 0 + 1


def test_without_blanks_there_is_no_area_under_the_curve() -> None:
    one = predictions([0.5], [True])
    facts = figures_of_looks(SecondLooks.of(one, one, 0.6, np.zeros(1, dtype=np.int64), np.zeros(1)), seed=1)
    assert facts["bursts"]["auc"] is None
    assert facts["bursts"]["false"]["change"] is None


def test_other_bursts_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="not the same"):
        SecondLooks.of(
            predictions([0.5], [True]),
            predictions([0.5], [True], "south"),
            0.6,
            np.zeros(1, dtype=np.int64),
            np.zeros(1),
        )


def test_the_step_is_skipped_with_a_reason_without_a_detector_or_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report(tmp_path, QUICK_SIZES, 1, lambda line: None, {})
    monkeypatch.setattr(module, "DETECTOR", tmp_path / "none")
    assert "no detector" in second_look_step(report)["skipped"]
    monkeypatch.setattr(module, "DETECTOR", tmp_path)
    monkeypatch.setattr(module, "genuine_datasets", dict)
    assert "data sets" in second_look_step(report)["skipped"]
