"""Writes synthesised recordings as files, with the truth about their calls in `truth.json`.

16-bit WAV of 32 kHz, named as recorders name them: `audio-01_20260314_050000.wav`.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import soundfile

from uncia.training.sound.synthesis import BACKGROUND, SPECIES, DrawnCall, draw_recording

__all__ = ["RATE", "TRUTH_FILE", "write_field_recordings", "write_training_recordings"]

RATE = 32_000
TRUTH_FILE = "truth.json"
_FIRST = datetime(2026, 3, 14, 5)
_APART = timedelta(minutes=10)


def write_training_recordings(
    folder: Path, recordings: int, recorders: int, seconds: float, seed: int
) -> tuple[int, int]:
    """A folder for each species, and one of background. Returns the numbers of recordings and calls."""
    truth: dict[str, list[DrawnCall]] = {}
    for number, species in enumerate((*SPECIES, BACKGROUND)):
        for index in range(recordings):
            recorder = index % recorders
            name = f"{species}/audio-{recorder + 1:02d}_{_FIRST + index * _APART:%Y%m%d_%H%M%S}.wav"
            heard = [] if species == BACKGROUND else [species]
            truth[name] = _write(folder / name, heard, seconds, recorder, [seed, number, index])
    return _write_truth(folder, truth)


def write_field_recordings(folder: Path, recordings: int, recorders: int, seconds: float, seed: int) -> tuple[int, int]:
    """A folder for each recorder, with recordings in which all species call. Returns both numbers."""
    truth: dict[str, list[DrawnCall]] = {}
    for recorder in range(recorders):
        for index in range(recordings):
            name = f"audio-{recorder + 1:02d}/{_FIRST + index * _APART:%Y%m%d_%H%M%S}.wav"
            # Recorders that training has not heard.
            truth[name] = _write(
                folder / name, list(SPECIES), seconds, 1_000 + recorder, [seed, 1_000, recorder, index]
            )
    return _write_truth(folder, truth)


def _write(path: Path, species: Sequence[str], seconds: float, recorder: int, seed: list[int]) -> list[DrawnCall]:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples, calls = draw_recording(species, seconds, RATE, recorder, np.random.default_rng(seed))
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return calls


def _write_truth(folder: Path, truth: dict[str, list[DrawnCall]]) -> tuple[int, int]:
    entries = [
        {"file": name, "label": call.label, "start_s": call.start_s, "end_s": call.end_s}
        for name, calls in truth.items()
        for call in calls
    ]
    (folder / TRUTH_FILE).write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    return len(truth), len(entries)
