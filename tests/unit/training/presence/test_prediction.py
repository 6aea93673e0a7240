"""The presence model on a dataset's photographs: one probability for a file, one for a burst."""

from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.training.presence.tiny_detector import write_detector
from uncia.camtrap.presence import load_presence_model
from uncia.training.datasets.dataset import Sample
from uncia.training.presence.evidence import EvidenceCache, open_detector
from uncia.training.presence.prediction import predict_samples


def test_frames_are_assessed_in_capture_order_and_samples_of_a_file_share_its_probability(tmp_path: Path) -> None:
    samples = []
    for name, grey, second in (("b", 40, 2), ("a", 200, 1)):
        path = tmp_path / f"{name}.jpg"
        Image.new("RGB", (128, 96), (grey, grey, grey)).save(path)
        samples.append(Sample(path, "fox", "one", "", datetime(2026, 1, 1, 0, 0, second)))
    samples.append(Sample(samples[0].path, "hare", "one", "", samples[0].taken))
    model, detector = load_presence_model(), open_detector(write_detector(tmp_path / "detector"))
    cache = EvidenceCache(tmp_path / "cache")

    found = predict_samples(model, detector, samples, cache)

    evidence = [cache.evidence(detector, sample.path) for sample in (samples[1], samples[0])]
    wanted = model.assess(evidence)
    assert found.frames[0] == found.frames[2]
    assert found.frames[[1, 0]] == pytest.approx(wanted.frame_probabilities)
    assert found.bursts == pytest.approx([wanted.burst_probability])
    assert found.threshold == model.threshold
