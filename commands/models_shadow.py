"""`uncia models shadow | compare`: a version beside the live one on the same uploads, and where the two differ.

The shadow itself reads topics and the comparison reads answers and photographs: other wings, so processes of theirs.
"""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from uncia.commands.model_options import Json
from uncia.errors import SettingsError, UnciaError
from uncia.serving.model_versions import read_version_state
from uncia.serving.triton_client import ModelControl
from uncia.settings import read_settings
from uncia.terminal import echo
from uncia.triton_models.releases.promotion import parse_version_name, start_serving, stop_serving

app = typer.Typer()
shadow = typer.Typer(
    help="Ask another version about the same uploads, without effect on any verdict.", no_args_is_help=True
)
app.add_typer(shadow, name="shadow")

Version = Annotated[str, typer.Argument(metavar="MODEL@VERSION", help="`uncia models list` shows what there is.")]


@shadow.command("start")
def start(version: Version) -> None:
    """Serve a version beside the live one, and ask it about every upload from now on; to start it again goes on."""
    settings = read_settings()
    model, number = parse_version_name(version, settings.model_repository)
    if model == settings.model and number == read_version_state(settings.model_repository / model).live:
        raise SettingsError(f"{version} is live: a shadow is another version")
    with ModelControl(settings) as control:
        start_serving(control, settings.model_repository, model, number)
    _run("uncia.producers.shadow", "start", model, number)


@shadow.command("status")
def status(
    versions: Annotated[list[str] | None, typer.Argument(metavar="MODEL@VERSION…")] = None, as_json: Json = False
) -> None:
    """Show the shadows: whether they run, what they have answered, how far they are behind."""
    _run("uncia.producers.shadow", "status", *(versions or ()), *(["--json"] if as_json else []))


@shadow.command("stop")
def stop(
    version: Version,
    drop: Annotated[bool, typer.Option("--drop", help="Remove what it said, too.")] = False,
) -> None:
    """End a shadow; Triton then serves its version no longer, unless it is live. What it said can still be compared."""
    settings = read_settings()
    model, number = parse_version_name(version, settings.model_repository)
    _run("uncia.producers.shadow", "stop", model, number, *(["--drop"] if drop else []))
    if number in read_version_state(settings.model_repository / model).beside:
        with ModelControl(settings) as control:
            stop_serving(control, settings.model_repository, model, number)


@app.command("compare")
def compare(
    first: Version,
    second: Version,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a self-contained page with pictures there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show where two versions differ on the photographs that both were asked about, live or as a shadow."""
    page = ["--output", str(output)] if output else []
    _run("uncia.dashboard.model_compare", first, second, *page, *(["--json"] if as_json else []))


def _run(module: str, *arguments: str) -> None:
    """A command of another wing; its words are ours."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], stderr=subprocess.PIPE, check=False)
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise UnciaError(said.splitlines()[-1].removeprefix("uncia: ") if said else f"{module} failed")
    if said:
        echo(said, err=True)
