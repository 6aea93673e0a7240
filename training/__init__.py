"""Trains models on folders of photographs, evaluates them, and writes model packages."""

from uncia.errors import UnciaError

__all__ = ["TrainingError"]


class TrainingError(UnciaError):
    """Training is impossible with these data or settings; existing files are unchanged."""
