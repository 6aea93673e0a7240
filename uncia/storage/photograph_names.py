"""Determines whether a rejected upload is a photograph, by the object's name and the rejection reason.

Copies of memory cards also contain videos, `Thumbs.db`, `.DS_Store`, AppleDouble files (`._IMG_0001.JPG`), text files
and folders. They are rejected and are not frames of bursts. A rejected photograph is a frame, because it can be the
missing number of a sequence.

This module is about rejected uploads only: an upload that a model classified is a photograph under any name.
"""

from uncia.events import SOUND_RECORDING, VIDEO_NOT_ANALYSED, WITHDRAWN_REASONS

_PHOTOGRAPH_EXTENSIONS = frozenset({"jpg", "jpeg", "jpe", "jfif"})
"""File name extensions of photographs, in lower case."""

_NO_PHOTOGRAPH = (
    frozenset({"image-not-jpeg", "image-unknown-kind", SOUND_RECORDING, VIDEO_NOT_ANALYSED}) | WITHDRAWN_REASONS
)
"""Rejection reasons of uploads that are not photographs, or whose content does not exist any more."""

_BEGINS_AS_JPEG = frozenset({"image-truncated", "image-corrupt", "image-too-large"})
"""Rejection reasons of files that begin like a JPEG, which are photographs even without an extension."""


def is_unreadable_photograph(key: str, reason: str) -> bool:
    """Return whether a rejected upload is a photograph that could not be read.

    True when the name has an extension in `_PHOTOGRAPH_EXTENSIONS` and no leading dot, and the content is not known to
    be of another type. True for a name without an extension when the content begins like a JPEG.
    """
    name = key.rpartition("/")[2]
    if not name or name.startswith(".") or reason in _NO_PHOTOGRAPH:
        return False
    _, dot, extension = name.rpartition(".")
    if not dot:
        return reason in _BEGINS_AS_JPEG
    return extension.lower() in _PHOTOGRAPH_EXTENSIONS
