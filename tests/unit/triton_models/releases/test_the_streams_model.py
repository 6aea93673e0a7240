"""A promotion says what the stream asks: `UNCIA_MODEL` decides that, and not which version of a model is live."""

import json
from pathlib import Path

import pytest

from tests.packages import write_package
from uncia.commands.models import list_models
from uncia.commands.models_release import _tell, report_installed
from uncia.serving.model_versions import read_standing
from uncia.settings import Settings
from uncia.triton_models.releases.installation import install


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A stream that asks `tiny`, and a second model, `cattle_cam`, beside it."""
    repository = tmp_path / "repository"
    write_package(tmp_path / "package", seed=1)
    install(tmp_path / "package", repository)
    install(tmp_path / "package", repository, name="cattle_cam")
    monkeypatch.setenv("UNCIA_MODEL", "tiny")
    monkeypatch.setenv("UNCIA_MODEL_REPOSITORY", str(repository))
    monkeypatch.setenv("UNCIA_TRITON", "127.0.0.1:1")
    return Settings(_env_file=None)


def test_a_package_of_another_name_is_offered_to_the_stream(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    report_installed("cattle_cam", "1", settings, as_json=False)
    told = capsys.readouterr().out
    folder = settings.model_repository / "cattle_cam" / "1"
    assert "The stream asks tiny@1 (UNCIA_MODEL)." in told
    assert f"`uncia models install {folder} --name tiny" in told


def test_the_command_that_is_offered_makes_it_the_streams_next_version(settings: Settings) -> None:
    folder = settings.model_repository / "cattle_cam" / "1"
    assert install(folder, settings.model_repository, name="tiny").name == "tiny@2"


def test_to_promote_a_model_that_the_stream_does_not_ask_is_not_called_live(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    standing = read_standing(settings.model_repository / "cattle_cam")
    _tell("cattle_cam", standing, settings, as_json=False)
    told = capsys.readouterr().out
    assert "is live" not in told
    assert "The stream does not ask for it. The stream asks tiny@1" in told
    assert "--name tiny" in told
    _tell("cattle_cam", standing, settings, as_json=True)
    assert json.loads(capsys.readouterr().out)["in_stream"] is False


def test_to_promote_the_streams_model_says_live(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    _tell("tiny", read_standing(settings.model_repository / "tiny"), settings, as_json=False)
    assert capsys.readouterr().out == "tiny@1 is live\n"


def test_a_pinned_version_is_what_the_stream_asks(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    pinned = settings.model_copy(update={"model_version": "7"})
    _tell("tiny", read_standing(settings.model_repository / "tiny"), pinned, as_json=False)
    told = capsys.readouterr().out
    assert "The stream asks tiny@7 (UNCIA_MODEL, UNCIA_MODEL_VERSION)." in told
    assert "Take UNCIA_MODEL_VERSION out" in told


def test_the_list_has_one_live_model_and_names_it(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    list_models(settings.model_repository, False)
    told = capsys.readouterr().out
    assert "not in the stream" in told
    assert told.rstrip().endswith("The stream asks tiny@1 (UNCIA_MODEL).")
    list_models(settings.model_repository, True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows if row["in_stream"]] == ["tiny"]
