"""From a folder of photographs to a model package that the stream serves."""

from uncia.errors import UnciaError


class TrainingError(UnciaError):
    """Nothing can be trained from this, or with these settings; nothing that was there was touched."""
