"""The accounts of cameras."""

import stat
from pathlib import Path

import pytest

from uncia.errors import SettingsError, UnciaError
from uncia.producers.mailroom.accounts import Accounts
from uncia.producers.mailroom.camera_secrets import hash_password, is_password


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path / "accounts.json")


def test_a_camera_signs_in_with_the_password_that_was_shown_once(accounts: Accounts) -> None:
    added = accounts.add("ridge", "north")
    assert accounts.check(added.account.user, added.password) == added.account
    assert accounts.check(added.account.user, added.password) == added.account  # from memory
    assert accounts.check(added.account.user, added.password + "x") is None
    assert accounts.check("nobody", added.password) is None


def test_the_file_holds_no_secret_and_only_its_owner_reads_it(accounts: Accounts) -> None:
    added = accounts.add("ridge", "north")
    text = accounts.path.read_text(encoding="utf-8")
    assert added.password not in text
    assert added.address not in text
    assert stat.S_IMODE(accounts.path.stat().st_mode) == 0o600


def test_mail_finds_its_camera_by_the_local_part_alone(accounts: Accounts) -> None:
    added = accounts.add("ridge", "north")
    for address in (added.address, f"{added.address.upper()}@example.org"):
        assert accounts.find_address(address) == added.account
    assert accounts.find_address("north@example.org") is None


def test_changes_by_another_process_take_effect(accounts: Accounts) -> None:
    added = accounts.add("ridge", "north")
    other = Accounts(accounts.path)
    assert other.check(added.account.user, added.password) == added.account
    accounts.remove("ridge", "north")
    assert other.check(added.account.user, added.password) is None
    again = accounts.add("ridge", "north")
    assert other.check(added.account.user, added.password) is None
    assert other.check(added.account.user, again.password) == again.account


def test_a_camera_has_one_account(accounts: Accounts) -> None:
    accounts.add("ridge", "north")
    with pytest.raises(SettingsError, match="has an account"):
        accounts.add("ridge", "north")


def test_user_names_differ_and_fit_into_the_menu_of_a_camera(accounts: Accounts) -> None:
    cameras = [
        ("ridge", "Überwachung am großen Wasserloch"),
        ("valley", "Überwachung am großen Wasserloch"),
        ("a", "雪"),
    ]
    users = [accounts.add(*camera).account.user for camera in cameras]
    assert users == ["uberwachung-am-g", "uberwachung-am-2", "camera"]


@pytest.mark.parametrize(("station", "camera"), [("a/b", "c"), ("a", "../c"), ("a", ".."), ("a", "DCIM"), ("", "c")])
def test_names_that_could_not_be_part_of_a_key_are_refused(accounts: Accounts, station: str, camera: str) -> None:
    with pytest.raises(SettingsError):
        accounts.add(station, camera)


def test_removing_an_unknown_camera_is_an_error(accounts: Accounts) -> None:
    with pytest.raises(SettingsError, match="has no account"):
        accounts.remove("ridge", "north")


@pytest.mark.parametrize("text", ["", "{}", '{"version": 2, "accounts": []}', '{"version": 1, "accounts": [{}]}'])
def test_a_damaged_file_is_an_error_and_not_an_empty_list(accounts: Accounts, text: str) -> None:
    accounts.path.write_text(text, encoding="utf-8")
    with pytest.raises(UnciaError, match="cannot read the accounts"):
        accounts.all()


def test_equal_passwords_have_different_hashes() -> None:
    assert hash_password("a") != hash_password("a")
    assert is_password("a", hash_password("a"))


@pytest.mark.parametrize("hashed", ["", "a", "scrypt$1$2$3", "md5$16384,8,1$AAAA$AAAA"])
def test_text_that_is_no_hash_accepts_no_password(hashed: str) -> None:
    assert not is_password("a", hashed)
