"""The position in a list that is sorted by time, the latest first, as a page passes it to the next one."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from uncia.errors import UnciaError

__all__ = ["INVALID", "BadCursor", "decode", "encode", "parse_position"]


class BadCursor(UnciaError):
    """The position in a list is not one that a page returned."""

    def __init__(self) -> None:
        super().__init__("the position in the list is invalid: begin at the first page")


def encode(values: Sequence[Any]) -> str:
    """Values that JSON has, as text for an address."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def decode(after: str) -> Any:
    """The values of such a text. Raises what `INVALID` lists for any other text."""
    return json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))


INVALID = (ValueError, TypeError, binascii.Error, RecursionError)
"""What a text that no page returned raises when it is decoded, and its values are used."""


def parse_position(after: str, *, utc: bool) -> tuple[datetime, str]:
    """Time and id of a position. `utc`: whether its time has an offset, or is that of a clock. Raises `BadCursor`."""
    try:
        moment, identifier = decode(after)
        at = datetime.fromisoformat(moment)
        if (at.tzinfo is not None) != utc or not isinstance(identifier, str):
            raise ValueError(after)
    except INVALID as error:
        raise BadCursor from error
    return at, identifier
