"""Gather a training set from public sources of pictures, with licence and provenance of each picture.

A harvest is a folder: `harvest.sqlite` holds the plan and the state of every picture, `pictures/` the files. Everything
that runs can be killed at any moment and continued. The folder ends as a dataset: `pictures.csv`, which `read_dataset`
reads.
"""

from uncia.errors import UnciaError

__all__ = ["HarvestError"]


class HarvestError(UnciaError):
    """A harvest cannot be planned, continued or written; the message names the cause and the remedy."""

    exit_code = 2
