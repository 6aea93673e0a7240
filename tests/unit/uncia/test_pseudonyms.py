"""Pseudonyms of serial numbers: the same within an installation, others elsewhere, and not to be inverted by trying."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uncia.errors import SettingsError
from uncia.pseudonyms import KEY_FILE, SerialPseudonyms
from uncia.settings import Settings


def test_a_serial_number_has_one_pseudonym_in_an_installation_and_another_elsewhere(tmp_path: Path) -> None:
    here = SerialPseudonyms(Settings(), tmp_path / "a")("H2RX0815")
    assert here.startswith("body-") and len(here) == 17 and "0815" not in here
    assert SerialPseudonyms(Settings(), tmp_path / "a")(" H2RX0815\0") == here
    assert SerialPseudonyms(Settings(), tmp_path / "a")("H2RX0816") != here
    assert SerialPseudonyms(Settings(), tmp_path / "b")("H2RX0815") != here


def test_the_key_is_drawn_once_and_its_owner_alone_reads_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(lambda _: SerialPseudonyms(Settings(), tmp_path)("A"), range(64)))
    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_a_given_key_makes_two_machines_agree(tmp_path: Path) -> None:
    given = Settings(pseudonym_key="k" * 40)
    assert SerialPseudonyms(given, tmp_path / "a")("A") == SerialPseudonyms(given, tmp_path / "b")("A")
    assert not (tmp_path / "a").exists()


def test_a_short_key_or_a_folder_that_cannot_be_written_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="32 characters"):
        SerialPseudonyms(Settings(pseudonym_key="short"), tmp_path)("A")
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="UNCIA_PSEUDONYM_KEY"):
        SerialPseudonyms(Settings(), tmp_path / "file")("A")


def test_in_a_container_the_key_is_among_the_files_of_the_dashboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path / "absent"))
    SerialPseudonyms(Settings(dashboard_dir=tmp_path / "dashboard"))("A")
    assert (tmp_path / "dashboard" / KEY_FILE).exists()
    assert not (tmp_path / "absent").exists()
