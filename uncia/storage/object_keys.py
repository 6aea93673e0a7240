"""Which object keys the stream takes: everything that every store, log line, terminal and topic can carry. Pure."""

import re
import unicodedata

MAX_KEY_BYTES = 1024
"""Bytes of UTF-8; S3's own limit."""

_SHOWN = 200
_UNPRINTABLE = {"Cc", "Cs"}
"""Control characters (NUL, escape, line breaks, C1) and halves of surrogate pairs."""

CROPS_PREFIX = "crops/"
EXPLANATIONS_PREFIX = "explanations/"

_DERIVED = re.compile(rf"(?:{CROPS_PREFIX}|{EXPLANATIONS_PREFIX})(?:.+/)?[a-z]{{3}}-[0-9a-f]{{24}}[^/]*", re.DOTALL)


def is_derived_key(key: str) -> bool:
    """Whether Uncia itself wrote the object: its file is named after an id, below `crops/` or `explanations/`.

    Such an object is no upload, although it is in the bucket of the uploads; a station called `crops` keeps its own.
    """
    return _DERIVED.fullmatch(key) is not None


def key_problem(key: str) -> str | None:
    """Why an object of this key is refused, as the end of a sentence; None where it is taken.

    JSON writes one control character as six bytes, so that 200 keys of 980 of them outgrow a topic's limit; XML
    listings cannot carry them at all, and terminals obey them. A level `..` is resolved by some HTTP clients, proxies
    and stores and not by others: it may name an object of another bucket.
    """
    if any(unicodedata.category(character) in _UNPRINTABLE for character in key):
        return "holds control characters"
    if (size := len(key.encode())) > MAX_KEY_BYTES:
        return f"has {size:,} bytes; S3 allows {MAX_KEY_BYTES:,}"
    if ".." in key.split("/"):
        return "has a level `..`, which stores resolve differently"
    return None


def displayable_key(key: str) -> str:
    """The key in ASCII, quoted and shortened, for messages about a key that is refused."""
    return ascii(key if len(key) <= _SHOWN else key[:_SHOWN] + "…")
