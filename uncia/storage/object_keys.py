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

FETCH_PREFIX = "fetch/"
"""Lists of requested photographs, `fetch/<station>/requests`, which gateways behind thin links read
(`uncia.fetch_requests`). No station is called so."""

HARVEST_PREFIX = "harvest/"
"""Pictures of public sources that workers downloaded for a harvest (`uncia.harvest_requests`). No station is called
so."""

RESERVED_STATIONS = {
    "crops": "crops",
    "explanations": "heat maps",
    "individuals": "descriptions of crops",
    "spectrograms": "spectrograms",
    "status": "status reports",
    "fetch": "lists of requested photographs",
    "harvest": "pictures that were downloaded for a harvest",
}
"""Names that no station can have, and what the system stores below each. The key of a gateway stores what is below the
name of its station: of a station `crops` it could replace the published crops of all others, and a key that may store a
station's status reports could store photographs of a station `status`."""

THUMBNAIL_MARK = "thumbnail-"
"""What the last folder in the key of a thumbnail begins with, if the whole photograph can be requested."""

_DERIVED = re.compile(
    rf"(?:{CROPS_PREFIX}|{EXPLANATIONS_PREFIX}|{INDIVIDUALS_PREFIX}|{SPECTROGRAMS_PREFIX})"
    r"(?:.+/)?[a-z]{3}-[0-9a-f]{24}[^/]*",
    re.DOTALL,
)


def is_derived_key(key: str) -> bool:
    """Whether Uncia itself wrote the object: its file is named after an id, below `crops/`, `explanations/`,
    `individuals/` or `spectrograms/`; or it is below `status/`, `fetch/` or `harvest/`.

    Such an object is no upload, although it is in the bucket of the uploads; a station called `crops` keeps its own.
    """
    return key.startswith((STATUS_PREFIX, FETCH_PREFIX, HARVEST_PREFIX)) or _DERIVED.fullmatch(key) is not None


def spectrogram_prefix(camera: str, recording_id: str) -> str:
    """Prefix of the spectrograms of one recording, and of nothing else."""
    return f"{SPECTROGRAMS_PREFIX}{camera}/{recording_id}/"


def is_thumbnail_key(key: str) -> bool:
    """Whether a gateway behind a thin link stored a thumbnail here, and holds the whole photograph."""
    return key.rpartition("/")[0].rpartition("/")[2].startswith(THUMBNAIL_MARK)


def station_problem(station: str) -> str | None:
    """Return why no station can be called so, as a sentence; None when it can. `station`: in its canonical spelling."""
    kept = RESERVED_STATIONS.get(station)
    return None if kept is None else f"the station cannot be called {station}: that prefix of the bucket holds {kept}"


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
