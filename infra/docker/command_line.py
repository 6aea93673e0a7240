"""How the commands of the containers that prepare the others report their errors."""

import sys

import typer

from uncia.errors import UnciaError

__all__ = ["run"]


def run(app: typer.Typer) -> None:
    """Run a command; exit status 1 and a sentence on standard error where it fails."""
    try:
        app()
    except UnciaError as error:
        sys.exit(str(error))
