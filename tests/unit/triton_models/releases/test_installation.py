"""A package is checked, then installed atomically as the next version; a refused one changes nothing."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.packages import SMALL, label_set, write_graph, write_package
from tests.paths import ROOT
from tests.waiting import SCALE
from uncia.errors import SettingsError
from uncia.events.values import ClassVector
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.model_card import read_installed_card
from uncia.serving.model_versions import installed_versions, read_version_state
from uncia.triton_models.packages.validation import ModelRefused
from uncia.triton_models.releases import installation
from uncia.triton_models.releases.installation import install
from uncia.triton_models.repository import sha256


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write_package(tmp_path / "package")
    return tmp_path / "package"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With version 1 of `tiny`."""
    write_package(tmp_path / "first", seed=9)
    install(tmp_path / "first", tmp_path / "repository")
    return tmp_path / "repository"


def changed_card(package: Path, **changes: object) -> None:
    path = package / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def new_graph(package: Path, *, frame: FrameSpec = SMALL, classes: int = 4, seed: int = 0) -> None:
    """Another graph under the same card, which names it."""
    write_graph(package / "model.onnx", frame, classes, seed=seed)
    changed_card(package, onnx_sha256=sha256(package / "model.onnx"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".building.lock"
    }


def test_the_first_package_of_a_name_is_a_model_with_one_version(package: Path, tmp_path: Path) -> None:
    card = install(package, tmp_path / "new", name="steppe_cats")

    folder = tmp_path / "new" / "steppe_cats"
    assert card.name == "steppe_cats@1"
    assert {path.name for path in (folder / "1").iterdir()} == {"model.onnx", "model.json", "labels.json", "model.py"}
    assert 'name: "steppe_cats"' in (folder / "config.pbtxt").read_text()
    assert read_version_state(folder).live == "1"


def test_installing_adds_a_version_that_receives_no_requests(package: Path, repository: Path) -> None:
    before = (repository / "tiny" / "config.pbtxt").read_text()
    card = install(package, repository)

    assert card.name == "tiny@2"
    assert read_installed_card(repository, "tiny", "2").labels.name == "set0"
    assert read_version_state(repository / "tiny").live == "1"
    assert (repository / "tiny" / "config.pbtxt").read_text() == before


def test_each_version_keeps_its_own_labels_and_frame(repository: Path, tmp_path: Path) -> None:
    wide = FrameSpec(width=128, height=64, window=128)
    write_package(tmp_path / "wide", frame=wide, classes=7, seed=2)
    install(tmp_path / "wide", repository)

    first, second = (read_installed_card(repository, "tiny", version) for version in "12")
    assert (first.labels.name, len(first.labels.classes), first.frame) == ("set9", 4, SMALL)
    assert (second.labels.name, len(second.labels.classes), second.frame) == ("set2", 7, wide)


def test_a_number_is_given_once(package: Path, repository: Path) -> None:
    install(package, repository)
    shutil.rmtree(repository / "tiny" / "2")

    assert install(package, repository).version == "3"


def test_the_page_for_people_comes_along(package: Path, repository: Path) -> None:
    (package / "card.html").write_text("<h1>tiny</h1>")
    install(package, repository)

    assert (repository / "tiny" / "2" / "card.html").read_text() == "<h1>tiny</h1>"


def _labels_of(classes: int) -> Callable[[Path], None]:
    def change(package: Path) -> None:
        labels = label_set("other", classes)
        (package / "labels.json").write_text(labels.model_dump_json())
        changed_card(package, label_set=labels.id)

    return change


def _no_such_operator(package: Path) -> None:
    import onnx

    graph = onnx.load(str(package / "model.onnx"))
    graph.graph.node[0].op_type = "Teleport"
    onnx.save(graph, str(package / "model.onnx"))
    changed_card(package, onnx_sha256=sha256(package / "model.onnx"))


def _other_answers(package: Path) -> None:
    stored = ClassVector.pack(np.array([1, 0, 0, 0], dtype=np.float32)).model_dump(mode="json")
    changed_card(package, self_test={"whole": stored, "windows": stored})


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda package: (package / "labels.json").unlink(), "no labels.json"),
        (lambda package: (package / "labels.json").write_text("{}"), "is not a valid label set"),
        (lambda package: (package / "model.json").write_text("{}"), "is not a valid model card"),
        (lambda package: (package / "model.onnx").write_bytes(b"half"), "not the graph that the card was written for"),
        (_labels_of(5), "has 4 classes, and the label set has 5"),
        (lambda package: new_graph(package, frame=FrameSpec(width=32, height=64)), r"must be \[batch, 64, 96, 3\]"),
        (lambda package: new_graph(package, seed=5), r"fails the self-test .*differs by"),
        (_other_answers, "fails the self-test"),
        (_no_such_operator, "there is no operator Teleport in operator set 17: export the model with standard"),
        (lambda package: os.truncate(package / "model.onnx", 2**31), "an ONNX file of 2 GiB and more cannot be served"),
        (lambda package: changed_card(package, places="WHERE"), "no output WHERE"),
    ],
    ids=[
        "labels gone", "labels broken", "card broken", "graph cut", "one label too many", "another frame",
        "other weights", "other self-test", "unknown operator", "2 GiB", "other names",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_reason_and_changes_nothing(
    package: Path, repository: Path, harm: Callable[[Path], None], reason: str
) -> None:
    harm(package)
    before = contents(repository)

    with pytest.raises(ModelRefused, match=reason):
        install(package, repository)
    assert contents(repository) == before


def test_a_full_disk_leaves_what_was_there(package: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(repository)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ModelRefused, match="the disk is full"):
        install(package, repository)
    assert contents(repository) == before


def test_the_command_reports_a_full_disk_in_one_sentence(package: Path, repository: Path) -> None:
    before = contents(repository)
    command = [sys.executable, "-m", "uncia", "models", "install", str(package), "--repository", str(repository)]
    done = subprocess.run(["prlimit", "--fsize=300", *command], capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 1
    assert re.fullmatch(
        r"uncia: .* could not be installed \(.*File too large.*\); the repository is unchanged\n", done.stderr
    )
    assert contents(repository) == before


def test_a_kill_in_the_middle_leaves_what_was_there_and_the_next_command_tidies_up(
    package: Path, repository: Path
) -> None:
    before = contents(repository)
    killed = (
        "import os, signal, sys, pathlib; from uncia.triton_models.releases import installation\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "installation.shutil.copyfile = die\n"
        "installation.install(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", killed, str(package), str(repository)], check=False, timeout=SCALE * 50
    )

    assert done.returncode == -9
    assert installed_versions(repository / "tiny") == ("1",)
    assert before.items() <= contents(repository).items()
    install(package, repository)
    assert [path.name for path in repository.iterdir() if path.is_dir()] == ["tiny"]


@pytest.mark.parametrize("name", ["", "Cats", "cats-2", "1cat", "a/b", "..", "ünze"])
def test_a_name_that_triton_could_misread_is_refused(package: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="is no valid model name"):
        installation.validate_model_name(name)
