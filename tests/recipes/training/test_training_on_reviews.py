"""`catalogue` as the source of training: what reviewers decided becomes a model."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from tests.recipes.training.synthetic_data import draw
from tests.unit.dashboard.catalogue.catalogue_data import sqlite_catalogue
from uncia.commands import data, export, reviewed_source
from uncia.commands.data import app as data_app
from uncia.commands.train import app as train_app
from uncia.dashboard.exports.media import FetchPhotograph
from uncia.dashboard.exports.records import FrameRecord
from uncia.errors import UnciaError
from uncia.settings import Settings
from uncia.training.datasets import DataError


def _photograph(frame: FrameRecord) -> bytes:
    """A photograph that shows a bar or nothing, as the frame was judged, instead of the store's."""
    pixels, _ = draw("empty" if frame.category == "blank" else "bar", seed=sum(frame.upload_id.encode()))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.fixture
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of 300 bursts, some with a review, and a working folder."""
    sqlite_catalogue(tmp_path, 300).dispose()
    config = Settings(_env_file=None, catalogue_url=f"sqlite:///{tmp_path}/catalogue.sqlite")

    def photographs_from_store(config: Settings) -> FetchPhotograph:
        return _photograph

    monkeypatch.setattr(export, "photographs_from_store", photographs_from_store)
    for module in (reviewed_source, data):
        monkeypatch.setattr(module, "settings", lambda: config)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(app: object, *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)  # type: ignore[arg-type]


def test_a_model_is_trained_on_what_reviewers_decided(reviews: Path) -> None:
    options = ("--width", "32", "--height", "24", "--epochs", "2", "--augment", "none", "--json")
    done = _run(train_app, "small", "catalogue", "--out", "reviewed-model", *options)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert "Capra sibirica" in result["classes"]
    assert "animal" not in result["classes"]


def test_the_photographs_of_reviews_can_be_checked_before_training(reviews: Path) -> None:
    done = _run(data_app, "reviewed", "photographs")
    assert done.exit_code == 0, done.output
    assert "reviewed bursts" in done.stderr
    checked = _run(data_app, "check", "photographs", "--quick", "--json")
    assert json.loads(checked.stdout)["bursts"] > 10


def test_a_folder_with_other_contents_is_never_written_into(reviews: Path) -> None:
    (reviews / "mine").mkdir()
    (reviews / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(DataError, match="other contents"):
        _run(data_app, "reviewed", "mine")


def test_a_catalogue_without_reviews_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_catalogue(tmp_path, 0).dispose()
    config = Settings(_env_file=None, catalogue_url=f"sqlite:///{tmp_path}/catalogue.sqlite")
    monkeypatch.setattr(data, "settings", lambda: config)
    with pytest.raises(UnciaError, match="review bursts in the dashboard first"):
        _run(data_app, "reviewed", str(tmp_path / "out"))
