"""Error rates of verdicts, with intervals that hold also while reviews are missing. Pure.

The reviews of a sample are a binomial draw: the interval is that of Clopper and Pearson (1934), which covers the rate
in at least 95 of 100 cases, however few reviews there are. Bursts of the sample without a decision are not left out,
because reviewers begin with what looks doubtful: the lower limit counts all of them as right, the upper one as wrong
(Horowitz and Manski 2000).
"""

from dataclasses import dataclass

from scipy.special import betaincinv

__all__ = ["CONFIDENCE_LEVEL", "MIN_REVIEWED", "Audited", "Rate", "VerdictCounts", "clopper_pearson", "missed_animals"]

CONFIDENCE_LEVEL = 0.95
MIN_REVIEWED = 10
"""Decisions below which there is no rate."""


@dataclass(frozen=True)
class Rate:
    """A share with its interval, each 0 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Audited:
    """The sample of one stratum: how many bursts it has, and what their reviews say."""

    sampled: int = 0
    decided: int = 0
    """Reviewed, without those of which the reviewer could not tell."""
    undecided: int = 0
    """The reviewer could not tell."""
    wrong: int = 0
    """Decided otherwise than the models."""
    absent: int = 0
    """Of these, bursts in which there is no animal."""

    def __add__(self, other: "Audited") -> "Audited":
        """Both samples together."""
        return Audited(
            self.sampled + other.sampled,
            self.decided + other.decided,
            self.undecided + other.undecided,
            self.wrong + other.wrong,
            self.absent + other.absent,
        )

    @property
    def waiting(self) -> int:
        """Bursts that were not reviewed yet."""
        return self.sampled - self.decided - self.undecided

    @property
    def error(self) -> Rate | None:
        """The share of wrong verdicts; None with fewer than `MIN_REVIEWED` decisions."""
        if self.decided < MIN_REVIEWED:
            return None
        return Rate(self.wrong / self.decided, *self._limits(self.wrong, 1 - CONFIDENCE_LEVEL))

    def _limits(self, found: int, error: float) -> tuple[float, float]:
        missing = self.sampled - self.decided
        low, _ = clopper_pearson(found, self.sampled, error)
        _, high = clopper_pearson(found + missing, self.sampled, error)
        return low, high

    def limits(self, error: float) -> tuple[float, float]:
        """The limits of the share of wrong verdicts that fail with at most this probability; 0 and 1 without any."""
        return self._limits(self.wrong, error)

    def absent_limits(self, error: float) -> tuple[float, float]:
        """In the same way, of the share of bursts without an animal."""
        return self._limits(self.absent, error)


@dataclass(frozen=True)
class VerdictCounts:
    """All bursts by their verdicts, sampled or not."""

    blank: int = 0
    confident: int = 0
    doubtful: int = 0
    """Animals that are not confident."""
    doubtful_animals: int = 0
    """Of these, those that a review calls an animal."""
    doubtful_others: int = 0
    """And those that a review calls something else."""

    def __add__(self, other: "VerdictCounts") -> "VerdictCounts":
        """Both together."""
        return VerdictCounts(
            self.blank + other.blank,
            self.confident + other.confident,
            self.doubtful + other.doubtful,
            self.doubtful_animals + other.doubtful_animals,
            self.doubtful_others + other.doubtful_others,
        )


def clopper_pearson(found: int, of: int, error: float) -> tuple[float, float]:
    """The exact interval of a share, which misses it with a probability of at most `error`."""
    low = 0.0 if found == 0 else float(betaincinv(found, of - found + 1, error / 2))
    high = 1.0 if found == of else float(betaincinv(found + 1, of - found, 1 - error / 2))
    return low, high


def missed_animals(counts: VerdictCounts, blanks: Audited, confident: Audited) -> Rate | None:
    """The false-negative rate: of the bursts with an animal, the share that the models call blank.

    Missed are as many as the sample of blanks shows. Found are the confident animals without those that the sample of
    them shows to be none, and the doubtful ones, of which only reviews are known: the limits allow for all the others
    being animals, or none. Each of the two samples may fail in half of the cases in which the interval may. None with
    fewer than `MIN_REVIEWED` decisions on blanks, or without any animal.
    """
    if blanks.decided < MIN_REVIEWED:
        return None
    half = (1 - CONFIDENCE_LEVEL) / 2
    blank_low, blank_high = blanks.limits(half)
    absent_low, absent_high = confident.absent_limits(half)
    absent = confident.absent / confident.decided if confident.decided else 0.0
    possible = counts.doubtful - counts.doubtful_others
    value = _share(counts.blank * blanks.wrong / blanks.decided, counts.confident * (1 - absent) + possible)
    low = _share(counts.blank * blank_low, counts.confident * (1 - absent_low) + possible)
    high = _share(counts.blank * blank_high, counts.confident * (1 - absent_high) + counts.doubtful_animals)
    return None if value is None or low is None or high is None else Rate(value, low, high)


def _share(missed: float, found: float) -> float | None:
    return missed / (missed + found) if missed + found else None
