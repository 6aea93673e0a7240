"""A JSON file of the mailroom with secrets or hashes: readable by its owner only, changed by one process at a time."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from uncia.errors import UnciaError
from uncia.producers.gateway.spool_database import create_folder_durably
from uncia.storage.durable import write_durably
from uncia.storage.process_lock import exclusive

__all__ = ["changing", "parse_document", "write_document"]

_VERSION = 1


def changing(path: Path) -> AbstractContextManager[None]:
    """Hold the lock of a file for one change. Raises `UnciaError` where another process holds it."""
    create_folder_durably(path.parent)
    refusal = UnciaError(f"another process changes {path}: run the command again")
    return exclusive(path.with_name(path.name + ".lock"), refusal)


def write_document(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file durably. Raises `UnciaError`."""
    document = {"version": _VERSION, **content}
    try:
        write_durably(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n", mode=0o600)
    except OSError as error:
        raise UnciaError(f"cannot write {path} ({error.strerror})") from error


def parse_document(text: str) -> Any:
    """The content of a file. Raises `ValueError` for one of another version, and as JSON and a mapping do."""
    document = json.loads(text)
    if document["version"] != _VERSION:
        raise ValueError(f"version {document['version']}; this Uncia reads {_VERSION}")
    return document
