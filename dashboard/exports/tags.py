"""Tags of Camtrap DP, `key:value | key:value`: where the package keeps what the format has no column for."""

import re
from collections.abc import Iterable

__all__ = ["join_tags", "split_tags"]

_UNSAFE = re.compile(r"[%|\x00-\x1f\x7f]|^ | $")


def join_tags(tags: Iterable[tuple[str, object]]) -> str:
    """The tags as one cell. Values that are None are left out; `|`, `%` and control characters are percent-encoded."""
    return " | ".join(f"{key}:{_quoted(_text(value))}" for key, value in tags if value is not None)


def split_tags(cell: str) -> dict[str, list[str]]:
    """The values by key. A tag without a colon is a key with an empty value."""
    found: dict[str, list[str]] = {}
    for tag in cell.split("|"):
        key, _, value = tag.strip().partition(":")
        if key:
            found.setdefault(key, []).append(_unquoted(value))
    return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _unquoted(text: str) -> str:
    return re.sub(r"%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)
