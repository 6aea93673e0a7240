"""Camera profiles: data files that say how status reports of a manufacturer's cameras are recognised and read.

A profile is a TOML file, see docs/mailroom.md. Those of `profiles/` come with Uncia; those of a user go before them.
"""

import re
import tomllib
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from uncia.errors import SettingsError

__all__ = ["CameraProfile", "Example", "Place", "Quantity", "Reading", "load_profiles"]

BUILT_IN = Path(__file__).parent / "profiles"
GENERIC = "generic"


class Quantity(StrEnum):
    """What a pattern reads. The unit is part of the name; it is converted where the event has another one."""

    BATTERY_PERCENT = "battery_percent"
    BATTERY_V = "battery_v"
    BATTERY_BARS = "battery_bars"
    SIGNAL_PERCENT = "signal_percent"
    SIGNAL_DBM = "signal_dbm"
    SIGNAL_BARS = "signal_bars"
    CARD_FREE_MB = "card_free_mb"
    CARD_FREE_GB = "card_free_gb"
    CARD_FREE_PERCENT = "card_free_percent"
    CARD_USED_MB = "card_used_mb"
    CARD_USED_GB = "card_used_gb"
    CARD_USED_PERCENT = "card_used_percent"
    CARD_TOTAL_MB = "card_total_mb"
    CARD_TOTAL_GB = "card_total_gb"
    PHOTOGRAPHS = "photographs"
    TEMPERATURE_C = "temperature_c"
    TEMPERATURE_F = "temperature_f"
    CAMERA_TIME = "camera_time"
    UTC_OFFSET = "utc_offset"
    """Hours, or hours and minutes: `+8`, `-05:30`."""


_BARS = frozenset({Quantity.BATTERY_BARS, Quantity.SIGNAL_BARS})


class Place(StrEnum):
    """Where a pattern is searched for."""

    TEXT = "text"
    """In each line of a mail's text, or of a text file."""
    SUBJECT = "subject"
    FILE_NAME = "file-name"


def _compile(pattern: Any) -> Any:
    if not isinstance(pattern, str):
        return pattern
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error


Pattern = Annotated[re.Pattern[str], BeforeValidator(_compile)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Recognition(_Table):
    """What is found in a report of the manufacturer's cameras. All that is given must be found; nothing: any report."""

    sender: Pattern | None = None
    """In the domain of the sender's address."""
    subject: Pattern | None = None
    text: Pattern | None = None
    """In a line of the text."""
    file_name: Pattern | None = None
    """In the name of a file."""
    make: Pattern | None = None
    """In the EXIF tag Make of a photograph in the same mail."""


class Reading(_Table):
    """One quantity, and the pattern whose first group is its value."""

    field: Quantity
    pattern: Pattern
    place: Place = Field(default=Place.TEXT, alias="in")
    of: int | None = Field(default=None, ge=1, le=100)
    """For bars: the largest possible value, where the pattern has no second group with it."""
    format: str | None = None
    """For `camera_time`, as of `strptime`."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        wanted = 1
        if self.field in _BARS:
            wanted = 2 if self.of is None else 1
        elif self.of is not None:
            raise ValueError("`of` is the scale of bars, and of nothing else")
        if (self.field is Quantity.CAMERA_TIME) != (self.format is not None):
            raise ValueError("`camera_time` needs a `format`, and nothing else has one")
        if self.pattern.groups != wanted:
            raise ValueError(f"the pattern has {self.pattern.groups} groups in parentheses, and needs {wanted}")
        return self


class Example(_Table):
    """A report, and what is read from it: a test of the profile."""

    sender: str = ""
    subject: str = ""
    text: str = ""
    file_name: str = ""
    make: str = ""
    expected: dict[str, Any]


def _has_read(profile: "CameraProfile") -> "CameraProfile":
    if not profile.read and not profile.extends:
        raise ValueError('it reads nothing: it needs [[read]] tables, or extends = "generic"')
    return profile


class _Document(_Table):
    maker: str = Field(min_length=1, max_length=100)
    source: str = Field(min_length=1, max_length=500)
    """The public documentation, or samples, that the patterns follow."""
    extends: Annotated[str | None, Field(pattern=f"^{GENERIC}$")] = None
    """`generic`: its patterns read what those of this profile do not."""
    recognise: Recognition = Recognition()
    read: tuple[Reading, ...] = ()
    example: tuple[Example, ...] = Field(min_length=1)


class CameraProfile(_Document):
    """A profile and its name, that of its file."""

    name: str

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """Its own patterns, then those of the profile that it extends."""
        return (*self.read, *(_generic().read if self.extends else ()))


_Checked = Annotated[CameraProfile, AfterValidator(_has_read)]


class _Holder(BaseModel):
    profile: _Checked


def load_profiles(own: Path | None = None) -> tuple[CameraProfile, ...]:
    """The profiles in the order in which they are tried: those in the folder `own`, Uncia's, and last the generic one.

    A profile of a user replaces that of Uncia with the same name. Raises `SettingsError`, which names file and key.
    """
    found: dict[str, CameraProfile] = {}
    for folder in (own, BUILT_IN):
        if folder is None:
            continue
        if not folder.is_dir():
            raise SettingsError(f"UNCIA_MAILROOM_PROFILES: {folder} is not a folder")
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, load_profile(path))
    return tuple(sorted(found.values(), key=lambda profile: profile.name == GENERIC))


def load_profile(path: Path) -> CameraProfile:
    """The profile in a file. Raises `SettingsError`, which names the file and the key."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return _Holder.model_validate({"profile": {**document, "name": path.stem}}).profile
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        raise SettingsError(f"the camera profile {path}: {where or 'profile'}: {first['msg']}") from error
    except (OSError, ValueError) as error:  # no text, or no TOML
        raise SettingsError(f"cannot read the camera profile {path} ({error})") from error


def _generic() -> CameraProfile:
    return load_profile(BUILT_IN / f"{GENERIC}.toml")
