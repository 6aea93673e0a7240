"""Pseudonyms of cameras' serial numbers, for what leaves the private tier.

A serial number leads to the buyer of a camera, and so to a place. Outside stands a keyed hash of it (HMAC-SHA256, RFC
2104): the same camera has the same pseudonym in every export of one installation, so that photographs of one body can
still be grouped, and two installations cannot compare their lists. The key is needed because serial numbers are few
and regular: a hash without one is inverted by trying them all.
"""

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from uncia.errors import SettingsError
from uncia.settings import Settings, stack_dir
from uncia.storage.durable import sync_folder

__all__ = ["KEY_FILE", "SerialPseudonyms"]

KEY_FILE = "pseudonyms.key"
_LEAST_LETTERS = 32
_LETTERS = 12
"""60 bits: among a million cameras two have one pseudonym with a probability of 4 in ten million."""


class SerialPseudonyms:
    """Replaces serial numbers of one installation. Thread-safe. The key is read when it is first needed."""

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        """With the key of the settings, else that of the stack's folder, which is drawn there when it is missing."""
        self._settings, self._folder = settings, folder

    def __call__(self, serial: str) -> str:
        """`body-` and 12 letters and digits; the same for the same serial number, without blanks around it.

        Raises `SettingsError` where the key is too short, or its file can be neither read nor written.
        """
        digest = hmac.digest(self._key, b"serial number\0" + serial.strip(" \0").encode(), hashlib.sha256)
        return "body-" + base64.b32encode(digest)[:_LETTERS].decode().lower()

    @cached_property
    def _key(self) -> bytes:
        given = self._settings.pseudonym_key
        key = (
            given.get_secret_value().strip()
            if given is not None
            else _key_in(self._folder or _folder_of(self._settings))
        )
        if len(key) < _LEAST_LETTERS:
            raise SettingsError(f"the key for pseudonyms of serial numbers has fewer than {_LEAST_LETTERS} characters")
        return key.encode()


def _folder_of(settings: Settings) -> Path:
    """That of the stack; without one, as in a container, that of the dashboard's own files, which is writable there."""
    stack = stack_dir()
    return stack if (stack / "stack.env").exists() else settings.dashboard_dir or stack


def _key_in(folder: Path) -> str:
    path = folder / KEY_FILE
    try:
        with suppress(FileNotFoundError):
            return path.read_text(encoding="ascii").strip()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        staging = folder / f".{KEY_FILE}.{os.getpid()}-{secrets.token_hex(4)}"
        file = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, secrets.token_hex(32).encode() + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
        try:
            # A link fails where another process was first: both then use its key.
            with suppress(FileExistsError):
                os.link(staging, path)
            sync_folder(folder)
        finally:
            staging.unlink()
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the key for pseudonyms of serial numbers, {path}, cannot be read or written ({error}): set "
            "UNCIA_PSEUDONYM_KEY"
        ) from error
