"""Labelled datasets: read from several formats, split, and decoded into the input frames of a model."""

from uncia.errors import UnciaError

__all__ = ["DataError"]


class DataError(UnciaError):
    """A dataset cannot be read or rendered; the message names the file or folder and the remedy."""

    exit_code = 2
