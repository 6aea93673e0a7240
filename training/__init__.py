"""From a folder of photographs to a model package that the stream serves."""

from uncia.errors import UnciaError

__all__ = ["TrainingError"]


class TrainingError(UnciaError):
    """Training is impossible with these data or settings; existing files are unchanged."""
