"""A wrapped ONNX detector gives the boxes of the original as shares of the frame; bad files are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from uncia.imaging.frames import Pixels
from uncia.serving.detector_card import DetectorCard
from uncia.triton_models.detectors.onnx_builder import FLOAT, OnnxBuilder, checked_bytes, tensor
from uncia.triton_models.importing.detector_import import make_detector_package
from uncia.triton_models.packages.validation import ModelRefused, ValidatedPackage
from uncia.triton_models.releases.installation import install

WIDTH, HEIGHT = 64, 48
SIDE = 80
"""Width and height of the network's input."""

FEW, MANY = 300, 5000


class MyDetector:
    """A folder with a detector's graph and its description, changed by a test before it is imported.

    The network returns constant boxes in pixels of its input; the mean of the picture is added to the scores, so that
    the preparation matters.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.graph = folder, folder / "user.onnx"
        self.description: dict[str, Any] = {
            "kind": "detector",
            "name": "forest_detector",
            "categories": ["animal", "human", "car", "truck"],
            "frame": {"width": WIDTH, "height": HEIGHT, "crop_top": 0, "crop_bottom": 0},
            "input": {"layout": "NCHW", "scale": 1 / 255, "width": SIDE, "height": SIDE, "fit": "letterbox"},
            "output": {"kind": "yolo"},
        }

    def write(
        self, outputs: dict[str, NDArray[Any]], *, inputs: int = 1, opset: int = 17, batch: int | str = "batch"
    ) -> None:
        """Write a graph that returns these arrays (without their batch) plus the mean of the picture times 0.1."""
        builder = OnnxBuilder(opset)
        one = builder.constant([1], np.int64)
        # The border counts too: its grey is part of the mean.
        mean = builder.add("GlobalAveragePool", "images")
        mean = builder.sum_over(builder.reshape(mean, [0, 3]), 1)
        mean = builder.add("Mul", mean, builder.constant(0.1 / 3))
        first = builder.columns(builder.add("Shape", "images"), 0, 1, 0)
        described = []
        for name, values in outputs.items():
            changed = np.zeros(values.shape[-2:], np.float32)
            shape = [1] * (values.ndim + 1)
            repeats = builder.add("Concat", first, *[one] * values.ndim, axis=0)
            tiled = builder.add("Tile", builder.constant(values[None]), repeats)
            # Only scores: boxes are columns or rows 0 to 3 of a joint output, and the whole of a separate one.
            if values.shape[0] < 20:
                changed[4:] = 1
            elif values.shape[1] != 4:
                changed[:, 4 if len(outputs) == 1 else 0 :] = 1
            added = builder.add("Mul", builder.reshape(mean, [-1, *shape[1:]]), builder.constant(changed))
            builder.add("Add", tiled, added, output=name)
            described.append(tensor(name, FLOAT, [batch, *values.shape]))
        taken = [tensor("images", FLOAT, [batch, 3, SIDE, SIDE])]
        taken += [tensor(f"size{index}", FLOAT, [2]) for index in range(1, inputs)]
        self.graph.write_bytes(checked_bytes(builder.model(taken, described)))

    def imported(self) -> ValidatedPackage[DetectorCard]:
        path = self.folder / "description.json"
        path.write_text(json.dumps(self.description))
        return make_detector_package(self.graph, path, self.folder / "package")

    def detect(self, frame: Pixels) -> list[tuple[int, float, list[float]]]:
        """Category, score and box of what the imported package finds in a frame."""
        package = self.imported()
        session = onnxruntime.InferenceSession(str(package.folder / "model.onnx"), providers=["CPUExecutionProvider"])
        boxes, scores, categories = session.run(["BOXES", "SCORES", "CATEGORIES"], {"FRAME": frame[None]})
        return [
            (int(category), float(score), [float(side) for side in box])
            for box, score, category in zip(boxes[0], scores[0], categories[0], strict=True)
            if score > 0.05
        ]


@pytest.fixture
def mine(tmp_path: Path) -> MyDetector:
    return MyDetector(tmp_path)


def grey(value: int) -> Pixels:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def yolo(boxes: int = FEW, classes: int = 4) -> NDArray[np.float32]:
    """Channels first: a box in the middle of the letterboxed frame, overlapping ones, and nothing."""
    values = np.zeros((4 + classes, boxes), np.float32)
    # The frame of 64 x 48 lies as 80 x 60 at 0, 10.
    values[:4, 0] = 40, 40, 40, 30
    values[4, 0] = 0.5
    values[:4, 1] = 42, 40, 40, 30
    values[4, 1] = 0.4
    values[:4, 2] = 10, 20, 20, 20
    values[4 + classes - 1, 2] = 0.6
    return values


MIDDLE, CORNER = [0.25, 0.25, 0.5, 0.5], [0.0, 0.0, 0.25, 1 / 3]


def test_boxes_of_a_letterboxed_yolo_are_shares_of_the_frame(mine: MyDetector) -> None:
    mine.write({"output0": yolo()})
    vehicle, animal = mine.detect(grey(0))
    border = 0.25 * 114 / 255 * 0.1
    assert vehicle[0] == 2 and vehicle[1] == pytest.approx(0.6 + border, abs=1e-4)
    assert animal[0] == 0 and animal[1] == pytest.approx(0.5 + border, abs=1e-4)
    assert vehicle[2] == pytest.approx(CORNER, abs=1e-5)
    assert animal[2] == pytest.approx(MIDDLE, abs=1e-5)


def test_pixels_are_prepared_as_described(mine: MyDetector) -> None:
    mine.write({"output0": yolo()})
    mine.description["input"] |= {"fill": 0, "mean": [0.1, 0.1, 0.1], "std": [0.5, 0.5, 0.5]}
    white = mine.detect(grey(255))[0][1]
    black = mine.detect(grey(0))[0][1]
    assert white - black == pytest.approx(0.75 / 0.5 * 0.1, abs=1e-4)


@pytest.mark.parametrize(("anchor", "top"), [("top-left", 0), ("centre", 10)])
def test_the_frame_lies_where_the_description_says(mine: MyDetector, anchor: str, top: int) -> None:
    values = yolo()
    values[1] += top - 10
    mine.write({"output0": values})
    mine.description["input"]["anchor"] = anchor
    assert mine.detect(grey(0))[1][2] == pytest.approx(MIDDLE, abs=1e-5)


def test_a_stretched_frame_fills_the_input(mine: MyDetector) -> None:
    values = yolo()
    values[:4, 0] = 40, 40, 40, 40
    mine.write({"output0": values})
    mine.description["input"]["fit"] = "stretch"
    assert mine.detect(grey(0))[1][2] == pytest.approx(MIDDLE, abs=1e-5)


def test_objectness_multiplies_the_scores_of_channels_last(mine: MyDetector) -> None:
    joint = yolo().T
    with_objects = np.concatenate([joint[:, :4], np.full((FEW, 1), 0.5, np.float32), joint[:, 4:]], axis=1)
    mine.write({"output0": with_objects})
    mine.description["output"] |= {"layout": "channels-last", "objectness": True}
    mine.description["input"]["fill"] = 0
    assert [round(score, 3) for _, score, _ in mine.detect(grey(0))] == [0.3, 0.25]


@pytest.mark.parametrize("form", ["corner", "corners"])
def test_other_forms_of_boxes(mine: MyDetector, form: str) -> None:
    values = yolo()
    values[:2] -= values[2:4] / 2
    if form == "corners":
        values[2:4] += values[:2]
    mine.write({"output0": values})
    mine.description["output"]["format"] = form
    assert mine.detect(grey(0))[1][2] == pytest.approx(MIDDLE, abs=1e-5)


def test_rtdetr_has_logits_and_shares_and_no_suppression(mine: MyDetector) -> None:
    boxes = np.tile(np.array([0.5, 0.5, 0.5, 0.5], np.float32), (FEW, 1))
    logits = np.full((FEW, 4), -20, np.float32)
    logits[3, 1], logits[9, 0] = 2, 1
    mine.write({"pred_boxes": boxes, "pred_logits": logits})
    mine.description["input"] |= {"fit": "stretch", "fill": 0}
    mine.description["output"] = {"kind": "rtdetr", "boxes": "pred_boxes", "scores_tensor": "pred_logits"}
    found = mine.detect(grey(0))
    assert [(category, round(score, 3)) for category, score, _ in found] == [(1, 0.881), (0, 0.731)]
    assert found[0][2] == pytest.approx(MIDDLE)


def test_five_thousand_boxes_are_reduced_to_the_best(mine: MyDetector) -> None:
    rng = np.random.default_rng(1)
    values = np.zeros((8, MANY), np.float32)
    values[:2] = rng.uniform(0, 80, (2, MANY))
    values[2:4] = 2
    values[4] = rng.uniform(0.1, 0.8, MANY)
    mine.write({"output0": values})
    found = mine.detect(grey(0))
    assert len(found) == 32
    assert found[0][1] > 0.79


def test_classes_without_a_name_are_left_out(mine: MyDetector) -> None:
    mine.write({"output0": yolo()})
    mine.description["categories"] = ["animal", "", "", ""]
    assert [category for category, _, _ in mine.detect(grey(0))] == [0]


def test_the_package_can_be_installed(mine: MyDetector, tmp_path: Path) -> None:
    mine.write({"output0": yolo()})
    mine.description |= {"licence": "MIT", "trained_on": "my cameras"}
    package = mine.imported()
    card = install(package.folder, tmp_path / "repository")
    assert (card.name, card.kind, card.licence) == ("forest_detector@1", "detector", "MIT")
    assert "mine" not in (package.folder / "card.html").read_text()


def refuse(mine: MyDetector) -> str:
    with pytest.raises(ModelRefused) as caught:
        mine.imported()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_nan_is_refused(mine: MyDetector) -> None:
    values = yolo()
    values[5, 200] = np.nan
    mine.write({"output0": values})
    assert "returns NaN or infinite values" in refuse(mine)


def test_nan_boxes_are_refused(mine: MyDetector) -> None:
    values = yolo()
    values[1, 0] = np.nan
    mine.write({"output0": values})
    assert "NaN" in refuse(mine) or "no box" in refuse(mine)


def test_logits_instead_of_probabilities_are_noticed(mine: MyDetector) -> None:
    values = yolo()
    values[4, 0] = 3
    mine.write({"output0": values})
    assert 'set output.scores = "logits"' in refuse(mine)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["animal", "wolf", "car", "truck"], "'wolf' is no category: use animal, person, vehicle"),
        (["", "", "", ""], "every class is left out"),
        (["blank", "animal", "car", "truck"], "'blank' is no category"),
        (["animal"], "says 5 numbers per box (1 categories)"),
    ],
)
def test_wrong_categories_are_refused(mine: MyDetector, names: list[str], sentence: str) -> None:
    mine.write({"output0": yolo()})
    mine.description["categories"] = names
    assert sentence in refuse(mine)


def test_wrong_shapes_are_refused(mine: MyDetector) -> None:
    mine.write({"output0": yolo().T})
    assert "output0 is ['batch', 300, 8], and the description says 8 numbers per box" in refuse(mine)
    mine.write({"output0": yolo()})
    mine.description["input"]["width"] = 96
    assert "images is ['batch', 3, 80, 80], and the description says NCHW: [batch, 3, 80, 96]" in refuse(mine)


def test_wrong_tensors_are_refused(mine: MyDetector) -> None:
    mine.write({"output0": yolo(), "other": yolo()})
    assert "has the outputs output0, other: set output.tensor" in refuse(mine)
    mine.write({"output0": yolo()}, inputs=2)
    assert "takes 2 inputs (images, size1)" in refuse(mine)
    mine.write({"a": np.zeros((300, 4), np.float32), "b": np.zeros((200, 4), np.float32)})
    mine.description["output"] = {"kind": "pair", "boxes": "a", "scores_tensor": "b"}
    assert "a and b differ in the number of boxes" in refuse(mine)


def test_other_files_are_refused(mine: MyDetector) -> None:
    assert "there is no ONNX file" in refuse(mine)
    mine.graph.write_bytes(b"no graph")
    assert "the file is not ONNX, or incomplete" in refuse(mine)


def test_an_unknown_field_is_refused(mine: MyDetector) -> None:
    mine.write({"output0": yolo()})
    mine.description["output"]["nms"] = True
    assert "output.nms" in refuse(mine)
