"""Synthesises recordings of species that do not exist, for demonstrations and tests. Pure.

Each species has one kind of call: notes of one pitch, a trill, a rising whistle or a buzz. Pitch, speed, distance and
number of calls vary, and so does the background, whose spectrum each recorder has of its own. Real calls vary more and
overlap more: a figure on these recordings says that the recipe works, and nothing about a forest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.sound.recording import Samples

__all__ = ["BACKGROUND", "SPECIES", "DrawnCall", "draw_recording"]

BACKGROUND = "background"
"""Name of recordings without a call."""

_EDGE_S = 0.01
_PEAK = 0.9


@dataclass(frozen=True)
class DrawnCall:
    """One call in a drawn recording."""

    label: str
    start_s: float
    end_s: float


Draw = Callable[[float, float, NDArray[np.float64]], NDArray[np.float64]]
"""Pitch factor, tempo factor and times in seconds from the start of a call, to its samples; 0 after its end."""


def _notes(pitch: float, tempo: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two low notes, the second one lower, as an owl or a cuckoo."""
    first = _note(time, 0.0, 0.25 / tempo) * np.sin(2 * np.pi * 680 * pitch * time)
    second = _note(time, 0.4 / tempo, 0.35 / tempo) * np.sin(2 * np.pi * 540 * pitch * time)
    return first + second


def _trill(pitch: float, tempo: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fast repeated notes at a high pitch."""
    beats = (np.sin(2 * np.pi * 14 * tempo * time) > 0).astype(np.float64)
    return _note(time, 0.0, 1.2 / tempo) * beats * np.sin(2 * np.pi * 4_300 * pitch * time)


def _sweep(pitch: float, tempo: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """A whistle that rises from 1.8 to 3.2 kHz."""
    length = 0.6 / tempo
    rise = 1_400 * pitch / length
    return _note(time, 0.0, length) * np.sin(2 * np.pi * (1_800 * pitch * time + rise * time**2 / 2))


def _buzz(pitch: float, tempo: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """A buzz of several frequencies around 6 kHz, as an insect."""
    carrier = sum(np.sin(2 * np.pi * pitch * hertz * time) for hertz in (5_600, 6_000, 6_400))
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 60 * tempo * time)
    return np.asarray(_note(time, 0.0, 0.9 / tempo) * swell * carrier / 3)


def _note(time: NDArray[np.float64], start: float, length: float) -> NDArray[np.float64]:
    """The envelope of a note: 1 from start to end, with short edges."""
    return np.clip(np.minimum(time - start, start + length - time) / _EDGE_S, 0, 1)


SPECIES: dict[str, Draw] = {
    "invented two-note": _notes,
    "invented trill": _trill,
    "invented whistle": _sweep,
    "invented buzz": _buzz,
}
"""The species, by the names of their folders."""

_LONGEST_S = 1.5


def draw_recording(
    species: Sequence[str], seconds: float, rate: int, recorder: int, random: np.random.Generator
) -> tuple[Samples, list[DrawnCall]]:
    """A recording in which each of the species calls once or more, at other times than the others, and its calls.

    `seconds`: at least 3 for each species. `rate`: samples per second, at least 16,000. `recorder`: number that decides
    the spectrum of the background. Samples are from -1 to 1.
    """
    samples = _background(round(seconds * rate), np.random.default_rng(recorder), random)
    calls: list[DrawnCall] = []
    slots = max(len(species), int(seconds // 3))
    # Each call in the middle of a slot of its own, so that none overlaps another one's.
    order = [species[index % len(species)] for index in range(slots)] if species else []
    for index, label in enumerate(order):
        if index >= len(species) and random.random() < 0.3:
            continue
        slot = seconds / slots
        start = index * slot + random.uniform(0.1, slot - _LONGEST_S - 0.1)
        time = np.arange(round(_LONGEST_S * rate)) / rate
        drawn = SPECIES[label](random.uniform(0.94, 1.06), random.uniform(0.9, 1.15), time)
        sounding = np.flatnonzero(drawn)
        level = 10 ** random.uniform(-1.4, -0.4)
        first = round(start * rate)
        samples[first : first + len(drawn)] += level * drawn
        calls.append(DrawnCall(label, round(start, 3), round(start + float(time[sounding[-1]]), 3)))
    loudest = float(np.abs(samples).max())
    return (samples * min(1.0, _PEAK / loudest)).astype(np.float32), calls


def _background(count: int, own: np.random.Generator, random: np.random.Generator) -> NDArray[np.float64]:
    """Noise whose power falls with the frequency, more or less for each recorder, with slow gusts."""
    slope, level = own.uniform(0.3, 1.2), own.uniform(0.004, 0.012)
    spectrum = np.fft.rfft(random.standard_normal(count))
    spectrum *= np.maximum(np.arange(len(spectrum)), 50.0) ** (-slope / 2)
    noise = np.fft.irfft(spectrum, count)
    gusts = 1 + 0.4 * np.sin(np.linspace(0, 2 * np.pi * count / 200_000, count) + random.uniform(0, 2 * np.pi))
    return np.asarray(level * gusts * noise / noise.std())
