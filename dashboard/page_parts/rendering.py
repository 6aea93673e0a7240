"""Renders self-contained HTML pages with Jinja: embedded images, no scripts, no external resources."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from uncia.errors import UnciaError
from uncia.terminal import printable_in_html


def render_page(folder: Path, **values: Any) -> str:
    """Render `page.html.j2` of a folder, which extends `base.html.j2` of this package.

    HTML in values is escaped, and so are control characters: keys and labels come from outside.
    """
    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        finalize=printable_in_html,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return environment.get_template("page.html.j2").render(made=made, **values)


def write_page(path: Path, page: str) -> None:
    """Write a page and create the folder of `path` if necessary. Raises `UnciaError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UnciaError(f"cannot write {path}: {error.strerror}; choose another file with --output") from error
