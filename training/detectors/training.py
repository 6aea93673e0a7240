"""Train a detector of either architecture, and finish it for its package."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from uncia.events.detections import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.detectors.annotated_frames import FrameSplit, categories_of
from uncia.training.detectors.package_writing import FinishedDetector
from uncia.training.detectors.training_loop import LoopSettings, TrainedDetector, train_detector
from uncia.training.detectors.yolox_architecture import Freeze, YoloXArchitecture, with_categories
from uncia.triton_models.recipes import detector_weights, megadetector_lite, yolox
from uncia.triton_models.recipes.animal_detector import FRAME

Progress = Callable[[str, int, int], None]

_OWN = "; of what was learnt: to be chosen by the person who trained it"


def fine_tune_default(
    split: FrameSplit,
    weights: Path,
    settings: LoopSettings,
    freeze: Freeze,
    work: Path,
    progress: Progress = lambda step, done, total: None,
    spec: FrameSpec = FRAME,
) -> FinishedDetector:
    """Fine-tune MegadetectorLite from its published weights file, to be served with frames of this size.

    Raises `TrainingError`.
    """
    source = (
        f"MegadetectorLite (YOLOX-tiny), from {detector_weights.PACKAGE} {detector_weights.PACKAGE_VERSION} "
        f"(sha256 {detector_weights.SHA256}), fine-tuned"
    )
    finished = fine_tune(split, load_published(weights), settings, freeze, work, progress, spec)
    finished.weights, finished.licence = source, detector_weights.LICENCE + _OWN
    return finished


def fine_tune(
    split: FrameSplit,
    network: yolox.YoloX,
    settings: LoopSettings,
    freeze: Freeze,
    work: Path,
    progress: Progress = lambda step, done, total: None,
    spec: FrameSpec = FRAME,
) -> FinishedDetector:
    """Fine-tune a YOLOX for RGB pixels with one category. Raises `TrainingError`."""
    categories = _categories(split)
    architecture = YoloXArchitecture(with_categories(network, len(categories)), spec, freeze)
    before = YoloXArchitecture(with_categories(network, 1), spec).runner(spec)
    trained = train_detector(architecture, categories, split, settings, work, progress)
    notes = []
    if trained.best_epoch == 0:
        notes.append("Training did not improve the held-out score: these are the weights from before training.")
    return FinishedDetector(
        graph=architecture.graph(spec),
        spec=spec,
        categories=categories,
        weights="YOLOX, fine-tuned",
        licence="unknown" + _OWN,
        settings={"architecture": "YOLOX-tiny", "frozen": freeze, **_described(settings, trained)},
        curve=trained.curve,
        unreadable=trained.unreadable,
        before=before,
        quantisable=True,
        notes=notes,
    )


def train_faster_rcnn(
    split: FrameSplit,
    weights: Path | None,
    settings: LoopSettings,
    work: Path,
    progress: Progress = lambda step, done, total: None,
    spec: FrameSpec = FRAME,
) -> FinishedDetector:
    """Train torchvision's Faster R-CNN, from a local file of its weights or from scratch. Raises `TrainingError`."""
    from uncia.training.detectors.faster_rcnn import FasterRcnnArchitecture

    categories = _categories(split)
    architecture = FasterRcnnArchitecture(len(categories), spec, weights, settings.seed)
    trained = train_detector(architecture, categories, split, settings, work, progress)
    notes = []
    if weights is None:
        notes.append(
            "Trained from scratch, since no file of published weights was given (--weights): that takes tens of "
            "thousands of boxes. Compare it with the default detector before you install it."
        )
    return FinishedDetector(
        graph=architecture.graph(spec),
        spec=spec,
        categories=categories,
        weights="trained from scratch" if weights is None else f"{weights.name}, fine-tuned",
        licence=("" if weights is None else "see the source of the weights") + _OWN.removeprefix("; "),
        settings={"architecture": "Faster R-CNN, MobileNetV3 320", **_described(settings, trained)},
        curve=trained.curve,
        unreadable=trained.unreadable,
        notes=notes,
    )


def load_published(weights: Path) -> yolox.YoloX:
    """The default detector's network, for RGB pixels. Raises `TrainingError` where the file is another one."""
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise TrainingError(
            f"the detector's weights cannot be read from {weights} ({error.strerror}): `make setup` fetches them, or "
            "name the file with --weights"
        ) from error
    if hashlib.sha256(content).hexdigest() != detector_weights.SHA256:
        raise TrainingError(f"{weights} is not the published weights file: delete it and run `make setup`")
    return megadetector_lite.load_rgb_network(content)


def _categories(split: FrameSplit) -> tuple[DetectionCategory, ...]:
    """The categories of the training boxes. Raises `TrainingError` where there are none, or others elsewhere."""
    categories = categories_of(split.train)
    if not categories:
        raise TrainingError("no training photograph has a box: `uncia data boxes` makes some")
    missing = set(categories_of((*split.held_out, *split.test))) - set(categories)
    if missing:
        raise TrainingError(
            f"boxes of {', '.join(sorted(missing))} are in the held-out or test frames only: there are too few"
        )
    return categories


def _described(settings: LoopSettings, trained: TrainedDetector) -> dict[str, str]:
    last = trained.curve[-1].step
    return {
        **{name.replace("_", " "): str(value) for name, value in asdict(settings).items()},
        "epochs": f"{last} of at most {settings.epochs}; the weights are those of epoch {trained.best_epoch}",
    }
