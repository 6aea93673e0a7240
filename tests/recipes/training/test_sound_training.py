"""`uncia train sound`: from synthesised calls to a package that `listen` can use."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.processors.listen.builders import MemoryStore, uploaded
from uncia.commands.train import app
from uncia.events import Lane, SoundHeard
from uncia.imaging.frames import Pixels
from uncia.processors.listen.analysis import Listener, LiveSoundModel
from uncia.serving.model_card import ModelCard, read_model_card
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings
from uncia.sound.spec import SoundSpec
from uncia.training import TrainingError
from uncia.training.sound.recordings import TRUTH_FILE, write_field_recordings, write_training_recordings
from uncia.training.sound.synthesis import BACKGROUND, SPECIES
from uncia.triton_models.packages.loading import open_package
from uncia.triton_models.releases.installation import install

ACCURACY = 0.95
"""Least share of held-back recordings that are right; of synthesised calls, nearly all are."""

QUICK = ("--sample-rate", "16000", "--high", "8000", "--epochs", "14")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("sound") / "calls"
    write_training_recordings(folder, 8, 4, 12, 1)
    return folder


def train(source: Path, out: Path, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(
        app, ["sound", str(source), "--out", str(out), *QUICK, *arguments, "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def trained(calls: Path) -> tuple[Path, dict[str, Any]]:
    out = calls.parent / "audio_classifier"
    return out, train(calls, out)


def test_recordings_that_were_held_back_are_right(trained: tuple[Path, dict[str, Any]]) -> None:
    assert trained[1]["accuracy"] >= ACCURACY
    assert trained[1]["recordings"] >= len(SPECIES)


def test_every_class_has_a_threshold_and_background_is_no_class(trained: tuple[Path, dict[str, Any]]) -> None:
    card = read_model_card(trained[0])
    assert {entry.label for entry in card.labels.classes} == set(SPECIES)
    assert all(entry.threshold is not None for entry in card.labels.classes)


def test_the_package_says_what_it_hears_and_shows_its_evaluation(trained: tuple[Path, dict[str, Any]]) -> None:
    card = read_model_card(trained[0])
    assert (card.model, card.sound) == ("audio_classifier", SoundSpec(sample_rate=16_000, high_hz=8_000))
    page = (trained[0] / "card.html").read_text()
    assert "held back" in page and all(label in page for label in SPECIES)


class OnnxClassifier:
    """A classifier in ONNX Runtime, with a real client's interface."""

    def __init__(self, package: Path) -> None:
        self._package = open_package(package)

    async def classify(self, pixels: Pixels, lane: Lane = Lane.LIVE, card: ModelCard | None = None) -> InferenceResult:
        """Scores of the classes, (B, classes)."""
        whole, windows, places = self._package.session.run(["WHOLE", "WINDOWS", "PLACES"], {"FRAME": pixels})
        return InferenceResult(whole, windows, places, "1", 1.0)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of other recorders, in which all species call."""
    folder = tmp_path_factory.mktemp("field") / "recordings"
    write_field_recordings(folder, 2, 2, 15, 9)
    return folder


def test_the_worker_hears_every_call_of_recorders_that_are_new_to_it(
    trained: tuple[Path, dict[str, Any]], field: Path, tmp_path: Path
) -> None:
    install(trained[0], tmp_path / "models")
    settings = Settings(_env_file=None, data_dir=tmp_path, model_repository=tmp_path / "models", missing_grace_s=0)
    store = MemoryStore()
    listener = Listener(settings, LiveSoundModel(settings), store, OnnxClassifier(trained[0]))
    heard: dict[str, list[SoundHeard]] = {}

    async def listen(name: str, data: bytes) -> None:
        key = f"ridge/{name}"
        store.objects[key] = data

        async def publish(call: SoundHeard) -> None:
            heard.setdefault(name, []).append(call)

        await listener.analyse(uploaded(key, len(data)), publish)

    for path in sorted(field.rglob("*.wav")):
        asyncio.run(listen(path.relative_to(field).as_posix(), path.read_bytes()))
    missed = [
        drawn
        for drawn in json.loads((field / TRUTH_FILE).read_text())
        if not any(
            call.verdict.label == drawn["label"] and call.start_s <= drawn["end_s"] and call.end_s >= drawn["start_s"]
            for call in heard.get(drawn["file"], [])
        )
    ]
    assert missed == []
    assert all(call.verdict.certain for calls in heard.values() for call in calls)


@pytest.fixture
def few(calls: Path, tmp_path: Path) -> Path:
    """A copy with two species and background."""
    for name in (*list(SPECIES)[:2], BACKGROUND):
        shutil.copytree(calls / name, tmp_path / "few" / name)
    return tmp_path / "few"


ONE_EPOCH = ("--epochs", "1")


def test_the_same_seed_trains_the_same_model(few: Path, tmp_path: Path) -> None:
    first, second = (train(few, tmp_path / name / "audio", *ONE_EPOCH) for name in ("one", "two"))
    assert first["onnx_sha256"] == second["onnx_sha256"]


def test_an_unreadable_file_is_left_out_and_named(few: Path, tmp_path: Path) -> None:
    broken = few / BACKGROUND / "broken.wav"
    broken.write_bytes(b"no recording" * 50)
    result = train(few, tmp_path / "audio", *ONE_EPOCH)
    assert list(result["unusable"]) == [str(broken)]


def test_a_class_of_which_too_few_files_can_be_read_is_refused(few: Path, tmp_path: Path) -> None:
    for path in sorted((few / BACKGROUND).glob("*.wav"))[3:]:
        path.write_bytes(b"")
    with pytest.raises(TrainingError, match="background has 3 recordings that can be used"):
        train(few, tmp_path / "audio", *ONE_EPOCH)
    assert not (tmp_path / "audio").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hop", "4"], "hop_s must not exceed window_s"),
        (["--high", "9000"], "high_hz at most half of sample_rate"),
        (["--split-by", "station"], "no split by 'station'"),
    ],
)
def test_a_mistake_in_the_options_is_named(few: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        train(few, tmp_path / "audio", *arguments)
