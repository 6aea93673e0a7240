"""The options of one gateway run."""

from dataclasses import dataclass, field
from pathlib import Path

from uncia.events import Lane
from uncia.producers.gateway.incomplete_files import GracePeriod
from uncia.sealed_positions import PositionPublicKey
from uncia.settings import Settings, StripGps


@dataclass(frozen=True)
class ThinOptions:
    """Of a gateway behind a thin link."""

    daily_bytes: int
    thumbnail_px: int
    poll_s: float
    keep_days: float | None = None
    """How long a photograph that is not requested is kept; None: for ever."""


@dataclass(frozen=True)
class GatewayOptions:
    """What the user requested on the command line."""

    folder: Path
    station: str
    camera: str | None = None
    """None: each sub-folder is a camera."""
    copy: bool = False
    """Copy files next to the spool before they are uploaded."""
    once: bool = False
    """End when everything is stored."""
    remove: bool = False
    """Remove each file from the folder once it is stored and verified."""
    give_up_after_s: float | None = None
    poll_s: float = 1
    """Seconds between two scans of the folder."""
    lane: Lane | None = None
    """The lane that the uploads request; None leaves the choice to their age."""
    grace: GracePeriod = field(default_factory=GracePeriod)
    """How long incomplete files are waited for."""
    link_sizes: bool = False
    """Two pictures with one file name and capture time get keys with one file name: they are sizes of one capture."""
    strip_gps: StripGps = StripGps.OFF
    """Whether positions are removed from photographs before anything is computed from their bytes."""
    position_key: PositionPublicKey | None = None
    """Seals the positions that are removed; None: they are not stored."""
    thin: ThinOptions | None = None
    """A thumbnail first, within a budget of bytes per day; None: photographs are uploaded whole."""
    location: str = "in the folder"
    """Where skipped files are left, for the summary sentence."""


def thin_options(settings: Settings) -> ThinOptions | None:
    """Of these settings; None where they limit nothing."""
    if settings.thin_daily_kb is None:
        return None
    return ThinOptions(
        settings.thin_daily_kb * 1000, settings.thin_thumbnail_px, settings.thin_poll_s, settings.thin_keep_days
    )


def sealing_key(settings: Settings) -> PositionPublicKey | None:
    """The key of these settings, which seals positions. Raises `SettingsError` for an invalid one."""
    if settings.strip_gps is StripGps.OFF or settings.position_key is None:
        return None
    return PositionPublicKey(settings.position_key)
