"""Recognises sound recordings by the name of a file or object: WAV and FLAC.

Recorders store them next to photographs, or alone. They are stored and announced like photographs; the worker `listen`
analyses them, and the workers of photographs leave them out by their name, without reading them.
"""

CONTENT_TYPES = {"wav": "audio/wav", "flac": "audio/flac"}
"""Media types by file name extension, in lower case."""

RECORDING_EXTENSIONS = frozenset(CONTENT_TYPES)
"""File name extensions of recordings, in lower case."""


def is_recording_name(key: str) -> bool:
    """Whether the last level of a key, or a file name, is that of a recording; hidden files and `._` companions are
    not."""
    name = key.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return bool(stem and dot) and not name.startswith(".") and extension.lower() in RECORDING_EXTENSIONS
