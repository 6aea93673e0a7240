"""COCO Camera Traps: one JSON file with images, annotations and categories.

https://github.com/agentmorris/MegaDetector/blob/main/megadetector/data_management/README.md
"""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uncia.events.images import Box
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.readers.table import clip_box, parse_time
from uncia.training.datasets.readers.vocabulary import (
    existing_path,
    group_of,
    intern_name,
    is_unknown_label,
    require_samples,
)


def read_coco(source: Path) -> Dataset:
    """`source`: the JSON file; pictures lie beside it, or in a folder `images` beside it. Images without annotations
    or of unknown class are left out and counted. Raises `DataError`."""
    told = _json(source)
    names = {entry["id"]: intern_name(str(entry["name"])) for entry in told["categories"]}
    of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in told["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    place = _place(source, told["images"])
    pictures: list[Sample] = []
    left_out = 0
    for image in told["images"]:
        found = _one_each(of_image.get(image["id"], []), image, names, source)
        left_out += not found
        for label, box in found.items():
            try:
                taken = parse_time(str(image.get("datetime") or image.get("date_captured") or ""))
            except ValueError:
                taken = None  # data sets say "unknown" there, or nothing sensible
            sequence = image.get("seq_id")
            pictures.append(
                Sample(
                    path=existing_path(place(str(image["file_name"]))),
                    label=label,
                    burst=intern_name(f"{image.get('location', '')}/{sequence}") if sequence not in (None, "") else "",
                    camera=intern_name(str(image.get("location", ""))),
                    taken=taken,
                    box=box,
                    group=intern_name(group_of(label)),
                )
            )
    require_samples(len(pictures), source, f"{left_out:,} images have no annotation of a known class")
    name = f"COCO Camera Traps {source.name}"
    return Dataset(tuple(pictures), f"{name}; {left_out:,} images without a class left out" if left_out else name)


def is_coco(source: Path) -> bool:
    """By its beginning, without reading all of it: a data set's file may have hundreds of megabytes."""
    try:
        with source.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return any(name in head for name in (b'"images"', b'"annotations"', b'"categories"', b'"info"'))


def _json(source: Path) -> dict[str, Any]:
    try:
        told = json.loads(source.read_bytes())
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is not JSON: {error}") from error
    if other := _other_format(told):
        raise DataError(
            f"{source} is {other}: what a model found, and no labels that a person gave. Have them reviewed (in "
            "Timelapse, say) and give the table of the review, or put the pictures into a folder for each class"
        )
    needed = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}
    for part, keys in needed.items():
        entries = told.get(part) if isinstance(told, dict) else None
        if not isinstance(entries, list):
            raise DataError(f"{source} is no COCO Camera Traps file: it has no list `{part}`")
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict) or any(key not in entry for key in keys):
                raise DataError(f"{source}: entry {number} of `{part}` has no {' or no '.join(keys)}")
            if any(key.endswith("id") and not isinstance(entry[key], str | int | float) for key in keys):
                raise DataError(f"{source}: entry {number} of `{part}` has an id that is neither a number nor a text")
    return dict(told)


def _other_format(told: Any) -> str:
    """The name of a format that looks like COCO and is none; empty where it is not known.

    https://lila.science/megadetector-output-format (1.2 to 1.6), and the same as a plain list.
    """
    if isinstance(told, dict):
        if "detection_categories" in told or (_has(told.get("images"), "file") and "annotations" not in told):
            return "a results file of MegaDetector"
        if _has(told.get("predictions"), "filepath"):
            return "a results file of SpeciesNet"
    return "a results file of MegaDetector" if _has(told, "file", "detections") else ""


def _has(entries: Any, *keys: str) -> bool:
    return (
        isinstance(entries, list)
        and bool(entries)
        and isinstance(entries[0], dict)
        and all(key in entries[0] for key in keys)
    )


def _place(source: Path, images: list[dict[str, Any]]) -> Callable[[str], Path]:
    """Where the files lie, decided by the first that is there."""
    for image in images[:100]:
        for folder in (source.parent, source.parent / "images"):
            if (folder / str(image["file_name"])).exists():
                return folder.joinpath
    return source.parent.joinpath


def _one_each(
    annotations: list[dict[str, Any]], image: dict[str, Any], names: dict[Any, str], source: Path
) -> dict[str, Box | None]:
    """Each label of the image once, with its largest box."""
    found: dict[str, Box | None] = {}
    for annotation in annotations:
        label = names.get(annotation["category_id"])
        if label is None:
            raise DataError(
                f"{source}: image {image['id']} has the category {annotation['category_id']}, which is not listed"
            )
        if is_unknown_label(label):
            continue
        box = _box(annotation.get("bbox"), image)
        if label not in found or _area(box) > _area(found[label]):
            found[label] = box
    return found


def _box(told: Any, image: dict[str, Any]) -> Box | None:
    """Pixels become shares; None where the box or the image's size is not told, or makes no sense."""
    try:
        x, y, width, height = (float(value) for value in told)
        wide, high = float(image["width"]), float(image["height"])
        return clip_box(x / wide, y / high, width / wide, height / high)
    except (TypeError, ValueError, KeyError, ZeroDivisionError, OverflowError):
        return None


def _area(box: Box | None) -> float:
    return box[2] * box[3] if box else 0.0
