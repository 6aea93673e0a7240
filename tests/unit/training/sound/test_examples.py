"""The windows of recordings that teach a class, and files that teach nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.uncia.sound.recordings import recorded, tone
from uncia.sound.recording import Samples
from uncia.sound.spec import SoundSpec
from uncia.training.sound.examples import Examples, read_examples
from uncia.training.sound.folders import LabelledRecording

RATE = 8_000
SPEC = SoundSpec(sample_rate=RATE, window_s=1, hop_s=1, fft=256, mels=16, columns=32, low_hz=100, high_hz=4_000)


def quiet(seconds: float) -> Samples:
    noise = np.random.default_rng(1).standard_normal(round(seconds * RATE))
    return (0.001 * noise).astype(np.float32)


def beep(at_s: float, seconds: float) -> Samples:
    samples = quiet(seconds)
    start = round(at_s * RATE)
    samples[start : start + RATE // 4] += tone(0.25, RATE)
    return samples


def read(folder: Path, data: bytes, index: int | None = 0, most: int = 100) -> tuple[Examples, dict[Path, str]]:
    path = folder / "1.wav"
    path.write_bytes(data)
    unusable: dict[Path, str] = {}
    return read_examples([LabelledRecording(path, "wren", index, "")], SPEC, most, unusable), unusable


def test_only_windows_with_a_call_teach_the_class(tmp_path: Path) -> None:
    found, _ = read(tmp_path, recorded(beep(2.3, 6), RATE))
    assert len(found) == 1


def test_every_window_of_background_counts(tmp_path: Path) -> None:
    found, _ = read(tmp_path, recorded(beep(2.3, 6), RATE), index=None)
    assert found.truth.tolist() == [-1] * 6


def test_no_more_than_the_given_number_of_windows_is_taken(tmp_path: Path) -> None:
    found, _ = read(tmp_path, recorded(quiet(9), RATE), index=None, most=3)
    assert len(found) == 3


def test_power_is_positive_and_of_the_shape_of_the_spectrogram(tmp_path: Path) -> None:
    found, _ = read(tmp_path, recorded(beep(2.3, 6), RATE))
    assert found.power.shape == (1, 16, 32) and (found.power > 0).all()


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({"subtype": "PCM_U8"}, id="8-bit"),
        pytest.param({"subtype": "PCM_24"}, id="24-bit"),
        pytest.param({"format": "FLAC"}, id="FLAC"),
    ],
)
def test_other_forms_of_samples_are_read(tmp_path: Path, written: dict[str, Any]) -> None:
    found, unusable = read(tmp_path, recorded(beep(2.3, 6), RATE, **written))
    assert len(found) >= 1 and not unusable


def test_the_mean_of_two_channels_is_read(tmp_path: Path) -> None:
    stereo = np.stack([beep(2.3, 6), quiet(6)], axis=1)
    found, unusable = read(tmp_path, recorded(stereo, RATE))
    assert len(found) == 1 and not unusable


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "empty", id="no bytes"),
        pytest.param(b"no recording" * 40, "not a readable", id="no recording"),
        pytest.param(recorded(np.zeros(0, np.float32), RATE), "no samples", id="no samples"),
        pytest.param(recorded(np.zeros(3 * RATE, np.float32), RATE), "all samples are 0", id="silence"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path, data: bytes, why: str) -> None:
    found, unusable = read(tmp_path, data)
    assert len(found) == 0
    assert [why in reason for reason in unusable.values()] == [True]


def test_a_file_that_disappeared_is_named(tmp_path: Path) -> None:
    unusable: dict[Path, str] = {}
    read_examples([LabelledRecording(tmp_path / "gone.wav", "wren", 0, "")], SPEC, 5, unusable)
    assert list(unusable) == [tmp_path / "gone.wav"]
