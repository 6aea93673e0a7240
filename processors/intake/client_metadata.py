"""What S3 clients other than our gateway store with an object: the file's own time. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime

from uncia.processors.intake.store_time import plausible_seconds

__all__ = ["file_time"]

_RCLONE = "mtime"
"""Seconds since 1970, with a fraction; Cyberduck's profile `S3 (Timestamps)` writes the same."""
_S3CMD = "s3cmd-attrs"
"""`atime:…/ctime:…/…/mtime:1714545000/…`"""

_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


def file_time(metadata: Mapping[str, str]) -> datetime | None:
    """When the file was last changed on the client's computer (aware, UTC); None where the client did not store it.

    A card's files have the times of the photographs, unless a program copied them without.
    """
    stated = metadata.get(_RCLONE, "")
    for attribute in metadata.get(_S3CMD, "").split("/"):
        name, _, value = attribute.partition(":")
        if name == _RCLONE:
            stated = stated or value
    return plausible_seconds(float(stated)) if _SECONDS.fullmatch(stated) else None
