"""Cuts a stream of samples into windows of equal length. Pure; holds one window and one block at a time.

Window `i` begins at `i * hop`. There are as many as it takes to cover the recording: every sample is in a window, every
window but the first begins where the ones before it do not reach the end, and only the last one may reach beyond the
end, where it is filled with zeros. With a hop as long as the window every sample is in exactly one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from uncia.sound.recording import Samples
from uncia.sound.spec import SoundSpec

__all__ = ["SoundWindow", "cut_windows", "resampled"]

_MAX_FACTOR = 1_000
"""Largest factor of a resampling: the filter has twenty times as many taps. Odd rates are met to one in a million."""


@dataclass(frozen=True)
class SoundWindow:
    """One window of a recording."""

    index: int
    start_s: float
    end_s: float
    """In the recording: the last window ends with it."""
    samples: Samples
    """At the recording's sample rate; of the full length."""

    @property
    def silent(self) -> bool:
        """Whether it has no sound at all, not even noise: all samples are 0."""
        return not self.samples.any()


def cut_windows(blocks: Iterable[Samples], rate: int, spec: SoundSpec) -> Iterator[SoundWindow]:
    """Yield the windows of a recording, in order. The sizes of the blocks have no effect on them.

    `rate`: samples per second of the blocks. Nothing is yielded for a recording without samples.
    """
    length = max(1, round(spec.window_s * rate))
    # In whole samples, and never longer than a window, so that rounding leaves no gap.
    hop = min(length, max(1, round(spec.hop_s * rate)))
    pending: list[Samples] = []
    held_from, held_to, index = 0, 0, 0
    for block in blocks:
        pending.append(block)
        held_to += len(block)
        # One sample more than a window: only then is it known not to be the last one.
        if index * hop + length >= held_to:
            continue
        held = np.concatenate(pending)
        while (start := index * hop) + length < held_to:
            yield _window(index, start, held[start - held_from :][:length], rate, length)
            index += 1
        # The next window begins within what is held: a hop is no longer than a window.
        pending, held_from = [held[start - held_from :].copy()], start
    if held_to:
        yield _window(index, held_from, np.concatenate(pending), rate, length)


def resampled(window: SoundWindow, rate: int, spec: SoundSpec) -> Samples:
    """The samples of a window at the model's sample rate: `spec.samples` of them."""
    if rate == spec.sample_rate:
        samples = window.samples
    else:
        factor = Fraction(spec.sample_rate, rate).limit_denominator(_MAX_FACTOR)
        samples = resample_poly(window.samples, factor.numerator, factor.denominator).astype(np.float32)
    return np.pad(samples[: spec.samples], (0, max(0, spec.samples - len(samples))))


def _window(index: int, start: int, samples: Samples, rate: int, length: int) -> SoundWindow:
    end = start + len(samples)
    return SoundWindow(index, start / rate, end / rate, np.pad(samples, (0, length - len(samples))))
