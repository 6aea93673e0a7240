"""A camera's card: its folders are no cameras, and what is left on it is named."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.producers.gateway.builders import FakeStore, RecordingReporter, photograph, run
from uncia.commands.gateway import app
from uncia.errors import SettingsError
from uncia.producers.gateway.file_kinds import count_sentence
from uncia.producers.gateway.spool_status import read_status

FILMED = {
    "DCIM/100EK113/EK000001.JPG": "a",
    "DCIM/100EK113/EK000002.MP4": "film",
    "DCIM/100EK113/EK000003.AVI": "film",
    "DCIM/100EK113/EK000004.HEIC": "heic",
    "DCIM/100EK113/._EK000001.JPG": "twin",
    "DCIM/100EK113/Thumbs.db": "thumbs",
    "DCIM/.DS_Store": "store",
    "System Volume Information/IndexerVolumeGuid": "windows",
    "settings.txt": "text",
    "IMG_1.JPG.part": "a",
}


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tmp_path / "card"


@pytest.mark.parametrize("verb", ["card", "watch"])
@pytest.mark.parametrize("folder", ["DCIM", "dcim", "DCIM/100RECNX", "100RECNX", "DCIM/", "DCIM/."])
def test_a_folder_of_a_card_is_no_cameras_name(
    card: Path, folder: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (100, 101):
        place = card / folder / f"{number}RECNX" if "100" not in folder else card / folder
        photograph(place / f"RCNX{number}.JPG")
    for reporter in (f"{card}/{folder}", folder, "."):
        monkeypatch.chdir(card if reporter == folder else card / folder)
        result = CliRunner().invoke(app, [verb, reporter, "--station", "ridge", "--spool", str(card / "s"), "--once"])
        assert isinstance(result.exception, SettingsError)
        assert "with --camera" in str(result.exception)


@pytest.mark.parametrize("inside", ["DCIM/100RECNX", "Dcim/100RECNX", "101RECNX", "999_FUJI"])
def test_a_folder_that_contains_card_folders_is_a_card(card: Path, inside: str) -> None:
    photograph(card / inside / "1.JPG")
    result = CliRunner().invoke(app, ["card", str(card), "--station", "ridge"])
    assert "with --camera" in str(result.exception)


def test_a_link_to_a_card_folder_is_recognised(card: Path, tmp_path: Path) -> None:
    photograph(card / "DCIM" / "100RECNX" / "1.JPG")
    (tmp_path / "north").symlink_to(card / "DCIM")
    result = CliRunner().invoke(app, ["card", str(tmp_path / "north"), "--station", "ridge"])
    assert "with --camera" in str(result.exception)


def test_a_watched_folder_of_a_card_is_ignored_until_its_camera_is_named(card: Path, tmp_path: Path) -> None:
    photograph(card / "100RECNX" / "1.JPG")
    store = FakeStore()
    summary = run(card, tmp_path / "s", store)
    assert (summary.ignored, summary.complete, store.objects) == (1, False, {})
    assert run(card, tmp_path / "s", store, camera="north").uploaded == 1


def test_skipped_files_are_counted_by_kind_without_system_files(card: Path, tmp_path: Path) -> None:
    for name, content in FILMED.items():
        photograph(card / name, content)
    summary = run(card, tmp_path / "s", FakeStore(), camera="cam")
    assert summary.complete
    assert summary.left == {"film": 2, "HEIC": 1, "text or table": 1, "unfinished transfer": 1}
    assert summary.sentence("on the card") == (
        "1 uploaded, 0 duplicates; left on the card: 2 videos, 1 HEIC, 1 text or table, 1 unfinished transfer"
    )
    assert read_status(tmp_path / "s").left == summary.left == asdict(summary)["left"]


def test_the_status_lists_skipped_files(card: Path, tmp_path: Path) -> None:
    for name, content in FILMED.items():
        photograph(card / name, content)
    run(card, tmp_path / "s", FakeStore(), camera="cam")
    shown = CliRunner().invoke(app, ["status", "--spool", str(tmp_path / "s")]).output
    assert "not uploaded: 2 videos, 1 HEIC" in shown
    (reporter,) = json.loads(CliRunner().invoke(app, ["status", "--spool", str(tmp_path / "s"), "--json"]).output)
    assert reporter["left"]["film"] == 2


def test_skipped_files_are_named_at_the_end(card: Path, tmp_path: Path) -> None:
    for name, content in FILMED.items():
        photograph(card / name, content)
    reporter = RecordingReporter()
    run(card, tmp_path / "s", FakeStore(), reporter, camera="cam", location="on the card")
    films, *others = reporter.of("skipped")
    assert (films["kind"], films["count"]) == ("film", 2)
    assert films["paths"] == ["DCIM/100EK113/EK000002.MP4", "DCIM/100EK113/EK000003.AVI"]
    assert films["text"] == (
        "left on the card: 2 videos; upload them with --videos: DCIM/100EK113/EK000002.MP4, DCIM/100EK113/EK000003.AVI"
    )
    assert [line["text"] for line in others] == [
        "left on the card: 1 HEIC: DCIM/100EK113/EK000004.HEIC",
        "left on the card: 1 text or table: settings.txt",
        "left on the card: 1 unfinished transfer: IMG_1.JPG.part",
    ]


def test_files_of_an_unknown_kind_are_named_up_to_a_limit(card: Path, tmp_path: Path) -> None:
    for number in range(120):
        photograph(card / f"{number:03}.xyz", "?")
    reporter = RecordingReporter()
    summary = run(card, tmp_path / "s", FakeStore(), reporter, camera="cam")
    (line,) = reporter.of("skipped")
    assert (line["kind"], line["count"], len(line["paths"])) == ("other file", 120, 100)
    assert line["text"].endswith("008.xyz, 009.xyz and 110 more")
    assert "120 other files" in summary.sentence()


@pytest.mark.parametrize("root", ["", "DCIM"], ids=["the root of the card", "its DCIM"])
def test_both_the_root_and_the_dcim_of_a_card_are_one_camera(card: Path, tmp_path: Path, root: str) -> None:
    for folder, first in (("100RECNX", 9998), ("101RECNX", 1)):
        for number in (first, first + 1):
            photograph(card / "DCIM" / folder / f"RCNX{number:04}.JPG", f"{folder} {number}")
    store = FakeStore()
    assert run(card / root, tmp_path / "s", store, camera="north").uploaded == 4
    assert {key.split("/")[1] for key in store.objects} == {"north"}


def test_the_sentence_counts_kinds_by_frequency() -> None:
    assert count_sentence({"film": 1, "picture of another format": 1200, "HEIC": 2}) == (
        "1,200 images in other formats, 2 HEIC, 1 video"
    )


def test_a_card_with_videos_only_is_complete(card: Path, tmp_path: Path) -> None:
    photograph(card / "DCIM" / "100EK113" / "1.MP4")
    assert run(card, tmp_path / "s", FakeStore(), camera="c").sentence("on the card") == (
        "0 uploaded, 0 duplicates; left on the card: 1 video"
    )


def test_two_unicode_forms_of_a_name_are_one_camera(card: Path, tmp_path: Path) -> None:
    photograph(card / "ho\u0308he" / "1.JPG", "one")
    photograph(card / "h\u00f6he" / "2.JPG", "two")
    store = FakeStore()
    run(card, tmp_path / "s", store)
    assert {key.split("/")[1] for key in store.objects} == {"h\u00f6he"}
