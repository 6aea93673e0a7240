"""Makes the page: the comparison comes on standard input."""

import json
import sys
from pathlib import Path

import typer

from dashboard.contact_sheet.thumbnails import thumbnail
from dashboard.replay_diff.page import render
from uncia.errors import PermanentError, UnciaError
from uncia.object_store import ObjectStore
from uncia.settings import settings


def main(output: Path = typer.Option(..., "--output", "-o", help="Where the page goes.")) -> None:
    """Write the page."""
    config = settings()
    store = ObjectStore(config)
    limit = config.max_object_mb * 1_000_000

    def load(bucket: str, key: str) -> str | None:
        try:
            return thumbnail(store.get(bucket, key, max_bytes=limit))
        except PermanentError:
            return None

    page = render(json.load(sys.stdin), load)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UnciaError(f"cannot write {output}: {error.strerror}; choose another place with --output") from error


if __name__ == "__main__":
    try:
        typer.run(main)
    except UnciaError as error:
        sys.exit(f"uncia: {error}")
