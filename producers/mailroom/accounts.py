"""The accounts of the mailroom: one per camera, in one JSON file that is readable by its owner only."""

import hashlib
import hmac
import re
import secrets
import threading
import unicodedata
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from uncia.camtrap.names import canonical_name, is_card_folder
from uncia.errors import SettingsError, UnciaError
from uncia.producers.gateway.object_names import checked_name
from uncia.producers.mailroom.camera_secrets import draw_secret, hash_address, hash_password, is_password
from uncia.producers.mailroom.private_file import changing, parse_document, write_document

__all__ = ["Account", "Accounts", "NewAccount"]

_MAX_USER_LENGTH = 16


@dataclass(frozen=True)
class Account:
    """The account of one camera. Holds hashes, no secrets."""

    user: str
    password_hash: str
    address_hash: str
    """Of the local part of the camera's mail address."""
    station: str
    camera: str
    added_at: str


@dataclass(frozen=True)
class NewAccount:
    """An account that was just added, with its secrets, which are stored nowhere."""

    account: Account
    password: str
    address: str
    """The local part of the mail address."""


class Accounts:
    """The accounts in a file. Changes by other processes take effect at the next look-up. Safe for several threads.

    Every method raises `UnciaError` when the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._accounts: tuple[Account, ...] = ()
        self._key = secrets.token_bytes(32)
        self._verified: dict[str, bytes] = {}
        self._unknown = hash_password(draw_secret())

    def all(self) -> tuple[Account, ...]:
        """All accounts, by station and camera."""
        with self._guard:
            try:
                found = self.path.stat()
                stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
                if stamp != self._stamp:
                    self._accounts = _parse(self.path.read_text(encoding="utf-8"))
                    self._stamp = stamp
            except FileNotFoundError:
                self._accounts, self._stamp = (), None
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise UnciaError(f"cannot read the accounts in {self.path} ({error})") from error
            return self._accounts

    def find(self, user: str) -> Account | None:
        """The account with this user name."""
        return next((account for account in self.all() if account.user == user), None)

    def check(self, user: str, password: str) -> Account | None:
        """The account with this user name and password; None where one of them is wrong.

        A password that was correct is recognised without scrypt, so that cameras that sign in for every photograph
        cost no CPU time. An unknown user takes as long as a wrong password.
        """
        account = self.find(user)
        if account is None:
            is_password(password, self._unknown)
            return None
        digest = hmac.new(self._key, f"{account.password_hash} {password}".encode(errors="replace"), hashlib.sha256)
        verified = self._verified.get(user)
        if verified is not None and hmac.compare_digest(verified, digest.digest()):
            return account
        if not is_password(password, account.password_hash):
            return None
        self._verified[user] = digest.digest()
        return account

    def find_address(self, address: str) -> Account | None:
        """The account that receives mail to this address, of which only the local part counts."""
        wanted = hash_address(address.rpartition("@")[0] or address)
        return next((account for account in self.all() if hmac.compare_digest(account.address_hash, wanted)), None)

    def add(self, station: str, camera: str) -> NewAccount:
        """Add the account of a camera. Raises `SettingsError` for an invalid name, or when the camera has one."""
        station, camera = checked_name(station, "station"), checked_name(camera, "camera")
        if is_card_folder(camera):
            raise SettingsError(f"{camera} is a folder of a memory card and not the name of a camera")
        with changing(self.path):
            accounts = self.all()
            if any((account.station, account.camera) == (station, camera) for account in accounts):
                raise SettingsError(
                    f"{station}/{camera} has an account: `uncia mailroom remove {station} {camera}` removes it, "
                    "and its password and address with it"
                )
            password, address = draw_secret(), draw_secret()
            account = Account(
                user=_new_user(camera, {account.user for account in accounts}),
                password_hash=hash_password(password),
                address_hash=hash_address(address),
                station=station,
                camera=camera,
                added_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            self._write((*accounts, account))
        return NewAccount(account, password, address)

    def remove(self, station: str, camera: str) -> Account:
        """Remove the account of a camera. Raises `SettingsError` where it has none."""
        # An account whose station could no longer be called so can be removed.
        station, camera = canonical_name(station), canonical_name(camera)
        with changing(self.path):
            accounts = self.all()
            for account in accounts:
                if (account.station, account.camera) == (station, camera):
                    self._write(tuple(other for other in accounts if other is not account))
                    return account
        raise SettingsError(f"{station}/{camera} has no account: `uncia mailroom list` shows those that exist")

    def _write(self, accounts: tuple[Account, ...]) -> None:
        ordered = sorted(accounts, key=lambda account: (account.station, account.camera))
        write_document(self.path, {"accounts": [asdict(account) for account in ordered]})


def _parse(text: str) -> tuple[Account, ...]:
    document = parse_document(text)
    return tuple(Account(**fields) for fields in document["accounts"])


def _new_user(camera: str, taken: set[str]) -> str:
    """A user name that every camera can hold: up to 16 lower-case letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", camera).encode("ascii", "ignore").decode("ascii").lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "camera"
    user, number = stem[:_MAX_USER_LENGTH].strip("-"), 1
    while user in taken:
        number += 1
        ending = f"-{number}"
        user = stem[: _MAX_USER_LENGTH - len(ending)].strip("-") + ending
    return user
