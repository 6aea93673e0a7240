"""Licences as the sources write them, and the list of those that are accepted.

A licence that is missing or not recognised is refused: a picture without a licence is all rights reserved.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from uncia.training.harvest import HarvestError

__all__ = ["ALL_CODES", "DEFAULT_CODES", "OWN", "Licence", "check_codes", "parse_licence", "refusal"]

OWN = "own"
"""Pictures of the user, which need no licence; only for local pictures."""

_URLS = {
    "cc0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "pdm": "https://creativecommons.org/publicdomain/mark/1.0/",
    "cdla-permissive": "https://cdla.dev/permissive-{version}/",
}
_CC = ("by", "by-sa", "by-nc", "by-nc-sa", "by-nd", "by-nc-nd")
ALL_CODES = ("cc0", "pdm", *(f"cc-{code}" for code in _CC), "cdla-permissive", OWN)
"""Codes of licences that are recognised."""
DEFAULT_CODES = ("cc0", "pdm", "cc-by", "cc-by-sa")
"""Accepted unless others are named: they permit changes and every use."""

# Each is the whole text: one word more, such as `non-commercial`, may take back what stands before it.
_URL = re.compile(
    r"(?:https?:)?(?://)?(?:www\.)?creativecommons\.org/(licenses|publicdomain)/([a-z-]+)"
    r"(?:/(\d\.\d)(?:/[a-z._/-]*)?)?/?(?:[?#]\S*)?"
)
_PORT = r"(?:[ -](?:(?!nc|nd|sa)[a-z]{2}|igo|scotland|international|unported|generic))?"
_VERSION = rf"(?:[ -]v?(\d)[. ](\d)(?:, ?\d\.\d)*{_PORT})?"
_CC0 = re.compile(r"cc[ -]?(?:0|zero)(?:[ -]v?1[. ]0)?(?: universal)?(?: \(cc0 1\.0\))?(?: public domain dedication)?")
_CDLA = re.compile(r"cdla-permissive(?:[ -](\d)[. ](\d))?")
_CC_CODE = re.compile(r"(?:(?:cc|creative commons)[ -]*)?((?:by|nc|sa|nd)(?:[ -]+(?:by|nc|sa|nd))*)" + _VERSION)


@dataclass(frozen=True)
class Licence:
    """A licence that was recognised."""

    code: str
    """One of `ALL_CODES`."""
    version: str = ""

    @property
    def name(self) -> str:
        """As people write it, such as `CC BY-SA 4.0`."""
        if self.code == OWN:
            return "own photograph"
        plain = {"cc0": "CC0", "pdm": "Public Domain Mark", "cdla-permissive": "CDLA-Permissive"}
        name = plain.get(self.code) or f"CC {self.code.removeprefix('cc-').upper()}"
        return f"{name} {self.version}".strip()

    @property
    def url(self) -> str:
        """The text of the licence; empty where its version is unknown."""
        if self.code in ("cc0", "pdm"):
            return _URLS[self.code]
        if self.code == OWN or not self.version:
            return ""
        if self.code == "cdla-permissive":
            return _URLS[self.code].format(version=self.version.replace(".", "-"))
        return f"https://creativecommons.org/licenses/{self.code.removeprefix('cc-')}/{self.version}/"


def parse_licence(text: str | None) -> Licence | None:
    """The licence that a source states, as a name, a code or a URL; None: missing or not recognised.

    Reads `cc-by` (iNaturalist), `http://creativecommons.org/licenses/by/4.0/` and `CC_BY_4_0` (GBIF), `CC BY-SA 3.0
    at` (Wikimedia Commons), and `by-nc` (Openverse).
    """
    if found := _URL.fullmatch(" ".join((text or "").lower().split())):
        return _from_url(*found.groups())
    plain = " ".join((text or "").lower().replace("_", " ").split())
    if _CC0.fullmatch(plain):
        return Licence("cc0", "1.0")
    if plain in ("pdm", "public domain mark", "public domain mark 1.0", "pdm 1.0"):
        return Licence("pdm", "1.0")
    if found := _CDLA.fullmatch(plain):
        return Licence("cdla-permissive", ".".join(filter(None, found.groups())))
    if (found := _CC_CODE.fullmatch(plain)) is None:
        return None
    parts = set(re.split(r"[ -]+", found[1]))
    code = "-".join(part for part in ("by", "nc", "sa", "nd") if part in parts)
    return Licence(f"cc-{code}", ".".join(filter(None, found.groups()[1:]))) if code in _CC else None


def _from_url(kind: str, code: str, version: str | None) -> Licence | None:
    if kind == "publicdomain":
        return {"zero": Licence("cc0", "1.0"), "mark": Licence("pdm", "1.0")}.get(code)
    return Licence(f"cc-{code}", version or "") if code in _CC else None


def check_codes(codes: Collection[str]) -> tuple[str, ...]:
    """The codes without repetitions. Raises `HarvestError` for an unknown one, and without any."""
    for code in codes:
        if code not in ALL_CODES:
            raise HarvestError(f"unknown licence {code!r}: choose from {', '.join(ALL_CODES)}")
    if not codes:
        raise HarvestError(f"no licence is accepted: name some of {', '.join(ALL_CODES)}")
    return tuple(dict.fromkeys(codes))


def refusal(text: str | None, licence: Licence | None, accepted: Collection[str]) -> str | None:
    """Why a picture is refused by its licence, as a short code; None: it is accepted."""
    if not (text or "").strip():
        return "licence-missing"
    if licence is None:
        return "licence-unknown"
    return None if licence.code in accepted else "licence-not-accepted"
