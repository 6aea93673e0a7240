"""Small pictures for the pages, as data URLs: of the content that was judged, never of what has replaced it."""

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image

from uncia import ids
from uncia.errors import PermanentError, RejectedImage, UnciaError
from uncia.events import BurstFrame, ImagePredicted
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import decode_frame
from uncia.imaging.jpeg_header import read_jpeg_header
from uncia.settings import Settings
from uncia.storage.object_store import ObjectChanged, ObjectContent, ObjectMissing, ObjectStore

THUMBNAIL = (360, 270)
_QUALITY = 68

GONE = "no longer stored"
REPLACED = "replaced by another picture"
UNREADABLE = "not readable"


@dataclass(frozen=True)
class JudgedContent:
    """The content that a verdict is about: its ids tell it from whatever else the key holds."""

    camera: str
    bucket: str
    key: str
    upload_id: str
    image_id: str
    version_id: str | None = None
    """Where to look first, in a bucket that keeps versions."""

    def is_content(self, content: ObjectContent) -> bool:
        """True where these bytes are the ones that were judged, also where the store gives them another ETag by now."""
        if ids.upload_id(self.bucket, self.key, content.etag) == self.upload_id:
            return True
        return ids.image_id(self.camera, ids.content_hash(content.data)) == self.image_id

    @classmethod
    def of_frame(cls, camera: str, frame: BurstFrame) -> "JudgedContent":
        """Of a frame of a burst."""
        return cls(camera, frame.bucket, frame.key, frame.upload_id, frame.image_id)

    @classmethod
    def of_prediction(cls, predicted: ImagePredicted) -> "JudgedContent":
        """Of what was read for a prediction."""
        one = predicted
        return cls(one.camera, one.bucket, one.key, one.upload_id, one.image_id, one.version_id)


@dataclass(frozen=True)
class Thumbnail:
    """A picture as a data URL, or in words why there is none."""

    url: str | None
    missing: str = ""


LoadPicture = Callable[[JudgedContent], Thumbnail]


def thumbnail(data: bytes, *, max_pixels: int = 150_000_000) -> str | None:
    """A JPEG of at most 360 x 270 pixels as a data URL; None where the bytes are no readable photograph.

    Decoded as the stream decodes. EXIF is not carried over: the page must not tell where the camera stands.
    """
    try:
        header = read_jpeg_header(data, max_pixels=max_pixels)
        share = min(THUMBNAIL[0] / header.width, THUMBNAIL[1] / header.height)
        width, height = (max(1, round(length * share)) for length in (header.width, header.height))
        whole = FrameSpec(width=width, height=height, crop_top=0, crop_bottom=0)
        pixels = decode_frame(data, whole, max_pixels=max_pixels).pixels
    except RejectedImage:
        return None
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def stored_pictures(settings: Settings) -> LoadPicture:
    """Thumbnails of what is in the store."""
    return Pictures(
        ObjectStore(settings),
        max_bytes=settings.max_object_mb * 1_048_576,
        max_pixels=settings.max_megapixels * 1_000_000,
    )


class Pictures:
    """Loads thumbnails of judged content. Raises `DependencyDown` or `AccessRefused` as the store does."""

    def __init__(self, store: ObjectStore, *, max_bytes: int, max_pixels: int) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels

    def __call__(self, judged: JudgedContent) -> Thumbnail:
        """The picture, or why there is none."""
        replaced = False
        try:
            for content in self._contents(judged):
                if judged.is_content(content):
                    url = thumbnail(content.data, max_pixels=self._max_pixels)
                    return Thumbnail(url) if url else Thumbnail(None, UNREADABLE)
                replaced = True
        except PermanentError:
            return Thumbnail(None, UNREADABLE)
        return Thumbnail(None, REPLACED if replaced else GONE)

    def _contents(self, judged: JudgedContent) -> Iterator[ObjectContent]:
        """What the store has under the key: the version that was judged or what stands there now, then older ones."""
        with suppress(ObjectMissing):
            yield self._read(judged, judged.version_id)
        # A store that keeps no versions, or does not list them to us, has none to offer.
        with suppress(UnciaError):
            for version in self._store.versions(judged.bucket, judged.key):
                # SeaweedFS 4.48 lists another ETag than it serves for a null version that was uploaded in parts.
                expected = ids.upload_id(judged.bucket, judged.key, version.etag) == judged.upload_id
                if expected or "-" in version.etag:
                    with suppress(ObjectMissing, ObjectChanged):
                        yield self._read(judged, version.version_id)

    def _read(self, judged: JudgedContent, version_id: str | None) -> ObjectContent:
        return self._store.read(judged.bucket, judged.key, max_bytes=self._max_bytes, version_id=version_id)
