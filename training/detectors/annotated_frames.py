"""Photographs with all of their boxes: what a detector is trained and evaluated on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uncia.camtrap.vocabulary import group_of
from uncia.errors import SettingsError
from uncia.events.detections import DetectionCategory
from uncia.events.values import Box
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.coco import read_coco_boxes
from uncia.training.datasets.reading import coco_file, read_dataset
from uncia.training.datasets.splits import By, split
from uncia.training.progress import ProgressCallback

BLANK = "blank"
"""Label of a frame without any box in a split."""


@dataclass(frozen=True, slots=True)
class TrueBox:
    """One annotated object."""

    box: Box
    """x, y, width, height as shares of the photograph."""
    category: DetectionCategory = DetectionCategory.ANIMAL


@dataclass(frozen=True, slots=True)
class AnnotatedFrame:
    """One photograph and everything that is in it. Without boxes it is blank."""

    path: Path
    boxes: tuple[TrueBox, ...]
    burst: str
    camera: str = ""


@dataclass(frozen=True)
class AnnotatedFrames:
    """The frames of a dataset that a detector can be trained on."""

    frames: tuple[AnnotatedFrame, ...]
    source: str
    left_out: int
    """Photographs of an animal, person or vehicle whose box is not known: neither an example nor a blank."""


@dataclass(frozen=True)
class FrameSplit:
    """Three subsets: fit on `train`; choose the epoch on `held_out`; report on `test`."""

    train: tuple[AnnotatedFrame, ...]
    held_out: tuple[AnnotatedFrame, ...]
    test: tuple[AnnotatedFrame, ...]
    by: By

    @property
    def subsets(self) -> tuple[tuple[AnnotatedFrame, ...], ...]:
        """The three subsets, in this order."""
        return self.train, self.held_out, self.test


def read_annotated_frames(
    source: Path, kind: str = "auto", progress: ProgressCallback | None = None
) -> AnnotatedFrames:
    """Read a dataset with boxes, of any format that `read_dataset` reads. Raises `DataError`."""
    dataset = read_dataset(source, kind, progress=progress)
    path = coco_file(source, kind)
    return annotate(dataset, None if path is None else read_coco_boxes(path))


def annotate(dataset: Dataset, boxes: dict[Path, tuple[tuple[str, Box], ...]] | None = None) -> AnnotatedFrames:
    """The frames of a dataset; `boxes` replaces the samples' own boxes where a sample cannot hold all of them."""
    by_path: dict[Path, list[Sample]] = defaultdict(list)
    for sample in dataset.samples:
        by_path[sample.path].append(sample)
    frames, left_out = [], 0
    for path, samples in by_path.items():
        own = [(sample.label, sample.box) for sample in samples if sample.box is not None]
        found = _true_boxes(own if boxes is None else boxes.get(path, ()))
        shows = any((sample.group or group_of(sample.label)) != "nothing" for sample in samples)
        if shows and not found:
            left_out += 1
            continue
        frames.append(AnnotatedFrame(path, found, samples[0].burst, samples[0].camera))
    return AnnotatedFrames(tuple(frames), dataset.source, left_out)


def split_frames(frames: Sequence[AnnotatedFrame], *, seed: int, by: By | None = None) -> FrameSplit:
    """Split by burst or by camera; `by=None`: by camera where at least three are known, else by burst.

    Raises `SettingsError` for `by="camera"` where a camera is unknown.
    """
    cameras = {frame.camera for frame in frames}
    if by is None:
        by = "camera" if len(cameras) >= 3 and "" not in cameras else "burst"
    if by == "camera" and len(cameras) < 3:
        raise SettingsError(f"{len(cameras)} cameras cannot be split into three subsets: use --split-by burst")
    samples = tuple(
        Sample(frame.path, frame.boxes[0].category.value if frame.boxes else BLANK, frame.burst, frame.camera)
        for frame in frames
    )
    parts = split(Dataset(samples, ""), seed=seed, by=by)
    by_path = {frame.path: frame for frame in frames}
    train, held_out, test = (tuple(by_path[sample.path] for sample in subset) for subset in parts.subsets)
    return FrameSplit(train, held_out, test, by)


def categories_of(frames: Sequence[AnnotatedFrame]) -> tuple[DetectionCategory, ...]:
    """The categories that have boxes, in the order of `DetectionCategory`."""
    found = {true.category for frame in frames for true in frame.boxes}
    return tuple(category for category in DetectionCategory if category in found)


def _true_boxes(labelled: Sequence[tuple[str, Box]]) -> tuple[TrueBox, ...]:
    found = []
    for label, box in labelled:
        group = group_of(label)
        if group != "nothing":
            found.append(TrueBox(box, DetectionCategory(group or "animal")))
    return tuple(found)
