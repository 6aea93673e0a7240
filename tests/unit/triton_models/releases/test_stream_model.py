"""Commands report which model the stream uses: `UNCIA_MODEL` decides that, not which version of a model is live."""

import json
from pathlib import Path

import pytest

from tests.packages import write_package
from uncia.commands.models import list_models
from uncia.commands.models_release import _report_live, report_installed
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.embedder_card import EmbedderCard, EmbedderSelfTest
from uncia.serving.model_card import read_installed_card
from uncia.serving.model_versions import read_version_state
from uncia.settings import Settings
from uncia.triton_models.releases.installation import install
from uncia.triton_models.releases.stream_model import describe_embedder, describe_sound_model


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A stream that uses `tiny`, and a second model, `cattle_cam`, in the repository."""
    repository = tmp_path / "repository"
    write_package(tmp_path / "package", seed=1)
    install(tmp_path / "package", repository)
    install(tmp_path / "package", repository, name="cattle_cam")
    monkeypatch.setenv("UNCIA_MODEL", "tiny")
    monkeypatch.setenv("UNCIA_MODEL_REPOSITORY", str(repository))
    monkeypatch.setenv("UNCIA_TRITON", "127.0.0.1:1")
    return Settings(_env_file=None)


def test_installing_another_model_prints_the_command_that_switches_the_stream(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    report_installed("cattle_cam", "1", settings, as_json=False)
    output = capsys.readouterr().out
    folder = settings.model_repository / "cattle_cam" / "1"
    assert "The stream uses tiny@1 (UNCIA_MODEL)." in output
    assert f"`uncia models install {folder} --name tiny" in output


def test_the_printed_command_installs_the_streams_next_version(settings: Settings) -> None:
    folder = settings.model_repository / "cattle_cam" / "1"
    assert install(folder, settings.model_repository, name="tiny").name == "tiny@2"


def test_promoting_a_model_outside_the_stream_does_not_call_it_live(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    state = read_version_state(settings.model_repository / "cattle_cam")
    _report_live("cattle_cam", state, settings, as_json=False)
    output = capsys.readouterr().out
    assert "is live" not in output
    assert "The stream does not use it. The stream uses tiny@1" in output
    assert "--name tiny" in output
    _report_live("cattle_cam", state, settings, as_json=True)
    assert json.loads(capsys.readouterr().out)["in_stream"] is False


def test_promoting_the_streams_model_calls_it_live(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    _report_live("tiny", read_version_state(settings.model_repository / "tiny"), settings, as_json=False)
    assert capsys.readouterr().out == "tiny@1 is live\n"


def test_a_pinned_version_is_reported_as_the_streams(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    pinned = settings.model_copy(update={"model_version": "7"})
    _report_live("tiny", read_version_state(settings.model_repository / "tiny"), pinned, as_json=False)
    output = capsys.readouterr().out
    assert "The stream uses tiny@7 (UNCIA_MODEL, UNCIA_MODEL_VERSION)." in output
    assert "Remove UNCIA_MODEL_VERSION" in output


def test_the_list_ends_with_the_streams_model(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    list_models(settings.model_repository, False)
    output = capsys.readouterr().out
    assert "not in the stream" in output
    assert output.rstrip().endswith("The stream uses tiny@1 (UNCIA_MODEL).")
    list_models(settings.model_repository, True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows if row["in_stream"]] == ["tiny"]


@pytest.mark.parametrize(
    ("model", "live", "words"),
    [
        ("audio_classifier", "1", "the worker `listen` uses it where UNCIA_LISTEN is true"),
        ("audio_classifier", "2", "`uncia models promote audio_classifier@1` makes it live"),
        ("owls", "1", "set UNCIA_SOUND_MODEL=owls and UNCIA_LISTEN=true"),
    ],
)
def test_an_audio_classifier_is_never_offered_as_the_model_of_photographs(
    settings: Settings, model: str, live: str, words: str
) -> None:
    card = read_installed_card(settings.model_repository, "tiny").model_copy(update={"model": model, "version": "1"})
    sentence = describe_sound_model(card, live, settings)
    assert words in sentence
    assert "UNCIA_MODEL" not in sentence


@pytest.mark.parametrize(
    ("chosen", "live", "words"),
    [
        ("coats", "1", "the worker `identify` uses it where UNCIA_IDENTIFY_TAXA lists taxa"),
        ("coats", "2", "`uncia models promote coats@1` makes it live"),
        ("", "1", "set UNCIA_IDENTIFY_EMBEDDER=coats and UNCIA_IDENTIFY_TAXA"),
    ],
)
def test_an_embedder_is_offered_to_the_worker_that_identifies(
    settings: Settings, chosen: str, live: str, words: str
) -> None:
    card = EmbedderCard(
        model="coats",
        versions=("1",),
        frame=FrameSpec(),
        dimensions=2,
        self_test=EmbedderSelfTest(vector=(1.0, 0.0)),
        onnx_sha256="0" * 64,
    )
    sentence = describe_embedder(card, live, settings.model_copy(update={"identify_embedder": chosen}))
    assert words in sentence
    assert "UNCIA_MODEL" not in sentence
