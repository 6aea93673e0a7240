"""Which recordings a folder has, whose they are, and which folders are refused."""

from pathlib import Path

import pytest

from uncia.training import TrainingError
from uncia.training.sound.folders import SoundFolder, read_sound_folder


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def four(folder: str) -> list[str]:
    return [f"{folder}/{number}.wav" for number in range(4)]


def read(folder: Path) -> SoundFolder:
    return read_sound_folder(folder, "valley_birds")


def test_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    found = read(fill(tmp_path, *four("wren"), *four("owl")))
    assert [entry.label for entry in found.labels.classes] == ["owl", "wren"]
    assert {one.folder: one.index for one in found.recordings} == {"owl": 0, "wren": 1}


def test_a_folder_can_name_taxon_and_label(tmp_path: Path) -> None:
    (first, _) = read(fill(tmp_path, *four("Strix aluco_Tawny Owl"), *four("wren"))).labels.classes
    assert (first.taxon, first.label) == ("Strix aluco", "Tawny Owl")


def test_a_folder_of_voices_is_a_class_of_persons(tmp_path: Path) -> None:
    groups = {entry.label: entry.group for entry in read(fill(tmp_path, *four("human"), *four("wren"))).labels.classes}
    assert groups == {"human": "person", "wren": "animal"}


@pytest.mark.parametrize("name", ["background", "Noise", "silence", "nothing", "wind"])
def test_background_is_no_class(tmp_path: Path, name: str) -> None:
    found = read(fill(tmp_path, *four(name), *four("wren")))
    assert [entry.label for entry in found.labels.classes] == ["wren"]
    assert {one.index for one in found.recordings if one.folder == name} == {None}


@pytest.mark.parametrize(
    ("path", "recorder"),
    [
        ("wren/SMA01234_20260314_051500.wav", "SMA01234"),
        ("wren/ridge-2_20260314_051500.flac", "ridge-2"),
        ("wren/20260314_051500.WAV", ""),
        ("wren/wren song 3.wav", ""),
        ("wren/ridge/20260314_051500.WAV", "ridge"),
    ],
)
def test_the_recorder_is_that_of_the_sub_folder_or_of_the_name(tmp_path: Path, path: str, recorder: str) -> None:
    found = read(fill(tmp_path, path, *four("wren"), *four("owl")))
    assert {one.recorder for one in found.recordings if one.path == tmp_path / path} == {recorder}


def test_other_files_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, *four("wren"), *four("owl"), "wren/notes.txt", "wren/song.mp3", "wren/._1.wav", ".cache/1.wav")
    assert len(read(tmp_path).recordings) == 8


@pytest.mark.parametrize("names", [[], ["1.wav"], four("wren"), four("noise")])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(TrainingError, match="at least two classes"):
        read(fill(tmp_path, *names))


def test_a_class_with_one_recording_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="wren has 1 recording that can be used: at least 4"):
        read(fill(tmp_path, "wren/1.wav", *four("owl")))


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there is no folder"):
        read(tmp_path / "calls")
