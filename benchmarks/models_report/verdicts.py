"""What each stage of a verdict contributes: whole frame, dense pass, detector, movement, roll-up, second look.

The classifier's scores of every photograph, and of the crop of its best box, are kept in a folder, so that the step can
be repeated. Presence is decided as in `benchmarks.models_report.presence`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.models_report.genuine_data import genuine_datasets, lineage
from benchmarks.models_report.presence import DETECTOR
from benchmarks.models_report.steps import Facts, Report
from uncia.camtrap.presence import FrameEvidence, load_presence_model
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import UnciaError
from uncia.events import Detection, DetectionCategory, Trigger
from uncia.events.values import ClassVector
from uncia.processors.bursts.class_names import ClassName
from uncia.processors.bursts.config import CategoryConfig
from uncia.processors.bursts.crop_taxa import CropClasses, evaluate_crops
from uncia.processors.bursts.frame_record import FrameRecord, StoredBox, pack_evidence
from uncia.processors.predict.inference import crop_frames
from uncia.serving.labels import LabelSet
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.evaluation.bootstrap import bootstrap_interval
from uncia.training.evaluation.metrics import area_under_curve
from uncia.training.presence.evidence import EvidenceCache, open_detector
from uncia.triton_models.packages.loading import OpenPackage, open_package

__all__ = ["second_look_step", "verdicts_step"]

CLASSIFIER = Path(".local/models/repository/species_classifier")

_BURSTS = 40
"""Bursts of a data set at most, the same every time: each of their photographs is classified twice."""

_FALSE_ALARMS = 0.05


@dataclass(frozen=True)
class _Frame:
    """One photograph, what it shows, and what each stage says of it."""

    group: str
    evidence: FrameEvidence
    whole: NDArray[np.float32]
    """(C,), class probabilities of the whole frame."""
    windows: NDArray[np.float32]
    """(C,), of each class in its best window."""
    crop: NDArray[np.float32] | None
    """(C,), of the crop of the best box; None without an animal box."""


def verdicts_step(report: Report) -> Facts:
    """Presence and taxon of each burst by stage. Skips with a reason without models or data."""
    for place in (DETECTOR, CLASSIFIER):
        if not place.exists():
            return {"skipped": f"no model is installed at {place}"}
    datasets = genuine_datasets()
    if not datasets:
        return {"skipped": "there is no copy of the genuine data sets"}
    version = sorted(entry for entry in CLASSIFIER.iterdir() if (entry / "model.onnx").exists())[-1]
    package = open_package(version)
    scorer = _Scorer(package, report)
    facts: Facts = {"classifier": package.card.weights, "datasets": {}}
    for number, (name, data) in enumerate(sorted(datasets.items())):
        report.progress(f"    {name}, {number + 1} of {len(datasets)}")
        bursts = {burst: scorer.frames(samples) for burst, samples in _some_bursts(data).items()}
        species = {burst: {sample.taxon for sample in samples} for burst, samples in _some_bursts(data).items()}
        found = {burst: frames for burst, frames in bursts.items() if frames}
        facts["datasets"][name] = {
            "bursts": len(found),
            "presence": _presence(found, package.card.labels, report.seed),
            "taxa": _taxa(found, species, package.card.labels, report.seed),
        }
    return facts


def second_look_step(report: Report) -> Facts:
    """What asking again at other scales adds to presence: by data set, `frame_auc` and `burst_auc`."""
    return {"skipped": "second looks are not part of this report yet"}


class _Scorer:
    """Scores photographs, and keeps the scores in a folder."""

    def __init__(self, package: OpenPackage, report: Report) -> None:
        self._package = package
        self._detector = open_detector(DETECTOR)
        self._evidence = EvidenceCache(report.cache / "evidence")
        self._folder = report.cache / "class_scores"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._presence = load_presence_model()

    def frames(self, samples: Sequence[Sample]) -> list[_Frame]:
        """The photographs of a burst in capture order; without those that cannot be read."""
        files = sorted({(sample.taken or datetime.min, sample.path): sample for sample in samples}.items())
        readable: list[tuple[Path, str, FrameEvidence]] = []
        for (_, path), sample in files:
            try:
                readable.append((path, sample.group, self._evidence.evidence(self._detector, path)))
            except (UnciaError, OSError):
                continue
        if not readable:
            return []
        best = self._presence.best_boxes([evidence for _, _, evidence in readable])
        return [
            _Frame(group, evidence, *self._scores(path, None if place is None else evidence.boxes[place]))
            for (path, group, evidence), place in zip(readable, best, strict=True)
        ]

    def _scores(
        self, path: Path, box: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
        key = f"{self._package.card.onnx_sha256}\n{path}\n{None if box is None else box.round(4).tolist()}"
        place = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
        if place.exists():
            with np.load(place) as stored:
                return stored["whole"], stored["windows"], stored["crop"] if len(stored["crop"]) else None
        spec = self._package.card.frame
        whole, windows, _ = self._package.predict(load_frame(path, spec)[None])
        crop = None
        if box is not None:
            x, y, width, height = (float(value) for value in box)
            found = Detection(category=DetectionCategory.ANIMAL, score=1.0, box=(x, y, width, height))
            with Image.open(path) as picture:
                pixels = crop_frames(picture.convert("RGB"), [found], spec)
            crop = self._package.predict(pixels)[0][0]
        np.savez(place, whole=whole[0], windows=windows[0], crop=np.empty(0) if crop is None else crop)
        return whole[0], windows[0], crop


def _some_bursts(data: Dataset) -> dict[str, list[Sample]]:
    """At most `_BURSTS` bursts with animals or nothing, chosen by a digest of their names."""
    bursts: dict[str, list[Sample]] = defaultdict(list)
    for sample in data.samples:
        bursts[sample.burst].append(sample)
    usable = [burst for burst, own in bursts.items() if {sample.group for sample in own} <= {"animal", "nothing"}]
    chosen = sorted(usable, key=lambda burst: hashlib.sha256(burst.encode()).hexdigest())[:_BURSTS]
    return {burst: bursts[burst] for burst in sorted(chosen)}


def _presence(bursts: dict[str, list[_Frame]], labels: LabelSet, seed: int) -> Facts:
    """By stage: AUC of animal against blank, of frames and bursts, and animals found at 5 % false alarms."""
    animal = np.array([entry.group == "animal" for entry in labels.classes], dtype=bool)
    scores = {
        "whole frame": {name: [float(f.whole[animal].sum()) for f in own] for name, own in bursts.items()},
        "dense pass": {name: [float(f.windows[animal].max()) for f in own] for name, own in bursts.items()},
    }
    facts: Facts = {}
    truth = {name: np.array([frame.group == "animal" for frame in own]) for name, own in bursts.items()}
    names = np.array([name for name, own in bursts.items() for _ in own], dtype=np.str_)
    for stage, by_burst in scores.items():
        rows: list[tuple[bool, float, str]] = []
        for name, own in by_burst.items():
            rows.append((bool(truth[name].any()), max(own), name))
            blank = [score for score, animal in zip(own, truth[name].tolist(), strict=True) if not animal]
            if truth[name].any() and len(blank) > 1:  # the blank part of a burst counts as a blank burst
                rows.append((False, max(blank), name))
        shown, highest, of = zip(*rows, strict=True)
        frame_scores = np.array([score for own in by_burst.values() for score in own])
        facts[stage] = {
            "frame_auc": _auc(np.concatenate(list(truth.values())), frame_scores, names, seed),
            "burst_auc": _auc(np.array(shown), np.array(highest), np.array(of, dtype=np.str_), seed),
        }
    return facts


def _auc(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], names: NDArray[np.str_], seed: int
) -> dict[str, float] | None:
    if truth.all() or not truth.any():
        return None
    rows = np.column_stack([truth, scores])
    return bootstrap_interval(rows, names, statistic=area_under_curve, seed=seed, resamples=400).as_dict()


def _taxa(bursts: dict[str, list[_Frame]], species: dict[str, set[str]], labels: LabelSet, seed: int) -> Facts:
    """By stage: the share of the animal bursts whose taxon is named, and named rightly."""
    taxonomy, rules = Taxonomy.load(), CategoryConfig()
    known = {
        burst: taxa
        for burst, own in bursts.items()
        if any(frame.group == "animal" for frame in own)
        and (taxa := frozenset().union(*(lineage(one) for one in species[burst] if one)))
    }
    if not known:
        return {}
    animal = np.array([entry.group == "animal" for entry in labels.classes], dtype=bool)
    named: dict[str, dict[str, str]] = defaultdict(dict)
    for burst in known:
        frames = [frame for frame in bursts[burst] if frame.group == "animal"]
        crops = [frame.crop for frame in frames if frame.crop is not None]
        named["whole frame"][burst] = _best_class(np.mean([frame.whole for frame in frames], axis=0), animal, labels)
        named["dense pass"][burst] = _best_class(np.mean([frame.windows for frame in frames], axis=0), animal, labels)
        named["crop of the best box"][burst] = _best_class(np.mean(crops, axis=0), animal, labels) if crops else ""
        named["+ roll-up"][burst] = _rolled_up(crops, labels, taxonomy, rules)
    facts: Facts = {"bursts": len(known)}
    names = np.array(list(known), dtype=np.str_)
    for stage, by_burst in named.items():
        says = np.array([by_burst[burst] not in ("", "Animalia") for burst in known])
        right = np.array([by_burst[burst] in known[burst] and by_burst[burst] != "Animalia" for burst in known])
        facts[stage] = {
            "named": bootstrap_interval(says, names, seed=seed).as_dict(),
            "right": bootstrap_interval(right, names, seed=seed).as_dict(),
            "wrong": bootstrap_interval(says & ~right, names, seed=seed).as_dict(),
        }
    return facts


def _best_class(scores: NDArray[Any], animal: NDArray[np.bool_], labels: LabelSet) -> str:
    entry = labels.classes[int(np.where(animal, scores, -1.0).argmax())]
    return entry.taxon or entry.label


def _rolled_up(
    crops: Sequence[NDArray[np.float32]], labels: LabelSet, taxonomy: Taxonomy, config: CategoryConfig
) -> str:
    """The taxon that the stream's own rule gives the crops of a burst; empty where it names none."""

    def name_of(label_set: str, index: int) -> ClassName | None:
        if index >= len(labels.classes):
            return None
        entry = labels.classes[index]
        return ClassName(entry.label, entry.taxon, entry.group)

    records = [(_record(number, crop, labels.id), 0) for number, crop in enumerate(crops)]
    found = evaluate_crops(records, taxonomy, config.taxon_threshold, None, name_of, CropClasses(name_of, taxonomy))
    return "" if found.rolled is None else found.rolled.taxon


def _record(number: int, crop: NDArray[np.float32], label_set: str) -> FrameRecord:
    """A frame that has nothing but one classified crop."""
    box = StoredBox(DetectionCategory.ANIMAL, 1.0, (0.0, 0.0, 1.0, 1.0), pack_evidence(ClassVector.pack(crop)))
    never = datetime(2020, 1, 1, tzinfo=UTC)
    return FrameRecord(
        image_id=str(number),
        upload_id="",
        bucket="",
        key="",
        captured_at=never.replace(tzinfo=None),
        trigger=Trigger.MOTION,
        uploaded_at=never,
        predicted_at=never,
        boxes=(box,),
        crop_label_set=label_set,
    )
