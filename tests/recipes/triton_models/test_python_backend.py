"""The code that runs inside Triton: requests of a batch get their own outputs, and failures are errors."""

import importlib
import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import self_test_pattern
from uncia.triton_models.recipes.species_classifier import BuildResult


@dataclass
class Tensor:
    name: str
    array: Any

    def as_numpy(self) -> Any:
        return self.array


@dataclass
class Response:
    output_tensors: list[Tensor] = field(default_factory=list)
    error: Any = None


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """The module as Triton would load it, over a stand-in for Triton's helper."""
    helper = types.ModuleType("triton_python_backend_utils")
    helper.Tensor = Tensor  # type: ignore[attr-defined]
    helper.InferenceResponse = Response  # type: ignore[attr-defined]
    helper.TritonError = str  # type: ignore[attr-defined]
    helper.get_input_tensor_by_name = lambda request, name: request[name]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", helper)
    name = "uncia.triton_models.serving.onnx_python_backend"
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


def arguments(built: BuildResult, outputs: tuple[str, ...] = ("WHOLE", "WINDOWS", "PLACES")) -> dict[str, str]:
    config = {"input": [{"name": "FRAME"}], "output": [{"name": name} for name in outputs]}
    return {
        "model_config": json.dumps(config),
        "model_repository": str(built.folder),
        "model_version": "1",
        "model_instance_kind": "CPU",
    }


def request(*frames: Any) -> dict[str, Tensor]:
    return {"FRAME": Tensor("FRAME", np.stack(frames))}


def windows(response: Response) -> Any:
    return next(tensor.array for tensor in response.output_tensors if tensor.name == "WINDOWS")


def test_each_request_gets_the_outputs_of_its_own_frames(backend: types.ModuleType, built: BuildResult) -> None:
    model = backend.TritonPythonModel()
    model.initialize(arguments(built))
    pattern = self_test_pattern(FrameSpec())
    other = 255 - pattern

    first, second = model.execute([request(pattern, other), request(other)])
    alone = model.execute([request(pattern)])[0]

    assert [windows(first).shape, windows(second).shape] == [(2, 1000), (1, 1000)]
    np.testing.assert_allclose(windows(first)[0], windows(alone)[0], atol=1e-4)
    np.testing.assert_allclose(windows(first)[1], windows(second)[0], atol=1e-4)


def test_the_scores_match_the_self_test_of_the_model_card(backend: types.ModuleType, built: BuildResult) -> None:
    model = backend.TritonPythonModel()
    model.initialize(arguments(built))
    scores = windows(model.execute([request(self_test_pattern(built.card.frame))])[0])[0]

    assert np.abs(scores - built.card.self_test.windows.unpack()).max() < 0.001


def test_a_failed_batch_is_an_error_for_each_request_and_the_next_batch_succeeds(
    backend: types.ModuleType, built: BuildResult
) -> None:
    model = backend.TritonPythonModel()
    model.initialize(arguments(built))
    bad = request(np.zeros((3, 3), dtype=np.float32))

    assert [bool(response.error) for response in model.execute([bad, bad])] == [True, True]
    assert not model.execute([request(self_test_pattern(FrameSpec()))])[0].error


def test_output_names_that_the_graph_lacks_are_reported_on_loading(
    backend: types.ModuleType, built: BuildResult
) -> None:
    with pytest.raises(ValueError, match=r"no tensors \['BOXES'\]"):
        backend.TritonPythonModel().initialize(arguments(built, ("WHOLE", "BOXES")))
