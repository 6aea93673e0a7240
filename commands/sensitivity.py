"""`uncia sensitivity`: list the levels of taxa, and check a table of them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.taxonomy import Taxonomy
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(no_args_is_help=True, help="List the levels of sensitivity of taxa, and check a table of them.")

_PIPE_WIDTH = 200


@app.command("list")
def list_levels(
    taxon: Annotated[str, typer.Argument(help="Only the level of this taxon, as listed or inherited.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the taxa whose places are sensitive: the table of the package, or that of UNCIA_SENSITIVE_TAXA."""
    config = settings()
    taxa = SensitiveTaxa.load(config.sensitive_taxa, Taxonomy.load(config.taxonomy_file))
    levels = {taxon: taxa.of(taxon)} if taxon else taxa.listed
    if as_json:
        echo_json([{"taxon": name, "sensitivity": level.value} for name, level in levels.items()])
        return
    table = Table(Column("taxon", overflow="fold"), Column("called", overflow="fold"), "sensitivity")
    for name, level in levels.items():
        label = taxa.taxonomy.label(name)
        table.add_row(name, label if label != name else "", level.value)
    plain_console(width=_PIPE_WIDTH).print(table)


@app.command()
def check(file: Annotated[Path, typer.Argument(help="Table with the columns taxon and sensitivity.")]) -> None:
    """Check a table of taxa. A mistake is named with its line and column."""
    taxa = SensitiveTaxa.load(file, Taxonomy.load(settings().taxonomy_file))
    for name in taxa.unknown():
        echo(f"note: {name} is not in the taxonomy, nor is its genus: its names in other ranks are not recognised")
    count = len(taxa.listed)
    echo(f"{file}: {count} {'taxon' if count == 1 else 'taxa'}, no mistake")
