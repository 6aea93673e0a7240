"""`uncia train` on a full disk: one sentence with advice, and existing files stay intact."""

import re
import shutil
from pathlib import Path

import pytest

from tests.packages import write_package
from tests.recipes.training.killed_process import Command, content
from tests.recipes.training.synthetic_data import write_table

pytest.importorskip("torch")

KB = 1024
SHALLOW = ("--cut", "block-2", "--penalty", "0.1", "--augment", "none")
"""Its graphs have about 80 KB."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("source") / "photographs", bursts=12)


def train(subcommand: str, source: Path, folder: Path, *options: str) -> list[str]:
    folders = ("--out", str(folder / "models" / "shapes"), "--cache", str(folder / "features"))
    return ["train", subcommand, str(source), *folders, *options]


@pytest.fixture(scope="module")
def with_features(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with all features, and the graph that computed them."""
    folder = tmp_path_factory.mktemp("with-features")
    Command(train("head", source, folder, *SHALLOW), folder / "log").finish()
    return folder / "features"


def last_line_on_a_full_disk(arguments: list[str], folder: Path, most_bytes: int) -> str:
    """The command's last line, where no file may become larger than this."""
    result = Command(arguments, folder / "log", most_bytes=most_bytes).fail()
    assert "Traceback" not in result
    return result.splitlines()[-1]


@pytest.mark.thorough
def test_a_full_disk_while_the_feature_graph_is_exported(source: Path, tmp_path: Path) -> None:
    result = last_line_on_a_full_disk(train("head", source, tmp_path, *SHALLOW), tmp_path, 48 * KB)

    assert re.search(r"^uncia: .*\.onnx cannot be written .*: free some space and run the same command again", result)
    assert list((tmp_path / "features").glob("*.onnx")) == list((tmp_path / "features").glob(".exporting-*")) == []


@pytest.mark.thorough
def test_a_full_disk_while_features_are_cached(source: Path, with_features: Path, tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    for graph in with_features.glob("*.onnx"):
        shutil.copy(graph, tmp_path / "features")
    result = last_line_on_a_full_disk(train("head", source, tmp_path, *SHALLOW), tmp_path, 36 * KB)

    assert re.search(
        r"^uncia: the feature cache .* cannot be written .*: free some space or choose another folder", result
    )


@pytest.mark.thorough
def test_a_full_disk_while_the_package_is_written(source: Path, with_features: Path, tmp_path: Path) -> None:
    shutil.copytree(with_features, tmp_path / "features")
    out = tmp_path / "models" / "shapes"
    write_package(out)
    before = content(out)
    result = last_line_on_a_full_disk(train("head", source, tmp_path, *SHALLOW), tmp_path, 64 * KB)

    assert re.search(
        r"^uncia: the package .* cannot be written .*: free some space .* an existing package is unchanged$", result
    )
    assert content(out) == before
    assert list(out.parent.iterdir()) == [out]


def test_a_full_disk_while_a_checkpoint_is_written(source: Path, tmp_path: Path) -> None:
    arguments = ["train", "small", str(source), "--out", str(tmp_path / "tiny"), "--width", "32", "--height", "24"]
    result = last_line_on_a_full_disk(arguments, tmp_path, 16 * KB)

    assert re.search(
        r"^uncia: the checkpoint .* cannot be written .*: free some space and run the same command", result
    )
