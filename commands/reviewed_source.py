"""`catalogue` as the source of training: the reviewed bursts, written as a dataset next to their photographs."""

import hashlib
from pathlib import Path

from uncia.errors import UnciaError
from uncia.settings import Settings, settings
from uncia.storage.process_lock import exclusive
from uncia.terminal import echo
from uncia.training.progress import progress_bar

CATALOGUE = "catalogue"
"""The name that stands for the catalogue, where there is no file or folder of this name."""


def training_source(source: Path, *, boxes: bool = False, named_only: bool = False, quiet: bool = False) -> Path:
    """The path that a command reads: the source itself, or for `catalogue` the reviewed photographs in a folder.

    `boxes`: the COCO file with every box instead of the folder with its table. Raises `UnciaError`.
    """
    if str(source) != CATALOGUE or source.exists():
        return source
    config = settings()
    folder = _folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(
        folder / "lock", UnciaError("another command is reading the reviewed photographs of this catalogue")
    ):
        write_reviewed_photographs(config, folder, named_only=named_only, quiet=quiet)
    from uncia.dashboard.exports.reviewed import BOXES_FILE

    return folder / BOXES_FILE if boxes else folder


def write_reviewed_photographs(
    config: Settings, folder: Path, *, named_only: bool = False, with_people: bool = False, quiet: bool = False
) -> None:
    """Write the dataset into a folder and say on standard error what was left out. Raises `UnciaError`."""
    from uncia.commands.export import photographs_from_store
    from uncia.dashboard.catalogue.database import catalogue_url, open_database
    from uncia.dashboard.catalogue.filters import BurstFilter
    from uncia.dashboard.catalogue.schema import check_current
    from uncia.dashboard.exports.reading import ExportSource
    from uncia.dashboard.exports.reviewed import write_reviewed

    engine = open_database(catalogue_url(config), read_only=True)
    check_current(engine)
    with (
        ExportSource(engine, BurstFilter(reviewed=True)) as reviewed,
        progress_bar("reading reviewed photographs", shown=not quiet) as progress,
    ):
        total = reviewed.total()
        written = write_reviewed(
            folder,
            reviewed.bursts(),
            photographs_from_store(config),
            named_only=named_only,
            with_people=with_people,
            progress=lambda done: progress(done, total),
        )
    if not quiet:
        echo(f"{folder}: {written.photographs:,} photographs of {written.bursts:,} reviewed bursts", err=True)
        for reason, count in sorted(written.left_out.items()):
            echo(f"left out: {count:,} {reason}", err=True)
    if not written.photographs:
        raise UnciaError(
            "no photograph of a reviewed burst can be used: review bursts in the dashboard first"
            if not written.left_out
            else "no photograph of a reviewed burst can be used: " + ", ".join(sorted(written.left_out))
        )


def _folder(config: Settings) -> Path:
    from uncia.dashboard.catalogue.database import catalogue_url

    # Without the password, which may change.
    name = catalogue_url(config).render_as_string(hide_password=True)
    return Path(".local/reviewed") / hashlib.sha256(name.encode()).hexdigest()[:12]
