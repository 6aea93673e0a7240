"""Generated documentation: written, or compared with what is committed."""

from collections.abc import Mapping
from pathlib import Path

import typer

from uncia.terminal import echo


def write_or_check(files: Mapping[Path, str], *, check: bool, command: str) -> None:
    """Write each file; with `check`, only name the files that differ and exit, with status 1 if there are any.

    `command` is what a person types to write the files.
    """
    if check:
        stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        for path in stale:
            echo(f"{path} is out of date: run `{command}`", err=True)
        raise typer.Exit(1 if stale else 0)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
