"""Small pictures for the page, as data URLs."""

import base64
import io
import warnings
from collections.abc import Callable

from PIL import Image, ImageOps, UnidentifiedImageError

from uncia.errors import PermanentError
from uncia.object_store import ObjectStore
from uncia.settings import Settings

LoadPicture = Callable[[str, str], str | None]
"""From bucket and key to a data URL, or None where there is no picture to show."""

THUMBNAIL = (360, 270)
_QUALITY = 68


def thumbnail(data: bytes) -> str | None:
    """A JPEG of at most 360 x 270 pixels as a data URL; None where the bytes are no readable photograph.

    EXIF is not carried over: the page must not tell where the camera stands.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                image.draft("RGB", (THUMBNAIL[0] * 2, THUMBNAIL[1] * 2))
                small = ImageOps.contain(image.convert("RGB"), THUMBNAIL)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        return None
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def stored_pictures(settings: Settings) -> LoadPicture:
    """Thumbnails of what is in the store. An object that is gone or too large gives none."""
    store, limit = ObjectStore(settings), settings.max_object_mb * 1_000_000

    def load(bucket: str, key: str) -> str | None:
        try:
            return thumbnail(store.get(bucket, key, max_bytes=limit))
        except PermanentError:
            return None

    return load
