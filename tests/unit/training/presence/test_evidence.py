"""Evidence of photographs: the detector's boxes as the stream publishes them, cached, and the truth of bursts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.paths import SHARED
from tests.unit.training.presence.tiny_detector import FRAME, write_detector
from uncia.camtrap.box_choice import ChosenBox
from uncia.camtrap.movement import intersection_over_union
from uncia.camtrap.presence import load_presence_model
from uncia.imaging.luminance import luminance_grid
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.presence import evidence as module
from uncia.training.presence.evidence import EvidenceCache, OpenDetector, collect_evidence, open_detector

INSTALLED = Path(".local/models/repository/animal_detector")


@pytest.fixture
def detector(tmp_path: Path) -> OpenDetector:
    return open_detector(write_detector(tmp_path / "detector"))


def photograph(path: Path, grey: int) -> Path:
    Image.new("RGB", (128, 96), (grey, grey, grey)).save(path, quality=95)
    return path


def sample(path: Path, label: str, burst: str, group: str = "") -> Sample:
    return Sample(path, label, burst, "", group=group or ("nothing" if label == "blank" else "animal"))


def test_boxes_are_shares_of_the_photograph_best_first(detector: OpenDetector, tmp_path: Path) -> None:
    pixels = load_frame(photograph(tmp_path / "bright.jpg", 153), FRAME)
    found = detector.evidence(pixels)
    assert found.categories == ("vehicle", "animal", "animal")
    assert found.scores == pytest.approx([0.9, 0.6, 0.03], abs=0.01)
    # 10 % of the photograph lies above the frame, which is 60 % of its height.
    assert found.boxes[1] == pytest.approx([0.25, 0.1 + 0.6 * 0.25, 0.5, 0.6 * 0.5])
    assert found.luminance is not None and np.array_equal(found.luminance, luminance_grid(pixels))
    assert found.luminance_box == pytest.approx((0, 0.1, 1, 0.6))


def test_weak_boxes_and_boxes_without_area_are_no_evidence(tmp_path: Path) -> None:
    detector = open_detector(write_detector(tmp_path / "weak", scores=(0.019, 0.0, 0.9, 0.02, 0.0)))
    found = detector.evidence(np.zeros((FRAME.height, FRAME.width, 3), np.uint8))
    assert found.scores == pytest.approx([0.02])


def test_a_vehicle_is_no_evidence_for_an_animal(tmp_path: Path) -> None:
    detector = open_detector(write_detector(tmp_path / "vehicle", scores=(0.95, 0, 0, 0, 0)))
    nothing = open_detector(write_detector(tmp_path / "nothing", scores=(0, 0, 0, 0, 0)))
    pixels = np.zeros((FRAME.height, FRAME.width, 3), np.uint8)
    model = load_presence_model()
    vehicle = detector.evidence(pixels)
    assert vehicle.categories == ("vehicle",)
    assert model.burst_probability([vehicle]) == model.burst_probability([nothing.evidence(pixels)])
    assert model.best_boxes([vehicle]) == [None]


def test_scores_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    detector = open_detector(write_detector(tmp_path / "broken", scores=(float("nan"), 0, 0, 0, 0)))
    with pytest.raises(TrainingError, match="tiny_detector returned scores"):
        detector.evidence(np.zeros((FRAME.height, FRAME.width, 3), np.uint8))


@pytest.mark.parametrize("broken", ["no folder", "no card", "no graph", "no such output"])
def test_what_is_no_detector_is_refused_with_its_name(broken: str, tmp_path: Path) -> None:
    folder = tmp_path / "detector"
    if broken != "no folder":
        write_detector(folder)
    if broken == "no card":
        (folder / "model.json").unlink()
    if broken == "no graph":
        (folder / "model.onnx").write_bytes(b"no graph")
    if broken == "no such output":
        card = (folder / "model.json").read_text()
        (folder / "model.json").write_text(card.replace("FOUND_SCORES", "SCORES"))
    with pytest.raises(TrainingError, match="detector is not a detector"):
        open_detector(folder)


def test_cached_evidence_is_the_same_and_needs_no_detector(
    detector: OpenDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = photograph(tmp_path / "a.jpg", 100), EvidenceCache(tmp_path / "cache")
    first = cache.evidence(detector, path)
    monkeypatch.setattr(module, "load_frame", None)
    again = cache.evidence(detector, path)
    assert again.categories == first.categories and again.luminance_box == first.luminance_box
    assert np.array_equal(again.boxes, first.boxes) and np.array_equal(again.scores, first.scores)
    assert first.luminance is not None and again.luminance is not None
    assert np.array_equal(again.luminance, first.luminance)


def test_another_detector_or_a_damaged_cache_is_computed_again(detector: OpenDetector, tmp_path: Path) -> None:
    path, cache = photograph(tmp_path / "a.jpg", 100), EvidenceCache(tmp_path / "cache")
    first = cache.evidence(detector, path)
    other = open_detector(write_detector(tmp_path / "other", scores=(0, 0.7, 0, 0, 0)))
    assert cache.evidence(other, path).scores == pytest.approx([0.7])
    files = list(cache.folder.iterdir())
    assert len(files) == 2
    for file in files:
        file.write_bytes(file.read_bytes()[:40])
    assert np.array_equal(cache.evidence(detector, path).scores, first.scores)


def test_frames_of_a_burst_keep_their_own_truth_where_the_data_tell(detector: OpenDetector, tmp_path: Path) -> None:
    paths = [photograph(tmp_path / f"{number}.jpg", 10 * number) for number in range(6)]
    samples = [
        sample(paths[0], "deer", "mixed"),
        sample(paths[1], "blank", "mixed"),
        sample(paths[2], "deer", "whole"),
        sample(paths[3], "deer", "whole"),
        sample(paths[4], "car", "with a car", "vehicle"),
        sample(paths[5], "deer", "with a car"),
    ]
    bursts, unreadable = collect_evidence([Dataset(tuple(samples), "")], ["set"], detector)
    assert [burst.name for burst in bursts] == ["set/mixed", "set/whole"]
    assert [[frame.animal for frame in burst.frames] for burst in bursts] == [[True, False], [True, True]]
    assert not unreadable


def test_labels_of_whole_bursts_are_not_taken_for_those_of_frames(detector: OpenDetector, tmp_path: Path) -> None:
    paths = [photograph(tmp_path / f"{number}.jpg", 10 * number) for number in range(6)]
    samples = [
        sample(paths[0], "deer", "a"),
        sample(paths[1], "deer", "a"),
        sample(paths[2], "blank", "b"),
        sample(paths[3], "blank", "b"),
        sample(paths[4], "deer", "c"),
    ]
    bursts, _ = collect_evidence([Dataset(tuple(samples), "")], ["set"], detector)
    assert [burst.animal for burst in bursts] == [True, False, True]
    assert [[frame.animal for frame in burst.frames] for burst in bursts] == [[None, None], [False, False], [True]]


def test_files_that_cannot_be_read_are_named_and_left_out(detector: OpenDetector, tmp_path: Path) -> None:
    samples = (sample(photograph(tmp_path / "a.jpg", 9), "deer", "a"), sample(tmp_path / "none.jpg", "blank", "b"))
    bursts, unreadable = collect_evidence([Dataset(samples, "")], ["set"], detector)
    assert [burst.name for burst in bursts] == ["set/a"]
    assert list(unreadable) == [tmp_path / "none.jpg"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="no sample photographs")
@pytest.mark.skipif(not INSTALLED.is_dir(), reason="no installed detector: `make setup` installs it")
def test_the_installed_detector_and_the_default_weights_tell_the_samples_apart() -> None:
    detector, model = open_detector(INSTALLED), load_presence_model()

    def probability(*paths: Path) -> float:
        return model.burst_probability([detector.evidence(load_frame(path, detector.card.frame)) for path in paths])

    samples = SHARED / "samples"
    heron = sorted((samples / "heron_burst").glob("*.JPG"))[:4]
    assert probability(*heron) >= model.threshold
    for blank in ("blank.jpg", "blank2.jpg", "blank3.jpg"):
        assert probability(samples / "single_frames" / blank) < model.threshold


HERON = [
    (0.37, 0.625, 0.68, 0.9),
    (0.485, 0.62, 0.62, 0.9),
    *[(0.5, 0.62, 0.62, 0.9)] * 4,
    (0.51, 0.62, 0.62, 0.9),
    (0.52, 0.62, 0.62, 0.9),
    (0.525, 0.62, 0.625, 0.9),
    (0.53, 0.675, 0.655, 0.915),
]
SNOW_LEOPARD = [
    (0.59, 0.235, 0.755, 0.44),
    (0.2, 0.165, 0.54, 0.5),
    (0.265, 0.207, 0.47, 0.635),
    (0.26, 0.22, 0.455, 0.635),
    (0.265, 0.207, 0.465, 0.635),
    (0.28, 0.19, 0.455, 0.64),
    (0.285, 0.2, 0.467, 0.64),
    (0.285, 0.2, 0.46, 0.64),
    (0.29, 0.2, 0.474, 0.64),
    (0.29, 0.187, 0.465, 0.65),
]
"""Left, top, right and bottom of the animal in the frames of the sample bursts, by eye."""


@pytest.mark.skipif(not SHARED.is_dir(), reason="no sample photographs")
@pytest.mark.skipif(not INSTALLED.is_dir(), reason="no installed detector: `make setup` installs it")
@pytest.mark.parametrize(
    ("burst", "corners", "focus_margin"),
    [("heron_burst", HERON, 0.0), ("snow_leopard_burst", SNOW_LEOPARD, 2.0)],
    ids=["heron", "snow leopard"],
)
def test_the_animals_of_the_sample_bursts_are_boxed_in_eight_of_ten_frames(
    burst: str, corners: list[tuple[float, float, float, float]], focus_margin: float
) -> None:
    # The dense pass scores the snow leopard far above its threshold in all ten frames.
    detector, model = open_detector(INSTALLED), load_presence_model()
    files = sorted((SHARED / "samples" / burst).glob("*.JPG"))
    found = [detector.evidence(load_frame(path, detector.card.frame)) for path in files]
    features = model.features([replace(evidence, focus_margin=focus_margin) for evidence in found])
    true = np.array([(left, top, right - left, bottom - top) for left, top, right, bottom in corners])

    def right(chosen: list[ChosenBox | None]) -> int:
        return sum(
            own is not None and bool(intersection_over_union(np.array([own.box]), box[None])[0, 0] >= 0.5)
            for own, box in zip(chosen, true, strict=True)
        )

    assert right(model.choose_boxes(features)) >= 8 > 2 > right(model.choose_boxes(features, by_movement=False))
