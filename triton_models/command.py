"""`uncia models`: build what Triton serves, list it, and ask whether it really answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from triton_models.catalogue import Line, cards, catalogue
from triton_models.recipes import species_classifier
from triton_models.recipes.triton_config import BACKENDS, Backend
from uncia.errors import DependencyDown, SettingsError
from uncia.inference import ModelControl, Probe
from uncia.settings import Settings, read_settings

app = typer.Typer(help="Build, list and check the models that Triton serves.", no_args_is_help=True)

Repository = Annotated[Path | None, typer.Option(help="Triton's model repository.", show_default="of the settings")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def build(
    repository: Repository = None,
    backend: Annotated[
        str, typer.Option(help="python: runs anywhere. onnxruntime: for NVIDIA's container, with TensorRT on a GPU.")
    ] = "python",
    force: Annotated[bool, typer.Option("--force", help="Build although it is up to date.")] = False,
    as_json: Json = False,
) -> None:
    """Build species_classifier from its published weights. Ends at once when it is up to date."""
    with _progress(shown=not as_json) as step:
        built = species_classifier.build(
            _settings(repository).model_repository, backend=_backend(backend), force=force, progress=step
        )
    facts = {
        "model": built.card.model,
        "versions": built.card.versions,
        "backend": built.card.backend,
        "label_set": built.card.label_set,
        "onnx_sha256": built.card.onnx_sha256,
        "folder": str(built.folder),
        "fresh": built.fresh,
    }
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        done = "built" if built.fresh else "is up to date"
        typer.echo(f"{built.card.model} version {', '.join(built.card.versions)} {done}: {built.folder}")
        if built.fresh:
            typer.echo("A Triton that serves an older one takes it up with `uncia models check --reload`.")


@app.command("list")
def list_models(repository: Repository = None, as_json: Json = False) -> None:
    """Compare the repository with what Triton serves."""
    chosen = _settings(repository)
    with ModelControl(chosen) as control:
        try:
            served, trouble = control.served(), None
        except DependencyDown as error:
            served, trouble = None, str(error)
    lines = catalogue(cards(chosen.model_repository), served)
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines]))
        return
    table = Table("model", "version", "Triton says", "backend", "label set", "graph")
    table.columns[0].no_wrap = True
    for line in lines:
        table.add_row(line.model, line.version, _state(line), line.backend, line.label_set, line.graph[:12])
    Console().print(table)
    if trouble:
        typer.echo(trouble, err=True)


@app.command()
def check(
    models: Annotated[list[str] | None, typer.Argument(help="Which; all of the repository by default.")] = None,
    repository: Repository = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Unload and load first: cures a dead process, takes up a fresh build.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask every model its self-test by a real inference; exit status 1 when one fails.

    Triton's own readiness is no evidence: it stays true when the process behind a model is dead.
    """
    chosen = _settings(repository)
    names = models or [card.model for card in cards(chosen.model_repository)]
    if not names:
        raise SettingsError(f"no model in {chosen.model_repository}: `uncia models build` makes one")
    probes: dict[str, Probe] = {}
    with ModelControl(chosen) as control:
        for name in names:
            if reload:
                control.reload(name)
            probes[name] = control.probe(name)
    if as_json:
        typer.echo(json.dumps([{"model": name, **asdict(probe)} for name, probe in probes.items()]))
    else:
        for name, probe in probes.items():
            took = f" in {probe.inference_ms:.0f} ms" if probe.inference_ms is not None else ""
            typer.echo(f"{probe.health:<11} {name}: {probe.detail}{took}")
    if not all(probe.healthy for probe in probes.values()):
        raise typer.Exit(1)


def _settings(repository: Path | None) -> Settings:
    return read_settings(model_repository=repository) if repository else read_settings()


def _backend(name: str) -> Backend:
    for backend in BACKENDS:
        if backend == name:
            return backend
    raise SettingsError(f"no backend {name!r}: {' or '.join(BACKENDS)}")


def _state(line: Line) -> str:
    if line.state is None:
        return "(no answer)"
    return f"{line.state} ({line.reason})" if line.reason else line.state or "not loaded"


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """A bar over the recipe's steps, a line each in a log; on standard error, as standard output is the result's."""
    console = Console(stderr=True, quiet=not shown, highlight=False)
    if not console.is_terminal:
        yield console.print
        return
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("looking at what is there", total=len(species_classifier.STEPS))

        def step(name: str) -> None:
            bar.update(task, description=name, completed=species_classifier.STEPS.index(name))

        yield step
