"""Labelled datasets: read from several formats, split, and decoded into the frames that a model sees."""

from uncia.errors import UnciaError


class DataError(UnciaError):
    """A dataset cannot be read or rendered; the message names the file or folder and the remedy."""

    exit_code = 2
