"""COCO Camera Traps: one JSON file with images, annotations and categories.

https://github.com/agentmorris/MegaDetector/blob/main/megadetector/data_management/README.md
"""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from uncia.camtrap.vocabulary import group_of, is_unknown
from uncia.events.values import Box
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.reading_tools import existing_path, intern_name, require_samples
from uncia.training.datasets.readers.table import box_area, clip_box, parse_time

_REQUIRED = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}


def read_coco(source: Path) -> Dataset:
    """Read a COCO Camera Traps file; its images are in the same folder, or in a folder `images` there.

    Images without annotations or of unknown class are left out and counted. Raises `DataError`.
    """
    content = _load(source)
    categories = {entry["id"]: intern_name(str(entry["name"])) for entry in content["categories"]}
    by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in content["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    resolve = _path_resolver(source, content["images"])
    samples: list[Sample] = []
    left_out = 0
    for image in content["images"]:
        boxes = _box_by_label(by_image.get(image["id"], []), image, categories, source)
        left_out += not boxes
        sequence = image.get("seq_id")
        for label, box in boxes.items():
            samples.append(
                Sample(
                    path=existing_path(resolve(str(image["file_name"]))),
                    label=label,
                    burst=intern_name(f"{image.get('location', '')}/{sequence}") if sequence not in (None, "") else "",
                    camera=intern_name(str(image.get("location", ""))),
                    taken=_time(image),
                    box=box,
                    group=intern_name(group_of(label)),
                )
            )
    require_samples(len(samples), source, f"{left_out:,} images have no annotation of a known class")
    name = f"COCO Camera Traps {source.name}"
    return Dataset(tuple(samples), f"{name}; {left_out:,} images without a class left out" if left_out else name)


def read_coco_boxes(source: Path) -> dict[Path, tuple[tuple[str, Box], ...]]:
    """All boxes of each image, with their labels: a `Sample` has room for the largest box of its label only.

    Images without a box are left out. The paths are those of `read_coco`. Raises `DataError`.
    """
    content = _load(source)
    categories = {entry["id"]: intern_name(str(entry["name"])) for entry in content["categories"]}
    images = {image["id"]: image for image in content["images"]}
    resolve = _path_resolver(source, content["images"])
    found: dict[Path, list[tuple[str, Box]]] = defaultdict(list)
    for annotation in content["annotations"]:
        image, label = images.get(annotation["image_id"]), categories.get(annotation["category_id"])
        if image is None or label is None or is_unknown(label):
            continue
        box = _parse_box(annotation.get("bbox"), image)
        if box is not None:
            found[existing_path(resolve(str(image["file_name"])))].append((label, box))
    return {path: tuple(boxes) for path, boxes in found.items()}


def is_coco(source: Path) -> bool:
    """Whether the file begins like a COCO file. Only its first 4 KB are read; it may have hundreds of megabytes."""
    try:
        with source.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return any(name in head for name in (b'"images"', b'"annotations"', b'"categories"', b'"info"'))


def _load(source: Path) -> dict[str, Any]:
    try:
        content = json.loads(source.read_bytes())
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is not JSON: {error}") from error
    if other := _results_format(content):
        raise DataError(
            f"{source} is {other}: it holds detections of a model, not labels by people. Have them reviewed (in "
            "Timelapse, say) and use the table of the review, or sort the images into a folder for each class"
        )
    for part, keys in _REQUIRED.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise DataError(f"{source} is not a COCO Camera Traps file: it has no list `{part}`")
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict) or any(key not in entry for key in keys):
                raise DataError(f"{source}: entry {number} of `{part}` has no {' or no '.join(keys)}")
            if any(key.endswith("id") and not isinstance(entry[key], str | int | float) for key in keys):
                raise DataError(f"{source}: entry {number} of `{part}` has an id that is neither a number nor a text")
    return dict(content)


def _results_format(content: Any) -> str:
    """The name of a format of model results that resembles COCO; empty for other content.

    https://lila.science/megadetector-output-format (1.2 to 1.6), also as a plain list.
    """
    if isinstance(content, dict):
        if "detection_categories" in content or (
            _first_has(content.get("images"), "file") and "annotations" not in content
        ):
            return "a results file of MegaDetector"
        if _first_has(content.get("predictions"), "filepath"):
            return "a results file of SpeciesNet"
    return "a results file of MegaDetector" if _first_has(content, "file", "detections") else ""


def _first_has(entries: Any, *keys: str) -> bool:
    """Whether `entries` is a list whose first entry is an object with all of these keys."""
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        return False
    return all(key in entries[0] for key in keys)


def _path_resolver(source: Path, images: list[dict[str, Any]]) -> Callable[[str], Path]:
    """From file name to path; the first image that exists decides in which folder the images are."""
    for image in images[:100]:
        for folder in (source.parent, source.parent / "images"):
            if (folder / str(image["file_name"])).exists():
                return folder.joinpath
    return source.parent.joinpath


def _time(image: dict[str, Any]) -> datetime | None:
    try:
        return parse_time(str(image.get("datetime") or image.get("date_captured") or ""))
    except ValueError:
        return None  # datasets write "unknown" there, or arbitrary text


def _box_by_label(
    annotations: list[dict[str, Any]], image: dict[str, Any], categories: dict[Any, str], source: Path
) -> dict[str, Box | None]:
    """The labels of an image, each with its largest box."""
    found: dict[str, Box | None] = {}
    for annotation in annotations:
        label = categories.get(annotation["category_id"])
        if label is None:
            raise DataError(
                f"{source}: image {image['id']} has the category {annotation['category_id']}, which is not listed"
            )
        if is_unknown(label):
            continue
        box = _parse_box(annotation.get("bbox"), image)
        if label not in found or box_area(box) > box_area(found[label]):
            found[label] = box
    return found


def _parse_box(bbox: Any, image: dict[str, Any]) -> Box | None:
    """From pixels to shares of the image; None where box or image size is missing or invalid."""
    try:
        x, y, width, height = (float(value) for value in bbox)
        image_width, image_height = float(image["width"]), float(image["height"])
        return clip_box(x / image_width, y / image_height, width / image_width, height / image_height)
    except (TypeError, ValueError, KeyError, ZeroDivisionError, OverflowError):
        return None
