"""A build is atomic, reproducible, and a no-op when nothing changed."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from uncia.serving.model_card import read_model_card
from uncia.serving.model_versions import read_version_state
from uncia.triton_models.recipes import building, species_classifier
from uncia.triton_models.recipes.species_classifier import BuildError, BuildResult, build, up_to_date
from uncia.triton_models.repository import sha256, staging_folder
from uncia.triton_models.triton_config import config_pbtxt


@pytest.fixture
def repository_copy(built: BuildResult, tmp_path: Path) -> Path:
    """A copy of the repository for one test."""
    shutil.copytree(built.folder, tmp_path / "repository" / built.folder.name)
    return tmp_path / "repository"


def fail_if_built(*_: object) -> None:
    raise AssertionError("nothing was to be built")


def test_the_folder_has_the_files_that_triton_and_the_workers_need(built: BuildResult) -> None:
    files = {str(path.relative_to(built.folder)) for path in built.folder.rglob("*") if path.is_file()}

    assert files == {
        "config.pbtxt",
        "live.json",
        *(f"1/{name}" for name in ("labels.json", "model.json", "model.onnx", "model.py")),
    }
    assert read_model_card(built.folder / "1") == built.card
    assert read_version_state(built.folder).live == "1"


def test_nothing_else_is_left_in_the_repository(built: BuildResult) -> None:
    assert [path.name for path in built.folder.parent.iterdir() if path.is_dir()] == [built.folder.name]


def test_an_up_to_date_model_is_not_rebuilt(repository_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(species_classifier, "_build_version", fail_if_built)

    assert not build(repository_copy).fresh


def _truncate_graph(folder: Path) -> None:
    (folder / "1" / "model.onnx").write_bytes((folder / "1" / "model.onnx").read_bytes()[:-1])


@pytest.mark.parametrize(
    "damage",
    [
        _truncate_graph,
        lambda folder: (folder / "1" / "model.py").unlink(),
        lambda folder: (folder / "config.pbtxt").write_text(""),
        lambda folder: (folder / "live.json").unlink(),
        lambda folder: (folder / "1" / "labels.json").unlink(),
        lambda folder: (folder / "1" / "model.json").write_text("{}"),
    ],
    ids=[
        "graph cut",
        "model.py gone",
        "configuration empty",
        "nothing is live",
        "labels gone",
        "card of another version",
    ],
)
def test_a_damaged_model_is_not_up_to_date(
    built: BuildResult, repository_copy: Path, damage: Callable[[Path], object]
) -> None:
    damage(repository_copy / built.folder.name)

    assert up_to_date(repository_copy / built.folder.name, built.card.built_from) is None


def test_another_backend_is_another_build(built: BuildResult) -> None:
    assert species_classifier.fingerprint("onnxruntime") != species_classifier.fingerprint("python")


def test_a_failed_build_does_not_change_the_existing_model(
    repository_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(staging_folder: Path, *_: object) -> None:
        (staging_folder / species_classifier.VERSION).mkdir()
        raise BuildError("disk full")

    monkeypatch.setattr(species_classifier, "_build_version", fail)
    with pytest.raises(BuildError):
        build(repository_copy, force=True)
    monkeypatch.setattr(species_classifier, "_build_version", fail_if_built)

    assert not build(repository_copy).fresh
    assert [path.name for path in repository_copy.iterdir() if path.is_dir()] == [species_classifier.NAME]


def test_a_version_that_cannot_be_moved_into_place_leaves_the_former_one(repository_copy: Path) -> None:
    with staging_folder(repository_copy, species_classifier.NAME) as staged, pytest.raises(FileNotFoundError):
        building.move_into_place(staged, repository_copy / species_classifier.NAME)

    assert not build(repository_copy).fresh


def test_staging_folders_of_killed_builds_are_removed(repository_copy: Path) -> None:
    (repository_copy / ".building-species_classifier-abc" / "species_classifier").mkdir(parents=True)
    build(repository_copy)

    assert not list(repository_copy.glob(".building-species_classifier-*"))


def test_missing_torch_is_reported_with_the_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "uncia.triton_models.recipes.dense_pass", raising=False)
    monkeypatch.delattr("uncia.triton_models.recipes.dense_pass", raising=False)

    with pytest.raises(BuildError, match=r"torch.*\[models\]"):
        build(tmp_path)


def test_the_same_versions_export_the_same_bytes(built: BuildResult, tmp_path: Path) -> None:
    from uncia.triton_models.recipes import dense_pass

    dense_pass.export(dense_pass.load(built.card.frame), built.card.frame, tmp_path / "again.onnx")

    assert sha256(tmp_path / "again.onnx") == built.card.onnx_sha256


@pytest.mark.parametrize("backend", ["python", "onnxruntime"])
def test_triton_understands_the_configuration(built: BuildResult, backend: str) -> None:
    card = built.card.model_copy(update={"backend": backend})
    config = text_format.Parse(config_pbtxt([card]), model_config_pb2.ModelConfig())

    assert (config.name, config.backend, config.max_batch_size) == (card.model, backend, card.max_batch)
    assert list(config.version_policy.specific.versions) == [1]
    assert list(config.input[0].dims) == [320, 448, 3]
    assert [output.name for output in config.output] == ["WHOLE", "WINDOWS", "PLACES"]
    assert config.dynamic_batching.max_queue_delay_microseconds == 0
    assert (config.dynamic_batching.priority_levels, config.dynamic_batching.default_priority_level) == (2, 1)
    assert [warmup.batch_size for warmup in config.model_warmup] == [1, 8]


def test_tensorrt_is_for_tritons_own_backend(built: BuildResult) -> None:
    native = built.card.model_copy(update={"backend": "onnxruntime"})

    assert "tensorrt" in config_pbtxt([native])
    assert "tensorrt" not in config_pbtxt([built.card])
