"""The detector's graph: the same as torch's, a fixed number of boxes, and animals found in genuine photographs."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.paths import SHARED
from uncia.imaging.frames import decode_frame
from uncia.serving.detector_card import DetectorCard, read_detector_card
from uncia.serving.self_tests import detector_test_frame
from uncia.settings import Settings
from uncia.triton_models.packages.validation import validate_package
from uncia.triton_models.recipes import animal_detector
from uncia.triton_models.recipes.building import BuildError, BuiltModel

torch = pytest.importorskip("torch")

from uncia.triton_models.recipes import detector_graph, megadetector_lite, quantisation, yolox  # noqa: E402
from uncia.triton_models.recipes.box_selection import BOXES, BoxSelection  # noqa: E402

SAMPLES = SHARED / "samples" / "single_frames"


@pytest.fixture(scope="session")
def weights() -> Path:
    path = Settings().detector_weights
    if not path.exists():
        pytest.skip(f"there are no weights at {path}: `make setup` fetches them")
    return path


@pytest.fixture(scope="session")
def detector(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltModel[DetectorCard]:
    return animal_detector.build(tmp_path_factory.mktemp("repository"), weights, precision="float32")


@pytest.fixture(scope="session")
def int8(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltModel[DetectorCard]:
    return animal_detector.build(tmp_path_factory.mktemp("int8"), weights)


def open_session(built: BuiltModel[DetectorCard]) -> onnxruntime.InferenceSession:
    path = str(built.folder / "1" / "model.onnx")
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="session")
def session(detector: BuiltModel[DetectorCard]) -> onnxruntime.InferenceSession:
    return open_session(detector)


def test_the_built_version_is_a_valid_package(detector: BuiltModel[DetectorCard]) -> None:
    package = validate_package(detector.folder / "1")

    assert package.card == detector.card == read_detector_card(detector.folder / "1")
    assert (detector.card.licence, detector.card.categories) == ("MIT", ("animal",))
    assert "zamba 2.7.2" in detector.card.weights


def test_an_up_to_date_detector_is_not_rebuilt(
    detector: BuiltModel[DetectorCard], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(animal_detector, "_build_version")

    assert not animal_detector.build(detector.folder.parent, weights, precision="float32").fresh


def test_precision_is_int8_for_cpus_and_part_of_what_makes_a_detector_outdated(int8: BuiltModel[DetectorCard]) -> None:
    assert int8.card.weights.endswith("in int8")
    assert int8.card.built_from == animal_detector.fingerprint("python", precision="int8")
    assert int8.card.built_from != animal_detector.fingerprint("python", precision="float32")
    assert animal_detector.fingerprint("onnxruntime") == animal_detector.fingerprint("onnxruntime", precision="float32")


def test_int8_that_differs_from_float32_is_not_built(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = dict.fromkeys(quantisation.published_ranges(), 0.5)
    monkeypatch.setattr(quantisation, "published_ranges", lambda: narrow)
    with pytest.raises(BuildError, match="UNCIA_DETECTOR_PRECISION=float32"):
        animal_detector.build(tmp_path / "repository", weights)
    assert not (tmp_path / "repository" / "animal_detector").exists()


def test_a_graph_with_other_tensors_than_the_table_is_refused(detector: BuiltModel[DetectorCard]) -> None:
    graph = (detector.folder / "1" / "model.onnx").read_bytes()
    with pytest.raises(ValueError, match="no ranges for 81 tensors"):
        quantisation.quantise(graph, {})


def test_measured_ranges_are_those_of_the_brightest_frame(detector: BuiltModel[DetectorCard]) -> None:
    graph = (detector.folder / "1" / "model.onnx").read_bytes()
    frame = detector_test_frame(animal_detector.FRAME)
    one, both = (quantisation.measure_ranges(graph, frames) for frames in ([frame], [frame, frame // 2]))

    assert one.keys() == quantisation.published_ranges().keys()
    assert all(both[name] >= one[name] > 0 for name in one)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not available")
def test_int8_finds_the_same_animals_in_genuine_photographs(
    session: onnxruntime.InferenceSession, int8: BuiltModel[DetectorCard]
) -> None:
    names = ("american_black_bear.jpg", "ocelot.jpg", "blank.jpg")
    frames = [
        decode_frame((SAMPLES / name).read_bytes(), int8.card.frame, max_pixels=50_000_000).pixels[None]
        for name in names
    ]
    quantised = open_session(int8)
    best, others = (
        np.concatenate([model.run(["SCORES"], {"FRAME": frame})[0][:, 0] for frame in frames])
        for model in (session, quantised)
    )

    np.testing.assert_allclose(others, best, atol=0.08)
    assert (others[:2] > 0.5).all()
    assert others[2] < 0.05


def test_another_weights_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"other")
    with pytest.raises(BuildError, match=r"not the published weights file .*`make setup`"):
        animal_detector.build(tmp_path / "repository", tmp_path / "weights.pth")
    assert not (tmp_path / "repository").exists()


def test_missing_weights_are_reported_with_what_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="`make setup` fetches them"):
        animal_detector.build(tmp_path / "repository", tmp_path / "weights.pth")


def test_merging_layers_for_inference_keeps_the_output(weights: Path) -> None:
    network = megadetector_lite.load_network(weights.read_bytes())
    pixels = torch.from_numpy(detector_test_frame(animal_detector.FRAME)).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        boxes, scores = yolox.decode(network(pixels))
        merged_boxes, merged_scores = yolox.decode(yolox.for_inference(network)(pixels))

    assert float((scores - merged_scores).abs().max()) < 1e-4
    assert float((boxes - merged_boxes).abs().max()) < 0.05


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not available")
def test_onnx_and_torch_agree_on_genuine_photographs_and_find_the_animals(
    detector: BuiltModel[DetectorCard], session: onnxruntime.InferenceSession, weights: Path
) -> None:
    names = ("american_black_bear.jpg", "ocelot.jpg", "blank.jpg")
    frames = np.stack(
        [
            decode_frame((SAMPLES / name).read_bytes(), detector.card.frame, max_pixels=50_000_000).pixels
            for name in names
        ]
    )
    boxes, scores, categories = session.run(list(detector_graph.OUTPUTS), {"FRAME": frames})
    model = megadetector_lite.load(weights.read_bytes(), detector.card.frame)
    expected = detector_graph.run_network(model, frames)

    np.testing.assert_allclose(scores, expected[1], atol=1e-3)
    shown = scores > 0.05
    np.testing.assert_allclose(boxes[shown], expected[0][shown], atol=1e-3)
    assert (categories == 0).all()
    assert (scores[:2, 0] > 0.5).all()
    assert scores[2, 0] < 0.05


def test_the_output_is_fixed_in_size_sorted_and_inside_the_frame(session: onnxruntime.InferenceSession) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2, 480, 640, 3), dtype=np.uint8)
    frames = np.concatenate([noise, np.zeros_like(noise[:1])])
    boxes, scores, categories = session.run(list(detector_graph.OUTPUTS), {"FRAME": frames})

    assert (boxes.shape, scores.shape, categories.shape) == ((3, BOXES, 4), (3, BOXES), (3, BOXES))
    assert (np.diff(scores, axis=1) <= 0).all()
    assert boxes.min() >= 0
    assert (boxes[..., :2] + boxes[..., 2:]).max() <= 1 + 1e-6


def selected(boxes: list[list[float]], scores: list[list[float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    outputs = BoxSelection(100, 100)(torch.tensor([boxes]), torch.tensor([scores]))
    first, second, third = (output[0].numpy() for output in outputs)
    return first, second, third


def test_five_thousand_boxes_become_thirty_two() -> None:
    boxes = [[i % 100 / 1.0, i // 100 * 2.0, 0.9, 0.9] for i in range(5000)]
    chosen, scores, _ = selected(boxes, [[0.2 + 0.6 * i / 5000] for i in range(5000)])

    assert len(chosen) == len(scores) == BOXES
    assert scores[0] == pytest.approx(0.8, abs=1e-3)


def test_of_overlapping_boxes_the_best_remains_whatever_its_category() -> None:
    boxes = [[10.0, 10, 40, 40], [12.0, 12, 40, 40], [70.0, 70, 20, 20]]
    chosen, scores, categories = selected(boxes, [[0.5, 0.1], [0.2, 0.9], [0.3, 0.1]])

    np.testing.assert_allclose(scores[:3], [0.9, 0.3, 0])
    np.testing.assert_allclose(chosen[0], [0.12, 0.12, 0.4, 0.4], atol=1e-6)
    assert list(categories[:2]) == [1, 0]


def test_boxes_outside_the_frame_are_clipped() -> None:
    chosen, _, _ = selected([[-50.0, -50, 100, 100]], [[0.9]])

    np.testing.assert_allclose(chosen[0], [0, 0, 0.5, 0.5], atol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_unsound_score_makes_all_scores_of_its_frame_nan(value: float) -> None:
    _, scores, _ = selected([[10.0, 10, 40, 40], [60.0, 60, 10, 10]], [[0.9], [value]])

    assert np.isnan(scores).all()
