"""Makes the page: the comparison comes on standard input."""

import json
import sys
from pathlib import Path

import typer

from uncia.dashboard.contact_sheet.page import write_page
from uncia.dashboard.contact_sheet.thumbnails import stored_pictures
from uncia.dashboard.replay_diff.page import render
from uncia.errors import UnciaError
from uncia.settings import settings


def main(output: Path = typer.Option(..., "--output", "-o", help="Where the page goes.")) -> None:
    """Write the page."""
    write_page(output, render(json.load(sys.stdin), stored_pictures(settings())))


if __name__ == "__main__":
    try:
        typer.run(main)
    except UnciaError as error:
        sys.exit(f"uncia: {error}")
