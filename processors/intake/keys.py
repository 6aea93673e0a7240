"""Which station and camera an object belongs to, by its key."""

import re
import unicodedata
from dataclasses import dataclass

from uncia.camtrap.names import canonical_name
from uncia.errors import PermanentError
from uncia.storage.object_keys import displayable_key, key_problem


@dataclass(frozen=True)
class CameraIdentity:
    """The station and the camera, whose id is unique in the whole system."""

    station: str
    camera: str
    """`<station>/<camera>`"""


class KeyPattern:
    """A regular expression over whole object keys with the groups `station` and `camera`.

    The names that it returns are in their canonical spelling (`uncia.camtrap.names`); the key itself is not changed,
    since an object can be read by its exact key only.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(unicodedata.normalize("NFC", pattern))

    def identify(self, key: str) -> CameraIdentity:
        """The station and camera of a key.

        Raises `PermanentError` with reason `key-unusable` or `key-outside-pattern`.
        """
        if problem := key_problem(key):
            raise PermanentError(
                "key-unusable", f"the key {displayable_key(key)} {problem}: upload it under another name"
            )
        found = self._pattern.fullmatch(unicodedata.normalize("NFC", key))
        station, camera = (canonical_name(found["station"]), canonical_name(found["camera"])) if found else ("", "")
        if not station or not camera or "/" in station or "/" in camera or "." in (station, camera):
            raise PermanentError(
                "key-outside-pattern",
                f"the key {displayable_key(key)} names no station and camera by {self._pattern.pattern!r}: "
                "upload to <station>/<camera>/..., or set UNCIA_KEY_PATTERN",
            )
        return CameraIdentity(station, f"{station}/{camera}")
