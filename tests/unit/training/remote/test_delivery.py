"""What came back is put in place only where every byte is what was stated."""

import hashlib
import json
from pathlib import Path

import pytest

from uncia.training.remote.delivery import put_in_place, verify
from uncia.training.remote.errors import RemoteError


def fetched(folder: Path, **files: bytes) -> dict[str, tuple[int, str]]:
    """A package `model` as it came back, and what was stated of its files."""
    (folder / "model").mkdir(parents=True)
    for name, content in files.items():
        (folder / "model" / name.replace("_", ".")).write_bytes(content)
    return {
        f"model/{name.replace('_', '.')}": (len(content), hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    }


def test_a_package_replaces_the_one_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    stated = fetched(tmp_path / "staging" / "made", labels_json=b"{}")
    made = verify(tmp_path / "staging" / "made", stated, tmp_path / "model")
    put_in_place(made, tmp_path / "model", tmp_path / "staging")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["labels.json"]


def test_a_file_that_differs_is_refused(tmp_path: Path) -> None:
    stated = fetched(tmp_path, labels_json=b"{}")
    (tmp_path / "model" / "labels.json").write_bytes(b"[]")
    with pytest.raises(RemoteError, match=r"labels\.json is not what the other machine sent"):
        verify(tmp_path, stated, Path("/here/model"))


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    stated = fetched(tmp_path, labels_json=b"{}")
    (tmp_path / "model" / "labels.json").unlink()
    with pytest.raises(RemoteError, match=r"labels\.json"):
        verify(tmp_path, stated, Path("/here/model"))


def test_a_graph_that_its_card_does_not_name_is_refused(tmp_path: Path) -> None:
    card = json.dumps({"onnx_sha256": "0" * 64}).encode()
    stated = fetched(tmp_path, model_onnx=b"graph", model_json=card)
    with pytest.raises(RemoteError, match="the graph of the package"):
        verify(tmp_path, stated, Path("/here/model"))


def test_a_run_that_made_nothing_is_said_to_have_made_nothing(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="made no model"):
        verify(tmp_path, {}, Path("/here/model"))
