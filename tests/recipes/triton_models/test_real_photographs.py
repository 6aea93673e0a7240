"""The model and the threshold, on real camera-trap photographs, where these are available."""

import numpy as np
import onnxruntime
import pytest

from tests.paths import SHARED
from uncia.imaging.frames import decode_frame
from uncia.triton_models.recipes.species_classifier import BuildResult

SAMPLES = SHARED / "samples"
SNOW_LEOPARD = 289

pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not available")


def best_scores(built: BuildResult, pattern: str) -> dict[str, float]:
    """The snow leopard's best window score in every complete photograph."""
    session = onnxruntime.InferenceSession(str(built.folder / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    scores = {}
    for path in sorted(SAMPLES.glob(pattern)):
        if "truncated" not in path.name:
            frame = decode_frame(path.read_bytes(), built.card.frame, max_pixels=50_000_000)
            windows = session.run([built.card.windows], {built.card.input: frame.pixels[np.newaxis]})[0]
            scores[path.name] = float(windows[0, SNOW_LEOPARD])
    assert scores
    return scores


@pytest.fixture(scope="module")
def threshold(built: BuildResult) -> float:
    threshold = built.card.labels.classes[SNOW_LEOPARD].threshold
    assert threshold is not None
    return threshold


def test_every_frame_of_a_real_snow_leopard_burst_is_far_above_the_threshold(
    built: BuildResult, threshold: float
) -> None:
    scores = best_scores(built, "snow_leopard_burst/*.JPG")

    assert len(scores) == 10
    assert min(scores.values()) > 5 * threshold, scores


@pytest.mark.parametrize("pattern", ["heron_burst/*.JPG", "single_frames/*.jpg"])
def test_every_other_real_frame_is_below_half_of_the_threshold(
    built: BuildResult, threshold: float, pattern: str
) -> None:
    scores = best_scores(built, pattern)

    assert max(scores.values()) < threshold / 2, scores
