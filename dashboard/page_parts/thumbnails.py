"""Thumbnails as data URLs: always of the content that a verdict is about, never of content that replaced it."""

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image

from uncia import ids
from uncia.camtrap.hidden_people import HiddenPeople
from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.errors import PermanentError, RejectedImage, UnciaError
from uncia.events import CropPublished
from uncia.events.values import Box
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_frame
from uncia.imaging.jpeg_header import read_jpeg_header
from uncia.imaging.people_blur import blur_people
from uncia.settings import Settings
from uncia.storage.object_store import ObjectChanged, ObjectContent, ObjectMissing, ObjectStore

_THUMBNAIL_SIZE = (360, 270)
"""Maximum width and height in pixels."""

_JPEG_QUALITY = 68

GONE = "no longer stored"
REPLACED = "replaced by another photograph"
UNREADABLE = "not readable"
PERSON = "withheld: a person is in the burst, and where in this photograph is not known"


@dataclass(frozen=True)
class Thumbnail:
    """An image as a data URL, or the reason why there is none."""

    url: str | None
    missing: str = ""


LoadThumbnail = Callable[[AssessedContent], Thumbnail]
LoadCrop = Callable[[CropPublished], Thumbnail]
HiddenIn = Callable[[str], HiddenPeople | None]
"""What of a photograph, by its image id, is hidden from the readers of a page; None: nothing."""


def thumbnail_url(data: bytes, *, max_pixels: int = 150_000_000, blurred: Sequence[Box] = ()) -> str | None:
    """A JPEG of at most `_THUMBNAIL_SIZE` as a data URL; None where the bytes are not a readable photograph.

    `blurred`: boxes around persons, which are made unrecognisable.
    """
    jpeg = scaled_jpeg(data, _THUMBNAIL_SIZE, quality=_JPEG_QUALITY, max_pixels=max_pixels, blurred=blurred)
    return None if jpeg is None else "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def scaled_jpeg(
    data: bytes,
    size: tuple[int, int],
    *,
    quality: int,
    max_pixels: int = 150_000_000,
    blurred: Sequence[Box] = (),
) -> bytes | None:
    """The photograph as a JPEG of at most this width and height; None where the bytes are not a readable one.

    Decodes as the prediction worker does. EXIF is not copied, because a page must not reveal the position of the
    camera. `blurred`: boxes around persons, which are made unrecognisable.
    """
    try:
        header = read_jpeg_header(data, max_pixels=max_pixels)
        scale = min(1.0, size[0] / header.width, size[1] / header.height)
        width, height = (max(1, round(length * scale)) for length in (header.width, header.height))
        uncropped = FrameSpec(width=width, height=height, crop_top=0, crop_bottom=0)
        pixels = decode_frame(data, uncropped, max_pixels=max_pixels).pixels
    except RejectedImage:
        return None
    out = io.BytesIO()
    Image.fromarray(blur_people(pixels, blurred)).save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def thumbnails_from_store(settings: Settings, hidden: HiddenIn) -> LoadThumbnail:
    """Loads thumbnails from the object store of these settings, with what is hidden blurred or withheld."""
    return ThumbnailLoader(
        ObjectStore(settings),
        hidden,
        max_bytes=settings.max_object_mb * 1_048_576,
        max_pixels=settings.max_megapixels * 1_000_000,
    )


def crops_from_store(settings: Settings, hidden: HiddenIn) -> LoadCrop:
    """Loads published crops from the object store of these settings, by their content hash; none of photographs in
    which something is hidden."""
    store = ObjectStore(settings)

    def load(crop: CropPublished) -> Thumbnail:
        if hidden(crop.image_id) is not None:
            return Thumbnail(None, PERSON)
        try:
            content = store.read(crop.bucket, crop.key, max_bytes=settings.max_object_mb * 1_048_576)
        except ObjectMissing:
            return Thumbnail(None, GONE)
        except PermanentError:
            return Thumbnail(None, UNREADABLE)
        if hashlib.sha256(content.data).hexdigest() != crop.sha256:
            return Thumbnail(None, REPLACED)
        url = thumbnail_url(content.data)
        return Thumbnail(url) if url else Thumbnail(None, UNREADABLE)

    return load


class PhotographLoader:
    """Reads assessed content from the store. Raises `DependencyDown` or `AccessRefused` as the store does."""

    def __init__(self, store: ObjectStore, *, max_bytes: int) -> None:
        self._store = store
        self._max_bytes = max_bytes

    def __call__(self, assessed: AssessedContent) -> tuple[bytes | None, str]:
        """The bytes, or None and the reason."""
        replaced = False
        try:
            for content in self._candidates(assessed):
                if assessed.is_content(content):
                    return content.data, ""
                replaced = True
        except PermanentError:
            return None, UNREADABLE
        return None, REPLACED if replaced else GONE

    def _candidates(self, assessed: AssessedContent) -> Iterator[ObjectContent]:
        """Yield the stored contents of the key: the version in the event or the current one, then older versions."""
        with suppress(ObjectMissing):
            yield self._read(assessed, assessed.version_id)
        # Without versioning, or without the permission to list versions, there are no older contents.
        with suppress(UnciaError):
            for version in self._store.versions(assessed.bucket, assessed.key):
                # SeaweedFS 4.48 lists another ETag than it serves for a null version that was uploaded in parts.
                expected = ids.upload_id(assessed.bucket, assessed.key, version.etag) == assessed.upload_id
                if expected or "-" in version.etag:
                    with suppress(ObjectMissing, ObjectChanged):
                        yield self._read(assessed, version.version_id)

    def _read(self, assessed: AssessedContent, version_id: str | None) -> ObjectContent:
        return self._store.read(assessed.bucket, assessed.key, max_bytes=self._max_bytes, version_id=version_id)


class ThumbnailLoader:
    """Loads thumbnails of assessed content. Raises `DependencyDown` or `AccessRefused` as the store does."""

    def __init__(self, store: ObjectStore, hidden: HiddenIn, *, max_bytes: int, max_pixels: int) -> None:
        self._load = PhotographLoader(store, max_bytes=max_bytes)
        self._hidden = hidden
        self._max_pixels = max_pixels

    def __call__(self, assessed: AssessedContent) -> Thumbnail:
        """The thumbnail, or the reason why there is none."""
        people = self._hidden(assessed.image_id)
        if people is not None and people.withheld:
            return Thumbnail(None, PERSON)
        data, missing = self._load(assessed)
        if data is None:
            return Thumbnail(None, missing)
        url = thumbnail_url(data, max_pixels=self._max_pixels, blurred=people.boxes if people else ())
        return Thumbnail(url) if url else Thumbnail(None, UNREADABLE)
