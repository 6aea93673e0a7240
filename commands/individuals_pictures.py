"""Pictures of known individuals from folders: `FOLDER/INDIVIDUAL/picture.jpg`, or `FOLDER/INDIVIDUAL/left/…`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uncia.camtrap.individual_pictures import NamedPicture, picture_crop, picture_decisions
from uncia.camtrap.names import canonical_name
from uncia.errors import UnciaError
from uncia.events import AnimalSide, IndividualDecided
from uncia.imaging.capture_time import find_capture_time
from uncia.imaging.exif import read_exif
from uncia.imaging.maker_notes import read_maker_note
from uncia.imaging.metadata_removal import MetadataNotRemovable, without_metadata
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

__all__ = ["FoundPictures", "find_pictures", "store_pictures"]

_JPEG = {".jpg", ".jpeg"}
_SIDES = {AnimalSide.LEFT.value, AnimalSide.RIGHT.value, AnimalSide.HEAD.value}


@dataclass(frozen=True)
class FoundPictures:
    """The pictures of a folder."""

    pictures: dict[Path, NamedPicture]
    """By path; of files with the same pixels one."""
    left_out: int
    """Files that are no JPEG, lie in no individual's folder, or repeat a picture of the same individual."""


def find_pictures(folder: Path) -> FoundPictures:
    """Read a folder per individual. Raises `UnciaError` for the same picture under two names, and without a picture."""
    pictures: dict[Path, NamedPicture] = {}
    by_content: dict[str, Path] = {}
    left_out = 0
    for path in _files(folder):
        found = _read(folder, path)
        if found is None:
            left_out += 1
            continue
        other = by_content.get(found.sha256)
        if other is None:
            by_content[found.sha256] = path
            pictures[path] = found
        elif pictures[other].individual == found.individual:
            left_out += 1
        else:
            raise UnciaError(
                f"{other.relative_to(folder)} and {path.relative_to(folder)} are the same picture under two names: "
                "remove one of them"
            )
    if not pictures:
        raise UnciaError(f"{folder} has no pictures: JPEG files are expected in a folder per individual")
    return FoundPictures(pictures, left_out)


def store_pictures(config: Settings, found: FoundPictures, taxon: str, account: str) -> list[IndividualDecided]:
    """Store the pictures without their metadata, and return the decisions about them. Raises `DependencyDown`, and
    `AccessRefused` without the right to store."""
    store = ObjectStore(config)
    for path, picture in found.pictures.items():
        crop = picture_crop(picture, config.bucket)
        store.put(crop.bucket, crop.key, without_metadata(path.read_bytes()), content_type="image/jpeg")
    return picture_decisions(found.pictures.values(), taxon, account, config.bucket)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _read(folder: Path, path: Path) -> NamedPicture | None:
    name, *below = path.relative_to(folder).parts[:-1] or ("",)
    if not name or path.suffix.lower() not in _JPEG:
        return None
    data = path.read_bytes()
    try:
        bare = without_metadata(data)
    except MetadataNotRemovable:
        return None
    exif = read_exif(data)
    taken = find_capture_time(exif, read_maker_note(exif.maker_note), path.name)
    side = next((part.lower() for part in below if part.lower() in _SIDES), AnimalSide.UNKNOWN.value)
    return NamedPicture(
        canonical_name(name), hashlib.sha256(bare).hexdigest(), AnimalSide(side), taken.time if taken else None
    )
