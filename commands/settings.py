"""`uncia settings`: show the settings in force, write their documentation."""

import json
from pathlib import Path

import typer
from rich.table import Table

from uncia.reference.generated_files import write_or_check
from uncia.reference.settings_page import settings_in_force, settings_page
from uncia.settings import settings
from uncia.terminal import echo_json, plain_console

app = typer.Typer(help="Show the settings in force; write their documentation.", no_args_is_help=True)


@app.command()
def show(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Print the settings of a process started here; secrets are never printed."""
    values = settings_in_force(settings())
    if as_json:
        echo_json(values)
        return
    table = Table("variable")
    table.add_column("value", overflow="fold")
    for variable, value in values.items():
        table.add_row(variable, "" if value is None else value if isinstance(value, str) else json.dumps(value))
    plain_console().print(table)


@app.command()
def docs(
    folder: Path = typer.Option(Path("docs"), help="Folder of settings.md."),
    check: bool = typer.Option(False, "--check", help="Write nothing; exit with status 1 when it is out of date."),
) -> None:
    """Write docs/settings.md from the settings model."""
    write_or_check({folder / "settings.md": settings_page()}, check=check, command="uncia settings docs")
