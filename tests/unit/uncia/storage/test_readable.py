"""Files that every user may read."""

import stat
from pathlib import Path

from uncia.storage.readable import make_readable


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_folders_become_readable_and_programs_stay_programs(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "1").mkdir(parents=True, mode=0o700)
    for name, before in (("model.py", 0o600), ("program", 0o700), ("shared", 0o664)):
        (folder / "1" / name).touch()
        (folder / "1" / name).chmod(before)
    make_readable(folder)
    assert mode(folder / "1") == 0o755
    assert [mode(folder / "1" / name) for name in ("model.py", "program", "shared")] == [0o644, 0o744, 0o664]


def test_hidden_names_and_the_targets_of_links_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / ".building-x").mkdir(parents=True, mode=0o700)
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    (folder / "link").symlink_to(secret)
    make_readable(folder)
    assert mode(folder / ".building-x") == 0o700
    assert mode(secret) == 0o600


def test_a_missing_folder_is_no_error(tmp_path: Path) -> None:
    make_readable(tmp_path / "nowhere")
