"""`uncia keys position-pair` and `open-position`: for the positions that gateways remove from photographs."""

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from uncia import ids
from uncia.audit import AuditLog, audit_file
from uncia.errors import UnciaError
from uncia.sealed_positions import METADATA_NAME, PositionPrivateKey
from uncia.settings import settings, stack_dir
from uncia.storage.object_store import ObjectStore
from uncia.terminal import echo, echo_json

__all__ = ["open_position", "position_pair"]

_KeyFile = Annotated[Path, typer.Argument(help="File of the private key. Keep it away from the stack and its backups.")]


def position_pair(file: _KeyFile) -> None:
    """Make a key pair for sealed positions: write the private key to a new file, and print the public one.

    The public key is the setting UNCIA_POSITION_KEY of gateways. Without the private key no position can be read.
    """
    key = PositionPrivateKey.generate()
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(key.text + "\n")
            opened.flush()
            os.fsync(opened.fileno())
    except FileExistsError as error:
        raise UnciaError(f"{file} exists: a key that was replaced could open nothing any more") from error
    except OSError as error:
        raise UnciaError(f"{file} could not be written: {error.strerror}") from error
    echo(f"UNCIA_POSITION_KEY={key.public_text}")


def open_position(
    photograph: Annotated[str, typer.Argument(metavar="KEY", help="Key of the photograph in the store.")],
    file: _KeyFile,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print the position that a gateway removed from a photograph. Recorded in the audit log."""
    try:
        key = PositionPrivateKey(file.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnciaError(f"the private key {file} cannot be read ({error})") from error
    config = settings()
    store = ObjectStore(config)
    content = store.read(config.bucket, photograph, max_bytes=config.max_object_mb * 1_048_576)
    sealed = store.metadata(config.bucket, photograph).get(METADATA_NAME)
    if sealed is None:
        raise UnciaError(
            f"{photograph} has no sealed position: none was in it, or its gateway does not remove positions"
        )
    camera = "/".join(photograph.split("/")[:2])
    position = key.open(sealed, camera=camera, sha256=ids.content_hash(content.data))
    AuditLog(audit_file(stack_dir())).record("position_opened", getpass.getuser(), photograph)
    if as_json:
        echo_json(position)
    else:
        for name, value in position.items():
            echo(f"{name}: {value}")
