"""`uncia models fetch`: models from their publishers, for stations and offices that have the internet."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
from rich.table import Table

from uncia.commands.model_options import Json, Repository, settings_with
from uncia.commands.models_release import report_installed
from uncia.terminal import echo, echo_json, plain_console
from uncia.triton_models.fetching.catalogue import PublishedModel, find_model, published_models, read_catalogue
from uncia.triton_models.fetching.fetching import Consent, check_licence, describe, fetch_file, make_package
from uncia.triton_models.releases.installation import install

app = typer.Typer()


@app.command("fetch")
def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME[/VARIANT]", help="megadetector-v6 or speciesnet; without, list all.")
    ] = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence without a question.")
    ] = False,
    accept_agpl: Annotated[bool, typer.Option("--accept-agpl", help="Permit variants under AGPL-3.0.")] = False,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Open files that contain a program of their publisher (SpeciesNet).")
    ] = False,
    file: Annotated[Path | None, typer.Option(help="Use this file, which was downloaded before.")] = None,
    out: Annotated[Path | None, typer.Option(help="Only write the package to this folder; install nothing.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Another table of published models.", show_default="of this version")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for downloaded files.", show_default="`fetched` next to the repository")
    ] = None,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Download a published model, convert it, check it, and install it. An interrupted download is resumed."""
    models = read_catalogue(table) if table else published_models()
    if not name:
        _list(models, as_json=as_json)
        return
    chosen = settings_with(repository)
    entry = find_model(name, models)
    if not as_json:
        echo(describe(entry), lines=True)
    consent = Consent(accept_licence, accept_agpl, trust_code)
    check_licence(entry, consent, _ask if sys.stdin.isatty() and not as_json else None)
    folder = cache or chosen.model_repository.parent / "fetched"
    with _progress(entry.file, shown=not as_json) as progress:
        fetched = fetch_file(entry, folder, file=file, progress=progress)
    if fetched.newly_pinned and not as_json:
        echo(
            f"The publisher states no checksum: SHA-256 {fetched.sha256} is pinned, and later downloads must equal it."
        )
    with tempfile.TemporaryDirectory(prefix="uncia-fetch-") as temporary:
        package = make_package(entry, fetched, out or Path(temporary) / "package", consent)
        if out is not None:
            if as_json:
                echo_json({"package": str(out), "sha256": fetched.sha256})
            else:
                echo(f"Package written: {out}")
            return
        card = install(package, chosen.model_repository)
    report_installed(card.model, card.version, chosen, as_json=as_json)


def _list(models: tuple[PublishedModel, ...], *, as_json: bool) -> None:
    if as_json:
        echo_json([entry.model_dump(mode="json") for entry in models])
        return
    table = Table("model", "licence", "MB", "network")
    for entry in models:
        default = " (default)" if entry.default else ""
        table.add_row(f"{entry.full_name}{default}", entry.licence, str(entry.megabytes), entry.architecture)
    plain_console().print(table)


def _ask() -> bool:
    return typer.confirm("Accept this licence and download?", default=False)


@contextmanager
def _progress(name: str, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a download on standard error: a bar on a terminal, a line each tenth elsewhere."""
    console = plain_console(stderr=True, quiet=not shown, highlight=False)
    if console.is_terminal:
        with Progress(BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console, transient=True) as bar:
            task = bar.add_task(name, total=None)
            yield lambda have, size: bar.update(task, completed=have, total=size or None)
        return
    tenths = [0]

    def report(have: int, size: int) -> None:
        if size and have * 10 // size > tenths[0]:
            tenths[0] = have * 10 // size
            console.print(f"{name}: {have / 1e6:,.0f} of {size / 1e6:,.0f} MB")

    yield report
