"""`uncia settings`: show the settings in force, write their documentation."""

import json
from pathlib import Path

import typer
from rich.table import Table

from uncia.reference import settings_page as settings_docs
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(help="Show the settings in force; write their documentation.", no_args_is_help=True)


@app.command()
def show(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Print what a process started here would use. Secrets are never printed."""
    values = settings_docs.settings_in_force(settings())
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
    folder: Path = typer.Option(Path("docs"), help="Where settings.md goes."),
    check: bool = typer.Option(False, "--check", help="Write nothing; exit with status 1 when it is out of date."),
) -> None:
    """Write the settings page from the settings model."""
    path, text = folder / "settings.md", settings_docs.settings_page()
    current = path.exists() and path.read_text(encoding="utf-8") == text
    if check:
        if not current:
            echo(f"out of date: {path}; `uncia settings docs` writes it anew", err=True)
        raise typer.Exit(0 if current else 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
