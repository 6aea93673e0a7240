"""Whether the scores of a camera are still distributed as in its reference period. Pure.

1. The **score** of a burst is its calibrated probability of an animal, when it becomes final. A burst counts when it
   was taken `SPACING` before or after the last one that did: those of one herd are one.
2. The first `REFERENCE_BURSTS` scores over at least `REFERENCE_TIME` are the **reference**. Its quantiles are the
   limits of at most `BINS` bins, and afterwards only the counts of the bins are kept.
3. The scores after that fill a **window** of at least `WINDOW_BURSTS` over at least `WINDOW_TIME`. It is compared
   once, when it is full, and then the next one begins: a camera has at most one comparison a week.
4. The **population stability index** (PSI) of the two is the sum of (p - q) ln(p / q) over the bins, with half a burst
   added to each count. It is never 0: without any change it is about (1 / n + 1 / m) times a chi-squared variable
   (Yurdakul 2018), for n and m bursts. A fixed limit such as 0.25 is therefore passed by small samples alone.
5. Bursts of one day resemble each other, which multiplies this noise. The **dispersion** of the days of the reference,
   Pearson's chi-squared of bins by days over its degrees of freedom, measures by how much.
6. Scores have **drifted** when the PSI without the noise passes both the F quantile for `FALSE_ALARM` and
   `LEAST_SHIFT`, which is what a person would call a change. They have **returned** when a window is what `RETURN` of
   all windows without a change exceed.
7. The state is bounded, in whatever order photographs arrive: below 1,400 scores and at most as many days while the
   reference is learned, then `BINS` counts twice.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel
from scipy.special import fdtri

__all__ = [
    "BINS",
    "FALSE_ALARM",
    "REFERENCE_BURSTS",
    "REFERENCE_TIME",
    "SPACING",
    "WINDOW_BURSTS",
    "WINDOW_TIME",
    "Comparison",
    "ScoreChange",
    "ScoreHistory",
    "dispersion_of",
    "stability_index",
]

SPACING = timedelta(minutes=30)
REFERENCE_BURSTS = 200
REFERENCE_TIME = timedelta(days=28)
WINDOW_BURSTS = 50
WINDOW_TIME = timedelta(days=7)
MAX_STEP = timedelta(days=1)
"""What the time between two bursts counts at most: a clock that jumps fills no period."""
BINS = 5
FALSE_ALARM = 0.001
"""Probability that a window without a change passes the limit."""
RETURN = 0.05
LEAST_SHIFT = 0.1
"""The PSI, beyond its noise, that counts as a shift: by the usual rule of thumb a small one begins at 0.1."""

_SCALE = 1000
"""Scores are stored in thousandths."""
_SMOOTHING = 0.5
_RECENT = 16
"""Ids of the last bursts: after a crash the same verdict can be in the log twice."""


class ScoreChange(StrEnum):
    """What a full window says."""

    DRIFTED = "drifted"
    RETURNED = "returned"


@dataclass(frozen=True)
class Comparison:
    """A full window against the reference."""

    index: float
    """The PSI."""
    limit: float
    """What it has to pass."""
    bursts: int
    since: date
    change: ScoreChange | None
    """None: between the two limits."""


class ScoreHistory(BaseModel):
    """The scores of one camera. Field names are the stored format."""

    scores: list[int] = []
    """Of the reference, while it is learned."""
    days: list[int] = []
    """How many of these are of each day."""
    limits: list[int] = []
    """Upper limits of the bins but the last; empty while the reference is learned."""
    reference: list[int] = []
    """By bin, how many bursts."""
    dispersion: float = 1.0
    freedom: int = 1
    """Degrees of freedom of the dispersion."""
    window: list[int] = []
    time: timedelta = timedelta(0)
    """That the reference or the window has lasted."""
    since: date | None = None
    """First day of the window."""
    last: datetime | None = None
    """Capture time of the last burst that counted, by the camera's clock."""
    recent: list[str] = []
    deployment: str | None = None
    scorer: str | None = None
    """What computed the probabilities."""

    def begin(self, deployment: str | None, scorer: str | None) -> bool:
        """Name the deployment and the scorer of the next burst. Others than before have their own reference.

        Returns whether there were others before.
        """
        replaced = self.deployment is not None and deployment not in (None, self.deployment)
        replaced = replaced or (self.scorer is not None and scorer != self.scorer)
        if replaced:
            fresh = ScoreHistory(last=self.last, recent=self.recent)
            for name in type(self).model_fields:
                setattr(self, name, getattr(fresh, name))
        self.deployment, self.scorer = deployment or self.deployment, scorer
        return replaced

    def wants(self, burst_id: str, started: datetime) -> bool:
        """Whether a burst of this capture time counts (1)."""
        return burst_id not in self.recent and (self.last is None or abs(started - self.last) >= SPACING)

    def add(self, burst_id: str, started: datetime, score: float) -> Comparison | None:
        """Add the score of a burst, 0 to 1. Returns the comparison of the window that it fills."""
        is_new_day = self.last is None or started.date() != self.last.date()
        # A step backwards counts, too: photographs that arrive newest first would fill the reference without end.
        self.time += min(abs(started - (self.last or started)), MAX_STEP)
        self.last, self.recent = started, [*self.recent, burst_id][-_RECENT:]
        value = round(_SCALE * score)
        if not self.limits:
            self._learn(value, is_new_day)
            return None
        self.since = min(self.since or started.date(), started.date())
        self.window[bisect_left(self.limits, value)] += 1
        if sum(self.window) < WINDOW_BURSTS or self.time < WINDOW_TIME:
            return None
        compared = self._compare(self.since)
        self._next_window()
        return compared

    def _learn(self, value: int, is_new_day: bool) -> None:
        if is_new_day or not self.days:
            self.days.append(0)
        self.days[-1] += 1
        self.scores.append(value)
        if len(self.scores) < REFERENCE_BURSTS or self.time < REFERENCE_TIME:
            return
        self.limits = _quantiles(self.scores)
        bins = [bisect_left(self.limits, one) for one in self.scores]
        self.reference = _counts(bins, len(self.limits) + 1)
        self.dispersion, self.freedom = dispersion_of(bins, self.days, len(self.reference))
        self.scores, self.days = [], []
        self._next_window()

    def _next_window(self) -> None:
        self.window = [0] * len(self.reference)
        self.time, self.since = timedelta(0), None

    def _compare(self, since: date) -> Comparison:
        index = stability_index(self.reference, self.window)
        mean, freedom = self._noise()
        # The dispersion was estimated from days that vary in as few directions.
        of_days = self.freedom * freedom / (len(self.reference) - 1)
        limit = mean * max(float(fdtri(freedom, of_days, 1 - FALSE_ALARM)), 1 + LEAST_SHIFT / mean)
        change = None
        if index > limit:
            change = ScoreChange.DRIFTED
        elif index <= mean * float(fdtri(freedom, of_days, 1 - RETURN)):
            change = ScoreChange.RETURNED
        return Comparison(index, limit, sum(self.window), since, change)

    def _noise(self) -> tuple[float, float]:
        """Mean and degrees of freedom of the index without a change, as a scaled chi-squared variable.

        Days with more animals move all bins together: what the dispersion adds is counted in one direction
        (Satterthwaite's approximation of a sum of chi-squared variables with 1 and `bins - 2` degrees of freedom).
        """
        bins = len(self.reference)
        total = self.dispersion * (bins - 1)
        one = total - (bins - 2)
        mean = total * (1 / sum(self.reference) + 1 / sum(self.window))
        return mean, total * total / (one * one + (bins - 2))


def stability_index(reference: Sequence[int], window: Sequence[int]) -> float:
    """The population stability index of two counts by bin, with half a burst added to each."""
    whole = [[count + _SMOOTHING for count in counts] for counts in (reference, window)]
    first, second = ([count / sum(counts) for count in counts] for counts in whole)
    return sum((p - q) * math.log(p / q) for p, q in zip(second, first, strict=True))


def dispersion_of(bins: Sequence[int], days: Sequence[int], number: int) -> tuple[float, int]:
    """By how much days differ more than chance lets them, at least 1, and the degrees of freedom of that.

    `bins`: of each burst, in the order of the days; `days`: how many bursts each has; `number` of bins.
    """
    total = _counts(bins, number)
    used = [at for at in range(number) if total[at]]
    freedom = (len(days) - 1) * (len(used) - 1)
    if freedom < 1:
        return 1.0, max(len(bins) - 1, 1)
    statistic, start = 0.0, 0
    for size in days:
        own = _counts(bins[start : start + size], number)
        start += size
        for at in used:
            expected = size * total[at] / len(bins)
            statistic += (own[at] - expected) ** 2 / expected
    return max(statistic / freedom, 1.0), freedom


def _counts(bins: Sequence[int], number: int) -> list[int]:
    found = [0] * number
    for one in bins:
        found[one] += 1
    return found


def _quantiles(scores: Sequence[int]) -> list[int]:
    """The upper limits of the bins but the last. Scores that are all the same are in one bin, and all above in one."""
    ordered = sorted(scores)
    limits = sorted({ordered[-(-at * len(ordered) // BINS) - 1] for at in range(1, BINS)})
    return [one for one in limits if one < ordered[-1]] or [ordered[-1]]
