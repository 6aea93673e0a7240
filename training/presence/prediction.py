"""What a presence model says of the photographs of a dataset."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from uncia.camtrap.presence import FrameEvidence, PresenceModel
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.evaluation.burst_rules import Presence
from uncia.training.presence.evidence import EvidenceCache, OpenDetector

__all__ = ["predict_samples"]

Progress = Callable[[str, int, int], None]


def predict_samples(
    model: PresenceModel,
    detector: OpenDetector,
    samples: Sequence[Sample],
    cache: EvidenceCache | None = None,
    progress: Progress = lambda step, done, total: None,
) -> Presence:
    """Detect on all files and assess their bursts, in capture order. Samples of one file get its one probability.

    Raises `RejectedImage` for a file that cannot be read.
    """
    files: dict[str, set[tuple[datetime, Path]]] = defaultdict(set)
    for sample in samples:
        files[sample.burst].add((sample.taken or datetime.min, sample.path))
    total = sum(map(len, files.values()))
    probability: dict[tuple[str, Path], float] = {}
    bursts, done = [], 0
    for burst, own in sorted(files.items()):
        paths = [path for _, path in sorted(own)]
        evidence: list[FrameEvidence] = []
        for path in paths:
            progress("detector", done, total)
            done += 1
            evidence.append(
                detector.evidence(load_frame(path, detector.card.frame))
                if cache is None
                else cache.evidence(detector, path)
            )
        result = model.assess(evidence)
        bursts.append(result.burst_probability)
        for path, value in zip(paths, result.frame_probabilities.tolist(), strict=True):
            probability[burst, path] = value
    progress("detector", total, total)
    frames = np.array([probability[sample.burst, sample.path] for sample in samples], dtype=np.float64)
    return Presence(frames, np.array(bursts, dtype=np.float64), model.threshold)
