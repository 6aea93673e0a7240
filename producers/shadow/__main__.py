"""`python -m uncia.producers.shadow start | run | stop | status`: what `uncia models shadow` runs."""

import sys
from dataclasses import asdict

import typer

from uncia.errors import UnciaError
from uncia.producers.shadow.deployment import Shadow, all_shadows
from uncia.settings import settings
from uncia.terminal import echo, echo_json

app = typer.Typer(no_args_is_help=True)


@app.command()
def start(model: str, version: str) -> None:
    """Start the shadow of a version that Triton serves, and leave it running."""
    shadow = Shadow(model, version, settings())
    began = shadow.start()
    echo(
        f"{shadow.name} {'is asked about' if began else 'is already asked about'} every upload from now on; "
        f"`uncia models compare LIVE {shadow.name}` shows where it differs"
    )


@app.command()
def run(model: str, version: str) -> None:
    """Keep a shadow's worker up until told to stop."""
    Shadow(model, version, settings()).run()


@app.command()
def stop(model: str, version: str, drop: bool = typer.Option(False, "--drop")) -> None:
    """End a shadow; with `--drop` remove what it said, too."""
    shadow = Shadow(model, version, settings())
    ended = shadow.stop()
    if drop:
        shadow.drop()
    said = "and what it said is gone" if drop else "what it said stays until `--drop`"
    echo(f"the shadow of {shadow.name} {'ended' if ended else 'was not running'}; {said}")


@app.command()
def status(names: list[str] = typer.Argument(None), as_json: bool = typer.Option(False, "--json")) -> None:
    """Show shadows: whether they run, their answers, and how far they are behind."""
    rows = []
    for name in names or all_shadows():
        model, _, version = name.partition("@")
        rows.append({"shadow": name, **asdict(Shadow(model, version, settings()).state())})
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        running = "running" if row["running"] else "stopped"
        echo(f"{row['shadow']:30} {running:8} {row['answers']} answers, {row['behind']} behind")
    if not rows:
        echo("no shadow; `uncia models shadow start MODEL@VERSION` makes one")


if __name__ == "__main__":
    try:
        app()
    except UnciaError as error:
        sys.exit(f"uncia: {error}")
