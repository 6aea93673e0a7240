"""Evidence of presence for the photographs of data sets: a detector's boxes and the luminance grid of each.

The detector runs in ONNX Runtime on the frame that the stream would send, and its boxes pass the rules of the stream:
the card's tensors and categories, shares of the photograph, `MAX_BOXES` from `MIN_SCORE` on.
"""

import hashlib
import io
import os
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from uncia.camtrap.presence import MIN_SCORE, FrameEvidence
from uncia.errors import RejectedImage, SettingsError
from uncia.imaging.frames import Pixels
from uncia.imaging.luminance import luminance_grid
from uncia.imaging.tiles import FoundBoxes
from uncia.serving.detector_card import DetectorCard, read_detector_card
from uncia.serving.detector_client import boxes_in_photograph
from uncia.serving.model_versions import GRAPH_FILE, LIVE_FILE, read_version_state
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.image_decoding import load_frame, read_bytes
from uncia.training.offline_inference.presence import sample_group
from uncia.training.presence.labelled_bursts import LabelledBurst, LabelledFrame
from uncia.triton_models.packages.loading import PackageError, open_session

__all__ = ["MAX_BOXES", "EvidenceCache", "OpenDetector", "collect_evidence", "open_detector"]

Progress = Callable[[str, int, int], None]

MAX_BOXES = 10
"""Boxes of an event at most, of all categories."""
_RULE = "evidence/1"
"""Bump when the same photograph gives other evidence: cached evidence is then computed again."""


@dataclass(frozen=True)
class OpenDetector:
    """A detector's graph in ONNX Runtime, and its card."""

    card: DetectorCard
    session: Any
    """`onnxruntime.InferenceSession` with the tensors of the card."""

    def detect(self, pixels: Pixels) -> FoundBoxes:
        """All boxes of a frame from `MIN_SCORE` on, in shares of the photograph, best first.

        Raises `TrainingError` for output that is none.
        """
        card, spec = self.card, self.card.frame
        tensors = [card.boxes, card.scores, card.category_indices]
        boxes, scores, kinds = (output[0] for output in self.session.run(tensors, {card.input: pixels[None]}))
        shown = scores >= MIN_SCORE
        sound = np.isfinite(scores).all() and np.isfinite(boxes[shown]).all()
        if not sound or not set(kinds[shown].tolist()) <= set(range(len(card.categories))):
            raise TrainingError(f"{card.model} returned scores, boxes or categories that cannot be: build it again")
        found = boxes_in_photograph(np.where(shown[:, None], boxes, 0.0), spec)
        usable = np.flatnonzero(shown & (found[:, 2] > 0) & (found[:, 3] > 0))
        best = usable[np.argsort(-scores[usable], kind="stable")]
        return FoundBoxes.of(found[best], scores[best].astype(np.float64).clip(0, 1), kinds[best])

    def evidence(self, pixels: Pixels) -> FrameEvidence:
        """The `MAX_BOXES` best boxes and the luminance grid of a frame. Raises as `detect` does."""
        card, spec = self.card, self.card.frame
        found = self.detect(pixels)
        return FrameEvidence(
            found.boxes[:MAX_BOXES],
            found.scores[:MAX_BOXES],
            tuple(card.categories[kind].value for kind in found.categories[:MAX_BOXES]),
            luminance_grid(pixels),
            luminance_box=(0.0, spec.crop_top, 1.0, 1 - spec.crop_top - spec.crop_bottom),
        )


@dataclass(frozen=True)
class EvidenceCache:
    """Evidence of photographs in a folder, by the digests of the file, of the detector and of its frame."""

    folder: Path

    def evidence(self, detector: OpenDetector, path: Path) -> FrameEvidence:
        """The evidence of a photograph, from the cache where it is there and sound.

        Raises `RejectedImage` for a file that cannot be read.
        """
        place = self.folder / f"{_cache_key(detector, read_bytes(path))}.npz"
        known = _read_cached(place)
        if known is None:
            known = detector.evidence(load_frame(path, detector.card.frame))
            _write_cached(place, known)
        return known


def open_detector(place: Path) -> OpenDetector:
    """Open a detector's package, or the live version of its folder in the repository. Raises `TrainingError`."""
    try:
        home = place / read_version_state(place).live if (place / LIVE_FILE).exists() else place
        card = read_detector_card(home)
        session = open_session(home / GRAPH_FILE)
    except (SettingsError, PackageError) as error:
        raise TrainingError(f"{place} is not a detector: {error}") from error
    missing = {output.name for output in card.outputs} - {output.name for output in session.get_outputs()}
    if missing:
        raise TrainingError(f"{place} is not a detector: it has no output {', '.join(sorted(missing))}")
    return OpenDetector(card, session)


def collect_evidence(
    datasets: Sequence[Dataset],
    names: Sequence[str],
    detector: OpenDetector,
    progress: Progress = lambda step, done, total: None,
    cache: EvidenceCache | None = None,
) -> tuple[list[LabelledBurst], dict[Path, str]]:
    """The bursts of all data sets with their evidence, and why files could not be read.

    Bursts with a person or vehicle, or with what is neither animal nor blank, are left out: the fusion tells animals
    from blanks. Where no burst of a data set shows an animal in some frames only, its labels are taken to be those of
    bursts: which frames show the animal is then unknown, and only its blank frames and single photographs are learnt
    from as frames.
    """
    plans = [plan for name, data in zip(names, datasets, strict=True) for plan in _bursts(name, data)]
    by_frame = {plan.dataset for plan in plans if len({_is_animal(samples) for samples in plan.frames}) > 1}
    total = sum(len(plan.frames) for plan in plans)
    unreadable: dict[Path, str] = {}
    bursts, done = [], 0
    for plan in plans:
        kept, animals = [], []
        for samples in plan.frames:
            progress("detector", done, total)
            done += 1
            path = samples[0].path
            try:
                if cache is None:
                    evidence = detector.evidence(load_frame(path, detector.card.frame))
                else:
                    evidence = cache.evidence(detector, path)
            except RejectedImage as error:
                unreadable[path] = str(error)
                continue
            boxes = np.array([sample.box for sample in samples if sample.box is not None], dtype=np.float64)
            animal = _is_animal(samples)
            certain = not animal or len(plan.frames) == 1 or len(boxes) > 0 or plan.dataset in by_frame
            animals.append(animal)
            truth = boxes.reshape(-1, 4) if len(boxes) else None
            kept.append(LabelledFrame(evidence, animal if certain else None, truth, str(path)))
        if kept:
            bursts.append(LabelledBurst(plan.name, plan.dataset, plan.camera, tuple(kept), any(animals)))
    progress("detector", total, total)
    return bursts, unreadable


@dataclass(frozen=True)
class _Plan:
    """A burst before its evidence: the samples of each of its files, in capture order."""

    name: str
    dataset: str
    camera: str
    frames: tuple[list[Sample], ...]


def _bursts(dataset: str, data: Dataset) -> Iterator[_Plan]:
    by_burst: dict[str, dict[Path, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in data.samples:
        by_burst[sample.burst][sample.path].append(sample)
    for burst, files in sorted(by_burst.items()):
        groups = {sample_group(sample) for samples in files.values() for sample in samples}
        if groups <= {"animal", "nothing"}:
            frames = sorted(files.values(), key=lambda own: (own[0].taken or datetime.min, str(own[0].path)))
            yield _Plan(f"{dataset}/{burst}", dataset, frames[0][0].camera, tuple(frames))


def _is_animal(samples: Sequence[Sample]) -> bool:
    return any(sample_group(sample) == "animal" for sample in samples)


def _cache_key(detector: OpenDetector, content: bytes) -> str:
    card = detector.card
    hasher = hashlib.sha256(f"{_RULE}\n{card.onnx_sha256}\n{MIN_SCORE}\n{MAX_BOXES}\n".encode())
    hasher.update(f"{card.frame.model_dump_json()}\n{','.join(card.categories)}\n".encode())
    hasher.update(content)
    return hasher.hexdigest()[:32]


def _read_cached(place: Path) -> FrameEvidence | None:
    """None where there is none, or a file that is no evidence."""
    try:
        with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as stored:
            x, y, width, height = (float(value) for value in stored["luminance_box"])
            return FrameEvidence(
                stored["boxes"],
                stored["scores"],
                tuple(str(category) for category in stored["categories"]),
                stored["luminance"],
                luminance_box=(x, y, width, height),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write_cached(place: Path, evidence: FrameEvidence) -> None:
    """Replace atomically: two processes may share a cache."""
    content = io.BytesIO()
    np.savez(
        content,
        boxes=evidence.boxes,
        scores=evidence.scores,
        categories=np.array(evidence.categories, dtype=np.str_),
        luminance=np.asarray(evidence.luminance),
        luminance_box=np.array(evidence.luminance_box),
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.{os.getpid()}")
    new.write_bytes(content.getvalue())
    new.replace(place)
