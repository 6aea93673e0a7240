"""`uncia models`: build what Triton serves, list it, and ask whether it really answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TimeElapsedColumn
from rich.table import Table

from uncia.commands.model_options import BackendName, Json, Repository, chosen_backend, settings_with
from uncia.commands.models_ablate import ablate_command
from uncia.commands.models_calibrate import app as calibrating
from uncia.commands.models_ensemble import app as ensembles
from uncia.commands.models_frame import app as frame
from uncia.commands.models_release import app as releases
from uncia.commands.models_shadow import app as shadow
from uncia.errors import DependencyDown
from uncia.serving.triton_client import ModelControl, Probe
from uncia.terminal import description_column, echo, echo_json, plain_console
from uncia.triton_models.recipes import species_classifier
from uncia.triton_models.releases.stream_model import describe_stream_model, stream_version
from uncia.triton_models.version_list import VersionStatus, installed_model_names, list_versions, read_installed_models

app = typer.Typer(help="Build, install, promote, list and check the models that Triton serves.", no_args_is_help=True)
for part in (releases, shadow, frame, ensembles, calibrating):
    app.add_typer(part)
app.command("ablate")(ablate_command)


@app.command()
def build(
    repository: Repository = None,
    backend: BackendName = "python",
    force: Annotated[bool, typer.Option("--force", help="Build although it is up to date.")] = False,
    as_json: Json = False,
) -> None:
    """Build species_classifier from its published weights. Ends at once when it is up to date."""
    with _progress(shown=not as_json) as step:
        built = species_classifier.build(
            settings_with(repository).model_repository, backend=chosen_backend(backend), force=force, progress=step
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
        echo_json(facts)
    else:
        done = "built" if built.fresh else "is up to date"
        echo(f"{built.card.model} version {', '.join(built.card.versions)} {done}: {built.folder}")
        if built.fresh:
            echo("A Triton that serves an older one takes it up with `uncia models check --reload`.")


@app.command("list")
def list_models(repository: Repository = None, as_json: Json = False) -> None:
    """Show every version: live, previous, served beside or only installed; what Triton says; what the stream asks."""
    chosen = settings_with(repository)
    with ModelControl(chosen) as control:
        try:
            served, trouble = control.served(), None
        except DependencyDown as error:
            served, trouble = None, str(error)
    lines = list_versions(read_installed_models(chosen.model_repository), served)
    if as_json:
        asked = (chosen.model, stream_version(chosen))
        rows = [{**asdict(line), "in_stream": (line.model, line.version) == asked} for line in lines]
        echo_json(rows)
        return
    table = Table("version", "is", "Triton says", "backend", "label set")
    table.columns[0].no_wrap = True
    for line in lines:
        name = f"{line.model}@{line.version}" if line.version else line.model
        # Every model has a live version of its own; a model that the stream does not ask is not live for a reader.
        standing = "not in the stream" if line.standing == "live" and line.model != chosen.model else line.standing
        table.add_row(name, standing, _state(line), line.backend, line.label_set)
    plain_console().print(table)
    echo(describe_stream_model(chosen))
    if trouble:
        echo(trouble, err=True)


@app.command()
def check(
    models: Annotated[list[str] | None, typer.Argument(help="Which; all of the repository by default.")] = None,
    repository: Repository = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Unload and load first: cures a dead process, takes up a fresh build.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask the live version of every model its self-test by a real inference; exit status 1 when one fails.

    Triton's own readiness is no evidence: it stays true when the process behind a model is dead.
    """
    chosen = settings_with(repository)
    names = models or installed_model_names(chosen.model_repository)
    probes: dict[str, Probe] = {}
    with ModelControl(chosen) as control:
        for name in names:
            if reload:
                control.reload(name)
            probes[name] = control.probe(name)
    if as_json:
        echo_json([{"model": name, **asdict(probe)} for name, probe in probes.items()])
    else:
        for name, probe in probes.items():
            took = f" in {probe.inference_ms:.0f} ms" if probe.inference_ms is not None else ""
            echo(f"{probe.health:<11} {name}: {probe.detail}{took}")
    if not all(probe.healthy for probe in probes.values()):
        raise typer.Exit(1)


def _state(line: VersionStatus) -> str:
    if line.state is None:
        return "(no answer)"
    return f"{line.state} ({line.reason})" if line.reason else line.state or "not loaded"


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """A bar over the recipe's steps, a line each in a log; on standard error, as standard output is the result's."""
    console = plain_console(stderr=True, quiet=not shown, highlight=False)
    if not console.is_terminal:
        yield console.print
        return
    with Progress(description_column(), BarColumn(), TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("looking at what is there", total=len(species_classifier.STEPS))

        def step(name: str) -> None:
            bar.update(task, description=name, completed=species_classifier.STEPS.index(name))

        yield step
