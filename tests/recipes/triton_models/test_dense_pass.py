"""The exported graph equals torch, and torch equals the definition of the dense pass."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels, self_test_pattern
from uncia.triton_models.recipes.species_classifier import BuildResult

SPEC = FrameSpec()


@pytest.fixture(scope="module")
def frames() -> Pixels:
    pattern = self_test_pattern(SPEC)
    noise = np.random.default_rng(3).integers(0, 256, pattern.shape, dtype=np.uint8)
    return np.stack([pattern, noise, 255 - pattern[::-1]])


@pytest.fixture(scope="module")
def graph(built: BuildResult) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(built.folder / "1" / "model.onnx"), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def network() -> Any:
    from uncia.triton_models.recipes import dense_pass

    return dense_pass.load(SPEC)


def test_onnx_equals_torch(graph: onnxruntime.InferenceSession, network: Any, frames: Pixels) -> None:
    from uncia.triton_models.recipes import dense_pass

    for onnx_output, torch_output in zip(
        graph.run(None, {"FRAME": frames}), dense_pass.run_network(network, frames), strict=True
    ):
        if onnx_output.dtype == np.float32:
            np.testing.assert_allclose(onnx_output, torch_output, atol=1e-4)
        else:
            # Two windows may tie within rounding.
            assert (onnx_output == torch_output).mean() > 0.99


def test_a_frame_gets_the_same_scores_alone_and_in_a_batch(graph: onnxruntime.InferenceSession, frames: Pixels) -> None:
    together = graph.run(["WINDOWS"], {"FRAME": frames})[0]
    alone = [graph.run(["WINDOWS"], {"FRAME": frame[np.newaxis]})[0][0] for frame in frames]

    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_whole_equals_the_scores_of_the_stock_network(network: Any, frames: Pixels) -> None:
    import torch

    from uncia.triton_models.recipes import dense_pass, efficientnet

    pixels = (torch.from_numpy(frames[:1]).permute(0, 3, 1, 2).float() - 127) / 128
    published = efficientnet.load_network("efficientnet-lite0", SPEC.height, SPEC.width)
    with torch.inference_mode():
        stock = torch.softmax(published(pixels), dim=1).numpy()

    np.testing.assert_allclose(dense_pass.run_network(network, frames[:1])[0], stock, atol=1e-5)


def test_whole_sums_to_one_and_windows_do_not(graph: onnxruntime.InferenceSession, frames: Pixels) -> None:
    whole, windows, _ = graph.run(None, {"FRAME": frames})

    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-4)
    assert (windows.sum(axis=1) > 1.001).all()


def test_places_has_the_window_that_shows_the_class(graph: onnxruntime.InferenceSession) -> None:
    # A texture in the last window of the second row; elsewhere nothing.
    frame = np.full((1, 320, 448, 3), 127, dtype=np.uint8)
    frame[0, 110:290, 230:420] = self_test_pattern(SPEC)[110:290, 230:420]
    _, windows, places = graph.run(None, {"FRAME": frame})

    assert places[0, windows[0].argmax()] == 7


def test_every_window_index_is_in_the_grid(graph: onnxruntime.InferenceSession, frames: Pixels) -> None:
    rows, columns = SPEC.grid
    places = graph.run(["PLACES"], {"FRAME": frames})[0]

    assert places.dtype == np.int32
    assert places.min() >= 0 and places.max() < rows * columns


def test_a_frame_that_does_not_fit_the_networks_stride_is_refused() -> None:
    from uncia.triton_models.recipes import dense_pass

    with pytest.raises(ValueError, match="multiples of 32"):
        dense_pass.load(FrameSpec(width=450))
