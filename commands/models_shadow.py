"""`uncia models shadow` and `compare`: run another version on live uploads; compare the predictions of two versions."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from uncia.commands.model_options import Json
from uncia.dashboard.model_compare import terminal
from uncia.dashboard.model_compare.comparison import compare_versions
from uncia.dashboard.model_compare.predictions import read_predictions
from uncia.errors import SettingsError, UnciaError
from uncia.producers.shadow.lifecycle import Shadow, all_shadows
from uncia.serving.model_versions import read_version_state
from uncia.serving.triton_client import ModelControl
from uncia.settings import Settings, read_settings, settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.triton_models.releases.promotion import parse_version_name, start_serving, stop_serving

app = typer.Typer()
shadow = typer.Typer(
    help="Run another model version on live uploads, without effect on verdicts.", no_args_is_help=True
)
app.add_typer(shadow, name="shadow")

Version = Annotated[str, typer.Argument(metavar="MODEL@VERSION", help="Version; `uncia models list` lists all.")]


@shadow.command("start")
def start(version: Version) -> None:
    """Serve a version next to the live one and run it on every new upload. Resumes a stopped shadow."""
    config = read_settings()
    model, number = parse_version_name(version, config.model_repository)
    if model == config.model and number == read_version_state(config.model_repository / model).live:
        raise SettingsError(f"{version} is live: a shadow is another version")
    with ModelControl(config) as control:
        start_serving(control, config.model_repository, model, number)
    runner = [sys.executable, "-m", "uncia.commands.shadow_runner", model, number]
    started = Shadow(model, number, settings()).start(runner)
    echo(
        f"the shadow of {version} {'runs from now on' if started else 'runs already'}; "
        f"`uncia models compare LIVE {version}` shows where it differs"
    )


@shadow.command("status")
def status(
    versions: Annotated[list[str] | None, typer.Argument(metavar="MODEL@VERSION…")] = None, as_json: Json = False
) -> None:
    """Show each shadow: whether it runs, the number of its predictions, and its lag in uploads."""
    rows = [{"shadow": name, **asdict(_shadow(name, settings()).status())} for name in versions or all_shadows()]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        running = "running" if row["running"] else "stopped"
        echo(f"{row['shadow']:30} {running:8} {row['answers']} predictions, {row['behind']} uploads behind")
    if not rows:
        echo("no shadow; `uncia models shadow start MODEL@VERSION` starts one")


@shadow.command("stop")
def stop(
    version: Version,
    drop: Annotated[bool, typer.Option("--drop", help="Also remove its predictions.")] = False,
) -> None:
    """Stop a shadow and unload its version unless it is live. Its predictions can still be compared."""
    config = read_settings()
    model, number = parse_version_name(version, config.model_repository)
    running = Shadow(model, number, settings())
    stopped = running.stop()
    if drop:
        running.drop()
    predictions = "its predictions are removed" if drop else "its predictions stay until `--drop`"
    echo(f"the shadow of {version} {'is stopped' if stopped else 'was not running'}; {predictions}")
    if number in read_version_state(config.model_repository / model).beside:
        with ModelControl(config) as control:
            stop_serving(control, config.model_repository, model, number)


@app.command("compare")
def compare(
    first: Version,
    second: Version,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a self-contained HTML page with images to this file.")
    ] = None,
    with_people: Annotated[
        bool, typer.Option("--with-people", help="Do not blur persons on the page; it is recorded.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show where two versions differ, on the photographs that both predicted, live or as a shadow."""
    config = settings()
    comparison = compare_versions(first, second, read_predictions(first, second, config))
    if not comparison.pairs:
        raise UnciaError(
            f"no photograph has predictions of both {first} and {second} ({comparison.only_first} and "
            f"{comparison.only_second} by one): `uncia models shadow start` runs a version next to the live one"
        )
    if output is not None:
        from uncia.dashboard.model_compare.page import render
        from uncia.dashboard.page_parts.people import hidden_on_page
        from uncia.dashboard.page_parts.rendering import write_page
        from uncia.dashboard.page_parts.thumbnails import thumbnails_from_store

        hidden = hidden_on_page(config, f"models compare: {output}", with_people=with_people)
        write_page(output, render(comparison, thumbnails_from_store(config, hidden)))
    if as_json:
        echo_json(terminal.to_json_object(comparison))
        return
    terminal.show(comparison, plain_console(highlight=False))
    if output is not None:
        echo(f"Page: {output}")


def _shadow(name: str, live: Settings) -> Shadow:
    model, _, version = name.partition("@")
    return Shadow(model, version, live)
