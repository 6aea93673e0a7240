"""Reads batch results of MegaDetector, format 1.0 to 1.6: boxes, and classifications of boxes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uncia.camtrap.vocabulary import category_of
from uncia.dashboard.imports.items import Box, ImportedMedia, ImportedObservation, ItemSink
from uncia.dashboard.imports.naming import camera_of_folders, derived_id, parse_local_time
from uncia.dashboard.imports.problems import ImportReport
from uncia.errors import UnciaError

__all__ = ["MegaDetectorReader"]


class MegaDetectorReader:
    """Reads one file. Results are in memory while they are read: about 1 KB per photograph."""

    def __init__(
        self,
        source: Path,
        report: ImportReport,
        utc_offset_minutes: int = 0,
        camera: str | None = None,
        origin: str | None = None,
    ) -> None:
        """`camera`: that of all photographs; None: by their folders. Raises `UnciaError`."""
        self._name, self._report, self._offset, self._camera = source.name, report, utc_offset_minutes, camera
        try:
            content = json.loads(source.read_bytes())
        except OSError as error:
            raise UnciaError(f"{source} cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise UnciaError(f"{source} is not JSON: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("images"), list):
            raise UnciaError(f"{source} has no `images`: it is not a file of MegaDetector's results")
        self._images: list[Any] = content["images"]
        info = content.get("info")
        info = info if isinstance(info, dict) else {}
        self._detector = str(info.get("detector") or "MegaDetector")
        self._classifier = str(info.get("classifier") or "") or self._detector
        self._done = _time(info.get("detection_completion_time"))
        self._categories = _names(content.get("detection_categories"))
        self._classes = _names(content.get("classification_categories"))
        self.origin = origin or f"megadetector:{source.stem}"

    def read(self, sink: ItemSink) -> None:
        """Put everything into a sink."""
        for number, image in enumerate(self._images, 1):
            try:
                self._image(image, sink)
            except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
                message = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
                self._report.add(self._name, number, message)

    def _image(self, image: Any, sink: ItemSink) -> None:
        if not isinstance(image, dict) or not isinstance(image.get("file"), str) or not image["file"]:
            raise ValueError("the image has no file")
        path = image["file"].replace("\\", "/")
        if not isinstance(image.get("datetime"), str):
            raise ValueError(f"{path} has no capture time: write the results with --include_image_timestamp")
        taken = parse_local_time(image["datetime"])
        camera = self._camera or camera_of_folders(path)
        media = derived_id("img", self.origin, path)
        detections = image.get("detections")
        width, height = (value if isinstance(value, int) and value > 0 else None for value in map(image.get, _SIZE))
        found = [self._detection(each, media) for each in detections or ()]
        failed = detections is None or image.get("failure") is not None
        sink.media(
            ImportedMedia(media, camera, taken, self._offset, path, width=width, height=height, detected=not failed)
        )
        for each in found:
            sink.observation(each)
        if not failed:
            # Decides where no box is sure enough.
            sink.observation(ImportedObservation(False, "blank", media=media, by=self._detector, at=self._done))

    def _detection(self, each: Mapping[str, Any], media: str) -> ImportedObservation:
        name = self._categories[str(each["category"])]
        category = category_of(name)
        score = float(each["conf"])
        x, y, width, height = (float(value) for value in each["bbox"])
        if not 0 <= score <= 1 or not (width > 0 and height > 0):
            raise ValueError("a detection has a score outside 0 to 1, or a box without an area")
        box: Box = (x, y, width, height)
        taxon = label = None
        best = max(each.get("classifications") or (), key=lambda pair: float(pair[1]), default=None)
        by = self._detector
        if best is not None and category == "animal" and category_of(self._classes[str(best[0])]) is None:
            label = self._classes[str(best[0])]
            words = label.split()
            taxon = label if len(words) == 2 and words[0][:1].isupper() and words[1].islower() else None
        return ImportedObservation(
            human=False,
            category="animal" if category in (None, "nothing") else category,
            media=media,
            taxon=taxon,
            label=label,
            probability=score,
            by=by,
            at=self._done,
            box=box,
        )


_SIZE = ("width", "height")


def _names(categories: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in categories.items()} if isinstance(categories, dict) else {}


def _time(text: Any) -> datetime | None:
    try:
        return parse_local_time(text).replace(tzinfo=UTC) if isinstance(text, str) else None
    except ValueError:
        return None
