"""Names that no station can have: the system itself stores objects below them. Wherever a station is named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uncia.commands.gateway import app
from uncia.errors import SettingsError
from uncia.identities import gateway_identity, uploader_identity
from uncia.producers.mailroom.accounts import Accounts
from uncia.producers.mailroom.mailboxes import Mailboxes


def watch(station: str, folder: Path) -> None:
    """Start a gateway by its command, and raise what it raises."""
    done = CliRunner().invoke(app, ["watch", str(folder), "--station", station, "--once"])
    if done.exception is not None:
        raise done.exception


def add_mailbox(station: str, folder: Path) -> None:
    Mailboxes(folder / "mailboxes.json").add(
        "box", "imap", "mail.example.org", "user", "password", station=station, camera="north"
    )


PLACES: dict[str, Callable[[str, Path], object]] = {
    "a gateway": watch,
    "the key of a gateway": lambda station, _: gateway_identity(station),
    "the key of an uploader": lambda station, _: uploader_identity(station),
    "the account of a camera": lambda station, folder: Accounts(folder / "accounts.json").add(station, "north"),
    "a mailbox": add_mailbox,
}

RESERVED = {
    "crops": "holds crops",
    "explanations": "holds heat maps",
    "individuals": "holds descriptions of crops",
    "spectrograms": "holds spectrograms",
    "status": "holds status reports",
    "fetch": "holds lists of requested photographs",
    " crops ": "holds crops",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("station", RESERVED)
def test_no_station_is_called_as_a_prefix_of_the_system(station: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=RESERVED[station]):
        PLACES[place](station, tmp_path)


@pytest.mark.parametrize("station", ["crops-2", "Crops", "individual", "status 1"])
def test_a_name_that_only_resembles_one_is_a_station(station: str, tmp_path: Path) -> None:
    assert Accounts(tmp_path / "accounts.json").add(station, "crops").account.station == station
    assert gateway_identity(station) != uploader_identity(station)
