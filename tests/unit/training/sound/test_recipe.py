"""The recipe learns synthesised calls, and its package is an audio classifier."""

from pathlib import Path

import numpy as np
import pytest

from uncia.sound.spec import SoundSpec
from uncia.sound.spectrogram import model_frame
from uncia.training import TrainingError
from uncia.training.sound.recipe import SoundResult, SoundSettings, loudest_window, train_sound
from uncia.training.sound.synthesis import CALLERS, NOISE, draw_calls
from uncia.triton_models.packages.loading import open_package
from uncia.triton_models.packages.validation import validate_package

SPEC = SoundSpec(sample_rate=11_025, window_s=3, hop_s=1.5, fft=512, mels=32, columns=64, high_hz=5_500)
SETTINGS = SoundSettings(epochs=12, rate=5e-3, spec=SPEC)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SoundResult]:
    """The folder of a training, and its result: 45 recordings learnt, 15 held out."""
    folder = tmp_path_factory.mktemp("sound")
    draw_calls(folder / "calls", 12, seed=1)
    (folder / "calls" / NOISE / "broken.wav").write_bytes(b"RIFF")
    return folder, train_sound(folder / "calls", folder / "birds", SETTINGS)


def test_synthesised_calls_that_it_did_not_hear_are_told_apart(trained: tuple[Path, SoundResult]) -> None:
    _, result = trained
    assert (result.trained_on, result.held_out) == (45, 15)
    # By chance it is 0.2.
    assert result.accuracy >= 0.7


def test_an_unreadable_recording_is_left_out_by_name(trained: tuple[Path, SoundResult]) -> None:
    (problem,) = trained[1].unreadable
    assert "broken.wav" in problem


def test_the_package_passes_the_checks_of_an_installation(trained: tuple[Path, SoundResult]) -> None:
    card = validate_package(trained[0] / "birds").card
    assert card.kind == "classifier"
    assert card.sound == SPEC
    assert {entry.label: entry.group for entry in card.labels.classes}[NOISE] == "nothing"


def test_the_package_scores_as_the_trained_network(trained: tuple[Path, SoundResult]) -> None:
    folder, result = trained
    package = open_package(folder / "birds")
    correct = []
    for index, name in enumerate(sorted((*CALLERS, NOISE))):
        for path in sorted((folder / "calls" / name).glob("0*.wav"))[::4]:
            whole, _, _ = package.predict(model_frame(loudest_window(path, SPEC), SPEC)[None])
            correct.append(whole[0].argmax() == index)
    assert np.mean(correct) == pytest.approx(result.accuracy)


def test_the_same_seed_draws_the_same_calls(tmp_path: Path) -> None:
    for name in ("one", "other"):
        draw_calls(tmp_path / name, 4, seed=5)
    one, other = ([path.read_bytes() for path in sorted((tmp_path / name).rglob("*.wav"))] for name in ("one", "other"))
    assert one == other


def test_too_few_recordings_of_a_class_are_refused(tmp_path: Path) -> None:
    draw_calls(tmp_path / "calls", 3, seed=1)
    with pytest.raises(TrainingError, match="at least 4"):
        train_sound(tmp_path / "calls", tmp_path / "out", SETTINGS)
