"""Which uploads may be photographs, by the object's name and the reason of its rejection.

A camera's card and the computers that touched it leave more than photographs in a bucket: videos, `Thumbs.db`,
`.DS_Store`, AppleDouble twins (`._IMG_0001.JPG`), text files, folders. Each of them is answered by a rejection, and
none of them is a frame of a burst. A rejected photograph is one: it may stand for a missing number of a sequence.

An upload that a model classified is a photograph, whatever its name; this module is about rejected uploads only.
"""

from uncia.events import WITHDRAWN_REASONS

PHOTOGRAPH_EXTENSIONS = frozenset({"jpg", "jpeg", "jpe", "jfif"})
"""File name extensions of photographs, in lower case."""

_NO_PHOTOGRAPH = frozenset({"image-not-jpeg", "image-unknown-kind"}) | WITHDRAWN_REASONS
"""Reasons that say that the content is something else, or that nothing of this upload is left to classify."""

_BEGINS_AS_JPEG = frozenset({"image-truncated", "image-corrupt", "image-too-large"})
"""Reasons that are found in what begins as a JPEG: these count without an extension."""


def is_unreadable_photograph(key: str, reason: str) -> bool:
    """Whether a rejected upload counts as a photograph that could not be read.

    It does when its name is a photograph's (an extension of `PHOTOGRAPH_EXTENSIONS`, no leading dot) and its content
    is not known to be something else. A name without any extension counts when the content begins as a JPEG.
    """
    name = key.rpartition("/")[2]
    if not name or name.startswith(".") or reason in _NO_PHOTOGRAPH:
        return False
    _, dot, extension = name.rpartition(".")
    if not dot:
        return reason in _BEGINS_AS_JPEG
    return extension.lower() in PHOTOGRAPH_EXTENSIONS
