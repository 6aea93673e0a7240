"""The script for machines with a GPU, as far as a CPU can run it."""

from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import gpu
from benchmarks.gpu import Figure, Model, figures, half_precision, open_session
from uncia.imaging.frame_spec import FrameSpec

FRAME = FrameSpec(width=32, height=24)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """Mean brightness by channel, with a weight: uint8 frames in, float32 scores out."""
    weight = numpy_helper.from_array(np.array([0.1, 0.2, 0.3], np.float32), "weight")
    nodes = [
        helper.make_node("Cast", ["FRAME"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "weight"], ["SCORES"]),
    ]
    frames = helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["n", 24, 32, 3])
    scores = helper.make_tensor_value_info("SCORES", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "brightness", [frames], [scores], [weight])
    path = tmp_path / "brightness" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return Model("brightness", path, "FRAME", FRAME, ("SCORES",))


def test_half_precision_keeps_the_types_of_inputs_and_outputs(model: Model, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    whole, half = (
        open_session(graph, "cpu", "fp32", tmp_path).run(["SCORES"], {"FRAME": frames})[0]
        for graph in (model.graph, half_precision(model.graph, tmp_path))
    )
    assert half.dtype == np.float32
    assert np.abs(whole - half).max() < 0.1


def test_every_batch_has_a_figure_and_a_missing_provider_a_sentence(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "_PHOTOGRAPHS", 2)
    found = list(figures([model], ["cpu", "cuda"], (1, 4), tmp_path, seconds=0.01, limit_s=600))
    rows = [one for one in found if isinstance(one, Figure)]
    assert [(row.provider, row.precision, row.batch) for row in rows] == [("cpu", "fp32", 1), ("cpu", "fp32", 4)]
    assert all(row.images_per_s > 0 and row.with_decoding_per_s > 0 for row in rows)
    assert [one for one in found if isinstance(one, str) and "CUDAExecutionProvider" in one] == found[2:]


def test_what_is_left_at_the_limit_is_named(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_PHOTOGRAPHS", 2)
    (line,) = islice(figures([model], ["cpu"], (1, 4), tmp_path, seconds=0.01, limit_s=0), 3)
    assert line == "brightness, cpu, fp32, batches from 1: no time was left"
