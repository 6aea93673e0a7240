"""A tiny detector is trained end to end, resumes after a kill, and becomes a package that can be installed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.detector_card import read_installed_detector_card
from uncia.training import TrainingError
from uncia.training.detectors import quantised, training_loop
from uncia.training.detectors.annotated_frames import AnnotatedFrame, AnnotatedFrames, FrameSplit, TrueBox
from uncia.training.detectors.hard_negatives import HardNegatives, mine_hard_negatives
from uncia.training.detectors.package_writing import write_detector_package
from uncia.training.detectors.quantised import quantise_detector
from uncia.training.detectors.training import fine_tune, load_published, train_faster_rcnn
from uncia.training.detectors.training_loop import LoopSettings, train_detector
from uncia.training.detectors.yolox_architecture import YoloXArchitecture, with_categories
from uncia.triton_models.packages.validation import validate_package
from uncia.triton_models.recipes import yolox
from uncia.triton_models.recipes.detector_graph import export
from uncia.triton_models.releases.installation import install

SPEC = FrameSpec(width=96, height=64, window=96, crop_top=0, crop_bottom=0)
SETTINGS = LoopSettings(epochs=3, patience=3, batch=4, rate=2e-3, scale=1.0, negatives=0.5, seed=3)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of a busy machine wait for each other far longer than a network of this size computes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def photograph(path: Path, number: int, box: bool) -> AnnotatedFrame:
    """Noise, and a bright square where there is a box; some blanks have a faint one."""
    random = np.random.default_rng(number)
    pixels = random.integers(60, 110, (64, 96, 3)).astype(np.uint8)
    left, top, side = int(random.integers(4, 60)), int(random.integers(4, 34)), 24
    if box or number % 3 == 0:
        pixels[top : top + side, left : left + side] = 230 if box else 140
    Image.fromarray(pixels).save(path, quality=95)
    true = (TrueBox((left / 96, top / 64, side / 96, side / 64)),) if box else ()
    return AnnotatedFrame(path, true, f"burst-{number}", f"camera-{number % 4}")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[AnnotatedFrame]:
    folder = tmp_path_factory.mktemp("photographs")
    return [photograph(folder / f"{number}.jpg", number, box=number % 2 == 0) for number in range(24)]


@pytest.fixture(scope="module")
def parts(frames: list[AnnotatedFrame]) -> FrameSplit:
    return FrameSplit(tuple(frames[:14]), tuple(frames[14:19]), tuple(frames[19:]), "burst")


def network() -> yolox.YoloX:
    torch.manual_seed(0)
    return yolox.YoloX(1, width=0.125).eval()


def weights_of(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in model.state_dict().values()])


def test_a_killed_run_resumes_and_gives_the_weights_of_one_that_was_not_killed(
    parts: FrameSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fine_tune(parts, network(), SETTINGS, "none", tmp_path / "whole", spec=SPEC)

    def kill(step: str, done: int, total: int) -> None:
        if step.startswith("epoch 2") and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tune(parts, network(), SETTINGS, "none", tmp_path / "killed", kill, spec=SPEC)
    trained: list[int] = []

    def record(step: str, done: int, total: int) -> None:
        if step.startswith("epoch"):
            trained.append(int(step.split()[1]))

    resumed = fine_tune(parts, network(), SETTINGS, "none", tmp_path / "killed", record, spec=SPEC)
    assert set(trained) == {2, 3}
    assert torch.equal(weights_of(whole.graph), weights_of(resumed.graph))
    assert [point.step for point in resumed.curve] == [0, 1, 2, 3]


def test_a_checkpoint_of_other_settings_is_not_used(parts: FrameSplit, tmp_path: Path) -> None:
    one = LoopSettings(epochs=1, batch=4, scale=1.0)
    fine_tune(parts, network(), one, "none", tmp_path, spec=SPEC)
    steps: list[str] = []
    fine_tune(parts, network(), one, "neck", tmp_path, lambda step, done, total: steps.append(step), spec=SPEC)
    assert "epoch 1 of at most 1" in steps


def test_a_frozen_backbone_stays_as_it_is(parts: FrameSplit, tmp_path: Path) -> None:
    architecture = YoloXArchitecture(network(), SPEC, "backbone")
    before = weights_of(architecture.network.backbone.backbone).clone()
    head = weights_of(architecture.network.head).clone()
    categories = (parts.train[0].boxes[0].category,)
    # Without held-out frames the last epoch counts.
    only = FrameSplit(parts.train, (), (), "burst")
    train_detector(architecture, categories, only, SETTINGS, tmp_path)
    assert torch.equal(before, weights_of(architecture.network.backbone.backbone))
    assert not torch.equal(head, weights_of(architecture.network.head))


def test_hard_blanks_are_chosen_by_the_network(
    parts: FrameSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []

    def record(scores: np.ndarray, count: int) -> HardNegatives:
        seen.append(scores)
        return mine_hard_negatives(scores, count)

    monkeypatch.setattr(training_loop, "mine_hard_negatives", record)
    fine_tune(parts, network(), LoopSettings(epochs=1, batch=4, scale=1.0), "none", tmp_path, spec=SPEC)
    assert len(seen) == 1 and len(seen[0]) == sum(not frame.boxes for frame in parts.train)


def test_the_package_is_valid_and_installs_as_a_new_version(parts: FrameSplit, tmp_path: Path) -> None:
    finished = fine_tune(parts, network(), SETTINGS, "none", tmp_path / "work", spec=SPEC)
    data = AnnotatedFrames(parts.train, "squares", 2)
    package = write_detector_package(finished, data, parts, tmp_path / "package", seed=1)
    assert set(package.figures) == {"before", "after"}
    assert "mAP@0.5" in package.figures["after"]
    assert any("Not split by camera" in note for note in package.notes)
    assert any("2 photographs" in note for note in package.notes)
    page = (package.folder / "card.html").read_text()
    assert "Not split by camera" in page and "before training" in page
    assert validate_package(package.folder).card.onnx_sha256 == package.card.onnx_sha256
    repository = tmp_path / "repository"
    repository.mkdir()
    for version in ("1", "2"):
        assert install(package.folder, repository).version == version
    assert read_installed_detector_card(repository, "animal_detector", "2").categories == package.card.categories


def test_int8_is_kept_where_the_held_out_frames_show_no_loss(
    parts: FrameSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = fine_tune(parts, network(), SETTINGS, "none", tmp_path / "work", spec=SPEC)
    data = AnnotatedFrames(parts.train, "squares", 0)
    monkeypatch.setattr(quantised, "MOST_LOST", 1.0)
    small = write_detector_package(finished, data, parts, tmp_path / "int8", seed=1, int8=True)
    assert validate_package(small.folder).card.weights.endswith("in int8")
    assert b"QuantizeLinear" in (small.folder / "model.onnx").read_bytes()
    monkeypatch.setattr(quantised, "MOST_LOST", -1.0)
    large = write_detector_package(finished, data, parts, tmp_path / "float32", seed=1, int8=True)
    assert large.card.weights.endswith("in float32")
    assert any("in int8 the held-out score falls" in note for note in large.notes)


def test_int8_needs_held_out_frames_to_be_compared_on(parts: FrameSplit, tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    export(YoloXArchitecture(network(), SPEC).graph(SPEC), SPEC, graph)
    outcome = quantise_detector(graph.read_bytes(), FrameSplit(parts.train, (), parts.test, "burst"), SPEC, {})
    assert outcome.graph is None and "no held-out frames" in outcome.note


def test_more_categories_start_with_the_weights_of_the_one(parts: FrameSplit) -> None:
    one, two = network(), with_categories(network(), 2)
    pixels = torch.rand(1, 3, 64, 96) * 255
    with torch.no_grad():
        for first, second in zip(one(pixels), two(pixels), strict=True):
            assert torch.allclose(first[:, 5:].expand(-1, 2, -1, -1), second[:, 5:], atol=1e-5)


def test_another_weights_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="not the published weights"):
        load_published(tmp_path / "other.pth")
    with pytest.raises(TrainingError, match="make setup"):
        load_published(tmp_path / "missing.pth")


@pytest.mark.thorough
def test_faster_rcnn_trains_from_scratch_and_its_package_is_valid(parts: FrameSplit, tmp_path: Path) -> None:
    settings = LoopSettings(epochs=1, batch=4, rate=1e-4, negatives=0.2)
    few = FrameSplit(parts.train[:6], parts.held_out[:2], parts.test, "burst")
    finished = train_faster_rcnn(few, None, settings, tmp_path / "work", spec=SPEC)
    assert "Trained from scratch" in finished.notes[0] or "before training" in finished.notes[0]
    package = write_detector_package(finished, AnnotatedFrames(few.train, "squares", 0), few, tmp_path / "p", seed=1)
    validate_package(package.folder)
