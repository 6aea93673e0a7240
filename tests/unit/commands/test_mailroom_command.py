"""`uncia mailroom` on the command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uncia.commands.mailroom import app
from uncia.errors import SettingsError
from uncia.producers.mailroom.accounts import Accounts
from uncia.producers.mailroom.config import MailroomConfig
from uncia.settings import read_settings, settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("UNCIA_MAILROOM_DIR", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def test_the_secrets_of_a_camera_are_printed_once(folder: Path) -> None:
    added = json.loads(CliRunner().invoke(app, ["add", "ridge", "north", "--json"]).output)
    account = Accounts(folder / "accounts.json").check(added["user"], added["password"])
    assert account is not None
    assert (account.station, account.camera) == ("ridge", "north")
    for arguments in (["list"], ["list", "--json"]):
        output = CliRunner().invoke(app, arguments).output
        assert "north" in output
        assert added["password"] not in output
        assert added["address"] not in output


def test_an_account_is_removed(folder: Path) -> None:
    CliRunner().invoke(app, ["add", "ridge", "north"])
    assert CliRunner().invoke(app, ["remove", "ridge", "north"]).exit_code == 0
    assert Accounts(folder / "accounts.json").all() == ()
    assert "no accounts yet" in CliRunner().invoke(app, ["list"]).output


@pytest.mark.parametrize("ports", ["50000-49000", "80-90", "50000-70000", "a-b", "1000"])
def test_a_wrong_range_of_ports_is_refused(monkeypatch: pytest.MonkeyPatch, ports: str) -> None:
    monkeypatch.setenv("UNCIA_MAILROOM_FTP_PASSIVE_PORTS", ports)
    with pytest.raises(SettingsError, match="UNCIA_MAILROOM_FTP_PASSIVE_PORTS"):
        MailroomConfig.from_settings(read_settings())


def test_the_mailroom_listens_on_the_own_machine_and_encrypts_by_default() -> None:
    config = MailroomConfig.from_settings(read_settings())
    assert (config.host, config.plain_ftp, config.plain_smtp) == ("127.0.0.1", False, False)
