"""Synthesised recordings: the same seed draws the same, and the truth says where the calls are."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from uncia.training.sound.recordings import TRUTH_FILE, write_field_recordings, write_training_recordings
from uncia.training.sound.synthesis import SPECIES, draw_recording

RATE = 16_000


@pytest.mark.parametrize("label", SPECIES)
def test_a_call_is_louder_than_the_background_around_it(label: str) -> None:
    samples, calls = draw_recording([label], 12, RATE, 1, np.random.default_rng(3))
    heard = np.zeros(len(samples), bool)
    for call in calls:
        heard[round(call.start_s * RATE) : round(call.end_s * RATE)] = True
    assert calls and samples[heard].std() > 2 * samples[~heard].std()


def test_samples_are_within_range_and_the_calls_within_the_recording() -> None:
    samples, calls = draw_recording(list(SPECIES), 15, RATE, 1, np.random.default_rng(4))
    assert np.abs(samples).max() <= 1 and len(samples) == 15 * RATE
    assert {call.label for call in calls} == set(SPECIES)
    assert all(0 <= call.start_s < call.end_s <= 15 for call in calls)


def test_calls_of_different_species_do_not_overlap() -> None:
    _, calls = draw_recording(list(SPECIES), 15, RATE, 1, np.random.default_rng(5))
    ordered = sorted(calls, key=lambda call: call.start_s)
    assert all(before.end_s < after.start_s for before, after in pairwise(ordered))


def test_background_has_no_call() -> None:
    samples, calls = draw_recording([], 12, RATE, 1, np.random.default_rng(6))
    assert calls == [] and samples.any()


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_training_recordings(tmp_path / name, 1, 1, 12, 7)
    files = [sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in ("one", "two")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_recordings_of_the_field_are_in_a_folder_for_each_recorder(tmp_path: Path) -> None:
    assert write_field_recordings(tmp_path, 2, 3, 12, 8)[0] == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audio-01", "audio-02", "audio-03", TRUTH_FILE]
    truth = json.loads((tmp_path / TRUTH_FILE).read_text())
    assert {entry["label"] for entry in truth} == set(SPECIES)
    assert soundfile.info(tmp_path / truth[0]["file"]).duration == 12
