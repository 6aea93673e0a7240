"""Which bursts are audited: a constant, seeded share of blanks and of confident verdicts. Pure.

Ids of bursts are digests: they depend neither on what a burst shows nor on when it arrives. Those in a window of the
ids, which begins at a place that the seed decides, are therefore a random sample. Whether a burst belongs to it is a
function of id, seed and share alone: order, restarts and replays change nothing, a larger share keeps every burst of
the smaller one, and a database finds the sample by its primary key.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from uncia.settings import Settings

__all__ = ["AuditSample", "Stratum"]

_DIGITS = 24
"""Hexadecimal digits of an id."""
_SPACE: int = 16**_DIGITS
_PREFIX = "bst-"


class Stratum(StrEnum):
    """Which verdicts are sampled separately."""

    BLANK = "blank"
    CONFIDENT = "confident"
    """An animal whose calibrated probability reaches `AuditSample.confidence`."""


@dataclass(frozen=True)
class AuditSample:
    """What is sampled. Shares from 0 to 1."""

    seed: str
    blank: float
    confident: float
    confidence: float

    @classmethod
    def of(cls, settings: Settings) -> "AuditSample":
        """The sample of the settings."""
        return cls(
            settings.audit_seed, settings.audit_share_blank, settings.audit_share_confident, settings.audit_confidence
        )

    def share(self, stratum: Stratum) -> float:
        """The share of a stratum."""
        return self.blank if stratum is Stratum.BLANK else self.confident

    @property
    def start(self) -> str:
        """The id at which the windows of all strata begin."""
        return _id(self._start)

    def windows(self, stratum: Stratum) -> list[tuple[str, str | None]]:
        """The ranges of ids of the sample, in the order of the window: from the first up to but without the second
        (None: to the end)."""
        length = self._length(stratum)
        if length <= 0:
            return []
        end = self._start + length
        if end < _SPACE:
            return [(self.start, _id(end))]
        return [(self.start, None), *([("", _id(end - _SPACE))] if end > _SPACE else [])]

    def includes(self, stratum: Stratum, burst_id: str) -> bool:
        """Whether a burst of the stratum belongs to the sample."""
        return any(first <= burst_id and (end is None or burst_id < end) for first, end in self.windows(stratum))

    def position(self, stratum: Stratum, burst_id: str) -> float:
        """Where in the window of a stratum a burst lies: 0 at its start, below 1 in it, more outside.

        The bursts of all strata up to a position are the complete sample of all shares times this position. Raises
        `ValueError` for a stratum without a share, and for what is no id.
        """
        length = self._length(stratum)
        if length <= 0:
            raise ValueError(f"no share of the {stratum} verdicts is sampled")
        return (int(burst_id.removeprefix(_PREFIX), 16) - self._start) % _SPACE / length

    def _length(self, stratum: Stratum) -> int:
        return round(self.share(stratum) * _SPACE)

    @property
    def _start(self) -> int:
        drawn = hmac.new(self.seed.encode(), b"uncia audit 1", hashlib.sha256).hexdigest()
        return int(drawn[:_DIGITS], 16)


def _id(number: int) -> str:
    return f"{_PREFIX}{number:0{_DIGITS}x}"
