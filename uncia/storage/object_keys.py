"""Validates object keys: accepted keys are safe in every store, log line, terminal and topic. Pure functions."""

import re
import unicodedata

_MAX_KEY_BYTES = 1024
"""Maximum length in bytes of UTF-8, as in S3."""

_SHOWN = 200
_UNPRINTABLE = {"Cc", "Cs"}
"""Control characters (NUL, escape, line breaks, C1) and unpaired surrogates."""

CROPS_PREFIX = "crops/"
EXPLANATIONS_PREFIX = "explanations/"
INDIVIDUALS_PREFIX = "individuals/"
"""Descriptions of crops for the matching of individuals."""
SPECTROGRAMS_PREFIX = "spectrograms/"
"""Spectrograms of calls in sound recordings."""
STATUS_PREFIX = "status/"
"""Status reports of cameras, below `status/<station>/`. No station is called so (`RESERVED_STATIONS`)."""

RESERVED_STATIONS = frozenset({"status"})
"""Names that no station can have: a key that may store a station's status reports could otherwise store photographs of
the station `status`, and its gateway could store the reports of all others."""

_DERIVED = re.compile(
    rf"(?:{CROPS_PREFIX}|{EXPLANATIONS_PREFIX}|{INDIVIDUALS_PREFIX}|{SPECTROGRAMS_PREFIX})"
    r"(?:.+/)?[a-z]{3}-[0-9a-f]{24}[^/]*",
    re.DOTALL,
)


def is_derived_key(key: str) -> bool:
    """Whether Uncia itself wrote the object: its file is named after an id, below `crops/`, `explanations/`,
    `individuals/` or `spectrograms/`; or it is below `status/`.

    Such an object is no upload, although it is in the bucket of the uploads; a station called `crops` keeps its own.
    """
    return key.startswith(STATUS_PREFIX) or _DERIVED.fullmatch(key) is not None


def key_problem(key: str) -> str | None:
    """Return why a key is rejected, as the end of a sentence; None when it is accepted.

    Control characters: JSON needs six bytes for each, so that an event with 200 keys of 980 such characters exceeds the
    topic's limit; they are invalid in XML listings, and terminals interpret them. A level `..` is resolved by some HTTP
    clients, proxies and stores and not by others, so that it could refer to an object in another bucket.
    """
    if any(unicodedata.category(character) in _UNPRINTABLE for character in key):
        return "holds control characters"
    if (size := len(key.encode())) > _MAX_KEY_BYTES:
        return f"has {size:,} bytes; S3 allows {_MAX_KEY_BYTES:,}"
    if ".." in key.split("/"):
        return "has a level `..`, which stores resolve differently"
    return None


def displayable_key(key: str) -> str:
    """Return the key in ASCII, quoted and truncated, for messages about a rejected key."""
    return ascii(key if len(key) <= _SHOWN else key[:_SHOWN] + "…")
