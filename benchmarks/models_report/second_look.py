"""What second looks bring: presence in genuine bursts before and after inconclusive ones are detected again in tiles.

Which bursts and frames, which tiles, and how evidence is combined, is decided by the functions of the stream. Every
data set is decided by weights that were fitted on the others, as in `benchmarks.models_report.presence`, and all by the
threshold of the product, around which its rule of what is inconclusive was made.
"""

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.models_report.genuine_data import genuine_datasets
from benchmarks.models_report.presence import DETECTOR
from benchmarks.models_report.second_look_figures import SecondLooks, figures_of_looks, pooled_looks
from benchmarks.models_report.steps import Facts, Report
from benchmarks.models_report.training_steps import progress_printer
from uncia.camtrap.presence import FrameEvidence, PresenceModel, load_presence_model
from uncia.errors import RejectedImage
from uncia.events import DetectionCategory
from uncia.imaging.frames import decode_photograph
from uncia.imaging.tiles import FoundBoxes, cut_tile, decode_spec, merge_boxes, shown_box, tile_boxes, tiles_of
from uncia.processors.bursts.frame_record import StoredBox
from uncia.processors.bursts.second_looks import combine_boxes
from uncia.processors.second_look.selection import (
    PER_SIDE,
    RULE,
    SHARE,
    Candidate,
    is_near_threshold,
    most_informative,
)
from uncia.settings import Settings
from uncia.training.datasets.image_decoding import MAX_PIXELS, read_bytes
from uncia.training.presence.evaluation import held_out_models, predict_presence
from uncia.training.presence.evidence import MAX_BOXES, EvidenceCache, OpenDetector, collect_evidence, open_detector
from uncia.training.presence.fitting import DEFAULT_FIT
from uncia.training.presence.labelled_bursts import LabelledBurst, PreparedBurst, blank_parts, prepare_bursts

__all__ = ["TileCache", "detect_tiles", "frames_to_look_at", "look_again", "second_look_step"]

_BURSTS = 250
"""Bursts of a data set at most, the same every time: each photograph of an inconclusive one is detected four times."""

_RULE = "report-tiles/1"
"""Bump when the same photograph gives other boxes."""


@dataclass(frozen=True)
class TileDetections:
    """What the tiles of a photograph show, and what it cost."""

    found: FoundBoxes
    """Of all tiles, in shares of the photograph."""
    seconds: float
    """Of the CPU, for decoding, cutting and detecting; NaN where the cache does not know it."""


@dataclass(frozen=True)
class TileCache:
    """Detections in the tiles of photographs in a folder, by the digests of the file and of the detector."""

    folder: Path

    def detections(self, detector: OpenDetector, path: Path) -> TileDetections:
        """Those of a photograph, from the cache where they are there and sound.

        Raises `RejectedImage` for a file that cannot be read, or is no JPEG.
        """
        content = read_bytes(path)
        card = detector.card
        hasher = hashlib.sha256(f"{_RULE}\n{RULE}\n{PER_SIDE}\n{SHARE}\n{card.onnx_sha256}\n".encode())
        hasher.update(f"{card.frame.model_dump_json()}\n{','.join(card.categories)}\n".encode())
        hasher.update(content)
        place = self.folder / f"{hasher.hexdigest()[:32]}.npz"
        known = _read_cached(place)
        if known is None:
            began = time.process_time()
            image = decode_photograph(content, (decode_spec(card.frame, SHARE),), max_pixels=MAX_PIXELS).image
            found = detect_tiles(detector, image)
            known = TileDetections(found, time.process_time() - began)
            _write_cached(place, known)
        return known


def second_look_step(report: Report) -> Facts:
    """What second looks bring to presence, by data set. Skips with a reason without detector or data."""
    if not DETECTOR.exists():
        return {"skipped": f"no detector is installed at {DETECTOR}"}
    datasets = genuine_datasets()
    if not datasets:
        return {"skipped": "there is no copy of the genuine data sets"}
    detector, cache = open_detector(DETECTOR), TileCache(report.cache / "tiles")
    bursts, _ = collect_evidence(
        list(datasets.values()),
        list(datasets),
        detector,
        progress_printer(report),
        EvidenceCache(report.cache / "evidence"),
    )
    prepared = prepare_bursts([*bursts, *blank_parts(bursts)], DEFAULT_FIT.movement_threshold)
    models = held_out_models(prepared)
    threshold = load_presence_model().threshold
    within, frames = (Settings.model_fields[name].default for name in ("second_look_within", "second_look_frames"))
    looks: dict[str, SecondLooks] = {}
    for name, model in models.items():
        some = _some_bursts([own for own in prepared if own.burst.dataset == name])
        requested = [frames_to_look_at(own, model, threshold, within, frames) for own in some]
        report.progress(f"    {name}: {sum(map(bool, requested))} of {len(some)} bursts are inconclusive")
        looks[name] = _look_at_all(some, requested, model, threshold, detector, cache)
    return {
        "detector": detector.card.weights,
        "within": within,
        "frames": frames,
        "most_bursts": _BURSTS,
        "threshold": threshold,
        "datasets": {name: figures_of_looks(own, report.seed) for name, own in looks.items()},
        "all": figures_of_looks(pooled_looks(list(looks.values())), report.seed),
    }


def frames_to_look_at(
    own: PreparedBurst, model: PresenceModel, threshold: float, within: float, count: int
) -> tuple[int, ...]:
    """Places of the frames of a burst that would be looked at again; none where the burst is conclusive."""
    result = model.assess_features(own.best)
    if not is_near_threshold(result.burst_probability, threshold, within):
        return ()
    candidates = [
        Candidate(float(probability), _best_animal(frame.evidence), frame.name)
        for frame, probability in zip(own.burst.frames, result.frame_probabilities, strict=True)
    ]
    return tuple(most_informative(candidates, count))


def detect_tiles(detector: OpenDetector, image: Image.Image) -> FoundBoxes:
    """What a detector finds in the tiles of a decoded photograph, in shares of it; boxes that overlap stay."""
    card, parts = detector.card, list[FoundBoxes]()
    # A tile fills the frame: it has no strips to cut off.
    frame = card.frame.model_copy(update={"crop_top": 0.0, "crop_bottom": 0.0})
    whole = replace(detector, card=card.model_copy(update={"frame": frame}))
    for tile in tiles_of(card.frame, PER_SIDE, SHARE):
        found = whole.detect(cut_tile(image, tile, card.frame))
        parts.append(tile_boxes(found, tile, shown_box(card.frame)))
    return FoundBoxes(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.categories for part in parts]),
    )


def look_again(evidence: FrameEvidence, tiles: FoundBoxes, categories: Sequence[str]) -> FrameEvidence:
    """The evidence of a frame after its second look, as the stream combines it.

    `categories` are the detector's, into which the tiles' boxes index.
    """
    first = FoundBoxes.of(evidence.boxes, evidence.scores, [categories.index(name) for name in evidence.categories])
    merged = merge_boxes([first, tiles])
    second = _stored(merged, categories)[:MAX_BOXES]
    boxes = [box for box, _ in combine_boxes(_stored(first, categories), second)]
    return replace(
        evidence,
        boxes=np.array([box.box for box in boxes], dtype=np.float64).reshape(-1, 4),
        scores=np.array([box.score for box in boxes], dtype=np.float64),
        categories=tuple(box.category.value for box in boxes),
    )


def _look_at_all(
    bursts: Sequence[PreparedBurst],
    requested: Sequence[tuple[int, ...]],
    model: PresenceModel,
    threshold: float,
    detector: OpenDetector,
    cache: TileCache,
) -> SecondLooks:
    """The bursts of a data set (sorted by name), with second looks at those that are requested."""
    after: list[PreparedBurst] = []
    frames, seconds = [], []
    for own, places in zip(bursts, requested, strict=True):
        burst, looked, spent = _look_at(own.burst, places, detector, cache)
        after += prepare_bursts([burst], model.movement_threshold) if looked else [own]
        frames.append(looked)
        seconds.append(spent)
    return SecondLooks.of(
        predict_presence(model, bursts), predict_presence(model, after), threshold, np.array(frames), np.array(seconds)
    )


def _look_at(
    burst: LabelledBurst, places: Sequence[int], detector: OpenDetector, cache: TileCache
) -> tuple[LabelledBurst, int, float]:
    """A burst after its second look, at how many frames that was, and its CPU seconds. Unreadable frames have none."""
    frames, looked, seconds = list(burst.frames), 0, 0.0
    for place in places:
        frame = frames[place]
        try:
            tiles = cache.detections(detector, Path(frame.name))
        except RejectedImage:
            continue
        frames[place] = replace(frame, evidence=look_again(frame.evidence, tiles.found, detector.card.categories))
        looked += 1
        seconds += tiles.seconds
    return replace(burst, frames=tuple(frames)), looked, seconds


def _some_bursts(bursts: Sequence[PreparedBurst]) -> list[PreparedBurst]:
    """At most `_BURSTS` bursts, chosen by a digest of their names; a blank part counts as a burst."""
    chosen = sorted(bursts, key=lambda own: hashlib.sha256(own.burst.name.encode()).hexdigest())[:_BURSTS]
    return sorted(chosen, key=lambda own: own.burst.name)


def _best_animal(evidence: FrameEvidence) -> float:
    pairs = zip(evidence.scores.tolist(), evidence.categories, strict=True)
    return max((float(score) for score, category in pairs if category == DetectionCategory.ANIMAL), default=0.0)


def _stored(found: FoundBoxes, categories: Sequence[str]) -> list[StoredBox]:
    return [
        StoredBox(DetectionCategory(categories[kind]), score, (x, y, width, height))
        for (x, y, width, height), score, kind in zip(
            found.boxes.tolist(), found.scores.tolist(), found.categories.tolist(), strict=True
        )
    ]


def _read_cached(place: Path) -> TileDetections | None:
    """None where there is none, or a file that holds no detections."""
    try:
        with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as stored:
            found = FoundBoxes.of(stored["boxes"], stored["scores"], stored["categories"])
            return TileDetections(found, float(stored["seconds"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write_cached(place: Path, known: TileDetections) -> None:
    """Replace atomically: two processes may share a cache."""
    content, found = io.BytesIO(), known.found
    np.savez(
        content, boxes=found.boxes, scores=found.scores, categories=found.categories, seconds=np.array(known.seconds)
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.{os.getpid()}")
    new.write_bytes(content.getvalue())
    new.replace(place)
