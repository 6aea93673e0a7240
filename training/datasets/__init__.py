"""Labelled pictures: read, drawn, checked, split, and turned into what a model sees."""

from uncia.errors import UnciaError


class DataError(UnciaError):
    """A data set cannot be read or drawn; the message says where, and what to do."""

    exit_code = 2
