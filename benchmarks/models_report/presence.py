"""Whether an animal, a person or a vehicle is there, and where: the detector and the fusion of evidence.

Every data set is decided by weights that were fitted on the other genuine ones; composites by weights that were fitted
on all of these.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.models_report.data import groups, real_photographs
from benchmarks.models_report.genuine_data import genuine_datasets
from benchmarks.models_report.steps import Facts, Report
from benchmarks.models_report.training_steps import progress_printer
from uncia.camtrap.presence import PresenceModel, intersection_over_union, load_presence_model
from uncia.errors import RejectedImage
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.evaluation.bootstrap import bootstrap_interval
from uncia.training.offline_inference.presence import sample_group
from uncia.training.presence.evaluation import (
    PresencePredictions,
    detector_alone,
    figures_of,
    leave_one_out,
    predict_presence,
    variant_settings,
)
from uncia.training.presence.evidence import EvidenceCache, OpenDetector, collect_evidence, open_detector
from uncia.training.presence.fitting import DEFAULT_FIT, FitSettings, fit_presence
from uncia.training.presence.labelled_bursts import LabelledBurst, blank_parts, prepare_bursts
from uncia.training.presence.recipe import choose_threshold

__all__ = ["COMPOSITES", "DETECTOR", "presence_samples_step", "presence_step"]

DETECTOR = Path(".local/models/repository/animal_detector")
COMPOSITES = "composites"

OTHER_THRESHOLDS = {"person": 0.4, "vehicle": 0.4}
"""Detector scores from which a person or vehicle is there: the defaults of the settings."""

_STAGES: dict[str, FitSettings | None] = {
    "detector": None,
    "+ size": variant_settings("detector and size"),
    "+ movement": DEFAULT_FIT,
}


def presence_step(report: Report) -> Facts:
    """Category, boxes and false alarms of each data set, by stage. Skips with a reason without detector or data."""
    if not DETECTOR.exists():
        return {"skipped": f"no detector is installed at {DETECTOR}"}
    genuine = genuine_datasets()
    if not genuine:
        return {"skipped": "there is no copy of the genuine data sets"}
    detector, cache = open_detector(DETECTOR), EvidenceCache(report.cache / "evidence")
    datasets = {**genuine, COMPOSITES: _few_composites(report)}
    bursts, unreadable = collect_evidence(
        list(datasets.values()), list(datasets), detector, progress_printer(report), cache
    )
    predictions = {stage: _held_out(bursts, settings) for stage, settings in _STAGES.items()}
    thresholds = _thresholds(predictions["+ movement"])
    facts: Facts = {
        "detector": f"{detector.card.weights}",
        "unreadable": len(unreadable),
        "thresholds": thresholds,
        "datasets": {},
    }
    for name, data in datasets.items():
        own = [burst for burst in bursts if burst.dataset == name]
        facts["datasets"][name] = {
            "stages": {
                stage: figures_of(found[name], threshold=thresholds[name], seed=report.seed, resamples=400).as_dict()
                for stage, found in predictions.items()
                if name in found
            },
            "boxes": _box_recall(own, report.seed),
            **_other_categories(data, detector, cache, report.seed),
        }
    pooled = {stage: _pooled(found) for stage, found in predictions.items()}
    facts["all"] = {
        stage: figures_of(own, threshold=load_presence_model().threshold, seed=report.seed, resamples=400).as_dict()
        for stage, own in pooled.items()
    }
    facts["equal_alarms"] = _at_equal_alarms(pooled, report.seed)
    return facts


def presence_samples_step(report: Report) -> Facts:
    """The sample photographs, decided by the presence model that ships."""
    if not DETECTOR.exists():
        return {"skipped": f"no detector is installed at {DETECTOR}"}
    pictures = real_photographs()
    if not pictures:
        return {"skipped": "there is no copy of the sample photographs"}
    detector, cache, model = open_detector(DETECTOR), EvidenceCache(report.cache / "evidence"), load_presence_model()
    bursts = sorted({sample.burst for sample in pictures if sample.burst.endswith("_burst")})
    singles = [sample for sample in pictures if sample.burst not in bursts]
    lines = [
        _sample_line(model, detector, cache, burst, [sample.path for sample in pictures if sample.burst == burst])
        for burst in bursts
    ]
    lines += [_sample_line(model, detector, cache, sample.path.name, [sample.path]) for sample in singles]
    return {"model": model.id, "threshold": model.threshold, "lines": [line for line in lines if line]}


def _sample_line(
    model: PresenceModel, detector: OpenDetector, cache: EvidenceCache, name: str, paths: Sequence[Path]
) -> Facts | None:
    try:
        evidence = [cache.evidence(detector, path) for path in sorted(paths)]
    except RejectedImage:
        return None
    result = model.assess(evidence)
    others = {
        category: max(
            (
                float(score)
                for frame in evidence
                for kind, score in zip(frame.categories, frame.scores.tolist(), strict=True)
                if kind == category
            ),
            default=0.0,
        )
        for category in OTHER_THRESHOLDS
    }
    return {
        "name": name,
        "frames": len(evidence),
        "animal": result.burst_probability,
        "frames_over": int((result.frame_probabilities >= model.threshold).sum()),
        "boxed": sum(
            place is not None and float(frame.scores[place]) >= 0.1
            for place, frame in zip(result.best_boxes, evidence, strict=True)
        ),
        **others,
    }


def _few_composites(report: Report) -> Dataset:
    """Composites of all groups, each with the box of what was pasted: the first bursts by name."""
    data = groups(report.folder)
    limit, kept = report.sizes.detector_frames, list[Sample]()
    for burst in sorted(
        {sample.burst for sample in data.samples}, key=lambda name: hashlib.sha256(name.encode()).hexdigest()
    ):
        if len(kept) >= limit:
            break
        kept += [sample for sample in data.samples if sample.burst == burst]
    return data.with_samples(kept)


def _held_out(bursts: Sequence[LabelledBurst], settings: FitSettings | None) -> dict[str, PresencePredictions]:
    """Predictions by data set, each by a model of the other genuine ones; without settings, of the detector's score."""
    movement = (settings or DEFAULT_FIT).movement_threshold
    prepared = prepare_bursts([*bursts, *blank_parts(bursts)], movement)
    genuine = [own for own in prepared if own.burst.dataset != COMPOSITES]
    drawn = [own for own in prepared if own.burst.dataset == COMPOSITES]
    if settings is None:
        names = sorted({own.burst.dataset for own in prepared})
        return {
            name: predict_presence(detector_alone(), [own for own in prepared if own.burst.dataset == name])
            for name in names
        }
    found = leave_one_out(genuine, settings)
    if drawn:
        found[COMPOSITES] = predict_presence(fit_presence(genuine, "report", settings), drawn)
    return found


def _thresholds(predictions: dict[str, PresencePredictions]) -> dict[str, float]:
    """For each data set the threshold that the others choose: at most 5 % of their blank bursts are called animal."""
    return {
        name: choose_threshold(own for other, own in predictions.items() if other not in (name, COMPOSITES)) or 0.5
        for name in predictions
    }


def _pooled(predictions: dict[str, PresencePredictions]) -> PresencePredictions:
    parts = [own for name, own in predictions.items() if name != COMPOSITES]
    return PresencePredictions(
        **{name: np.concatenate([getattr(own, name) for own in parts]) for name in vars(parts[0])}
    )


def _at_equal_alarms(pooled: dict[str, PresencePredictions], seed: int) -> Facts:
    """Animal bursts that each stage finds where it calls the same 5 % of all blank bursts an animal."""
    facts: Facts = {}
    for stage, own in pooled.items():
        blanks = np.sort(own.burst_scores[~own.burst_truth])[::-1]
        allowed = int(0.05 * len(blanks))
        limit = blanks[allowed] if len(blanks) else 0.0
        hits, names = own.burst_scores[own.burst_truth] > limit, own.burst_names[own.burst_truth]
        facts[stage] = bootstrap_interval(hits, names, seed=seed).as_dict()
    return facts


def _box_recall(bursts: Sequence[LabelledBurst], seed: int) -> Facts:
    """The share of the true boxes that some animal box overlaps by half, from several scores on."""
    frames = [(frame, burst.name) for burst in bursts for frame in burst.frames if frame.true_boxes is not None]
    facts: Facts = {"true_boxes": sum(len(frame.true_boxes) for frame, _ in frames if frame.true_boxes is not None)}
    for least in (0.02, 0.1, 0.2):
        hits: list[float] = []
        names: list[str] = []
        for frame, burst in frames:
            assert frame.true_boxes is not None
            evidence = frame.evidence
            used = np.array([category == "animal" for category in evidence.categories], dtype=bool)
            used &= evidence.scores >= least
            found = _overlaps(np.asarray(evidence.boxes, dtype=np.float64)[used], frame.true_boxes)
            hits += (found >= 0.5).astype(float).tolist()
            names += [burst] * len(frame.true_boxes)
        if hits:
            interval = bootstrap_interval(np.array(hits), np.array(names, dtype=np.str_), seed=seed)
            facts[f"{least:g}"] = interval.as_dict()
    return facts


def _overlaps(boxes: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(boxes):
        return np.zeros(len(truth))
    best: NDArray[np.float64] = intersection_over_union(boxes.reshape(-1, 4), truth).max(axis=0)
    return best


def _other_categories(data: Dataset, detector: OpenDetector, cache: EvidenceCache, seed: int) -> Facts:
    """Persons and vehicles by frame: the share that is found, and false ones in 1,000 frames that show none."""
    files: dict[Path, Sample] = {sample.path: sample for sample in data.samples}
    rows: list[tuple[str, str, dict[str, float]]] = []
    for path, sample in files.items():
        try:
            evidence = cache.evidence(detector, path)
        except RejectedImage:
            continue
        scores = {
            kind: max(
                (float(s) for c, s in zip(evidence.categories, evidence.scores.tolist(), strict=True) if c == kind),
                default=0.0,
            )
            for kind in OTHER_THRESHOLDS
        }
        rows.append((sample_group(sample), sample.burst, scores))
    facts: Facts = {}
    for kind, threshold in OTHER_THRESHOLDS.items():
        called = np.array([scores[kind] >= threshold for _, _, scores in rows], dtype=bool)
        there = np.array([group == kind for group, _, _ in rows], dtype=bool)
        names = np.array([burst for _, burst, _ in rows], dtype=np.str_)
        facts[kind] = {
            "frames": int(there.sum()),
            "found": _interval(called[there], names[there], seed),
            "others": int((~there).sum()),
            "false": _interval(called[~there], names[~there], seed),
        }
    return facts


def _interval(values: NDArray[Any], names: NDArray[np.str_], seed: int) -> dict[str, float] | None:
    return bootstrap_interval(values, names, seed=seed).as_dict() if len(values) else None
