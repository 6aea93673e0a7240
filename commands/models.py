"""`uncia models`: build the models that Triton serves, list them, and check them by inference."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TimeElapsedColumn
from rich.table import Table

from uncia.commands.model_options import BackendName, Json, Repository, chosen_backend, settings_with
from uncia.commands.models_ablate import ablate_command
from uncia.commands.models_calibrate import app as calibrating
from uncia.commands.models_ensemble import app as ensembles
from uncia.commands.models_fetch import app as fetching
from uncia.commands.models_frame import app as frame
from uncia.commands.models_release import app as releases
from uncia.commands.models_shadow import app as shadow
from uncia.errors import DependencyDown
from uncia.serving.detector_card import DetectorCard
from uncia.serving.model_card import ModelCard
from uncia.serving.triton_client import ModelControl, ProbeResult
from uncia.terminal import description_column, echo, echo_json, plain_console
from uncia.triton_models.recipes import animal_detector, species_classifier
from uncia.triton_models.recipes.building import BuiltModel
from uncia.triton_models.releases.stream_model import describe_stream_model, detector_version, stream_version
from uncia.triton_models.version_list import VersionStatus, installed_model_names, list_versions, read_installed_models

app = typer.Typer(help="Build, install, promote, list and check the models that Triton serves.", no_args_is_help=True)
for part in (releases, fetching, shadow, frame, ensembles, calibrating):
    app.add_typer(part)
app.command("ablate")(ablate_command)


@app.command()
def build(
    repository: Repository = None,
    backend: BackendName = "python",
    force: Annotated[bool, typer.Option("--force", help="Build even if it is up to date.")] = False,
    as_json: Json = False,
) -> None:
    """Build species_classifier and animal_detector from their published weights; what is up to date stays.

    The detector is left out, with a message, where its weights (UNCIA_DETECTOR_WEIGHTS) are not there.
    """
    chosen, kind = settings_with(repository), chosen_backend(backend)
    built: list[BuiltModel[ModelCard] | BuiltModel[DetectorCard]] = []
    with _progress(shown=not as_json) as step:
        built.append(species_classifier.build(chosen.model_repository, backend=kind, force=force, progress=step))
    weights = chosen.detector_weights
    if weights.exists():
        persons = chosen.person_vehicle_weights if chosen.person_vehicle_weights.is_dir() else None
        with _progress(shown=not as_json) as step:
            built.append(
                animal_detector.build(
                    chosen.model_repository,
                    weights,
                    persons=persons,
                    backend=kind,
                    precision=chosen.detector_precision,
                    force=force,
                    progress=step,
                )
            )
    else:
        echo(
            f"{animal_detector.NAME} is not built: there are no weights at {weights}; `make setup` gets them", err=True
        )
    if as_json:
        results = [_build_result(model) for model in built]
        echo_json({**results[0], "models": results})
        return
    for model in built:
        outcome = "built" if model.fresh else "is up to date"
        echo(f"{model.card.model} version {', '.join(model.card.versions)} {outcome}: {model.folder}")
    if any(model.fresh for model in built):
        echo("A running Triton loads them with `uncia models check --reload`.")


def _build_result(built: BuiltModel[ModelCard] | BuiltModel[DetectorCard]) -> dict[str, Any]:
    card = built.card
    return {
        "model": card.model,
        "versions": card.versions,
        "backend": card.backend,
        "label_set": card.label_set if isinstance(card, ModelCard) else None,
        "onnx_sha256": card.onnx_sha256,
        "folder": str(built.folder),
        "fresh": built.fresh,
    }


@app.command("list")
def list_models(repository: Repository = None, as_json: Json = False) -> None:
    """List all versions with their role (live, previous, beside: also served, installed) and state in Triton."""
    chosen = settings_with(repository)
    with ModelControl(chosen) as control:
        try:
            served, problem = control.list_served(), None
        except DependencyDown as error:
            served, problem = None, str(error)
    lines = list_versions(read_installed_models(chosen.model_repository), served)
    if as_json:
        stream = {(chosen.model, stream_version(chosen)), (chosen.detector, detector_version(chosen))}
        rows = [{**asdict(line), "in_stream": (line.model, line.version) in stream} for line in lines]
        echo_json(rows)
        return
    table = Table("version", "role", "Triton", "backend", "label set")
    table.columns[0].no_wrap = True
    for line in lines:
        name = f"{line.model}@{line.version}" if line.version else line.model
        # Every model has a live version, but for readers "live" means that the stream uses it.
        role = (
            "not in the stream"
            if line.standing == "live" and line.model not in (chosen.model, chosen.detector)
            else line.standing
        )
        table.add_row(name, role, _state(line), line.backend, line.label_set)
    plain_console().print(table)
    echo(describe_stream_model(chosen))
    if problem:
        echo(problem, err=True)


@app.command()
def check(
    models: Annotated[list[str] | None, typer.Argument(help="Models to check. Default: all in the repository.")] = None,
    repository: Repository = None,
    reload: Annotated[
        bool,
        typer.Option(
            "--reload", help="Unload and load the model first, which restarts a dead process and loads a new build."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the self-test of each model's live version with an inference. Exits with status 1 when one fails.

    Triton's own readiness does not suffice: it stays true when the process behind a model is dead.
    """
    chosen = settings_with(repository)
    names = models or installed_model_names(chosen.model_repository)
    probes: dict[str, ProbeResult] = {}
    with ModelControl(chosen) as control:
        for name in names:
            if reload:
                control.reload(name)
            probes[name] = control.probe(name)
    if as_json:
        echo_json([{"model": name, **asdict(probe)} for name, probe in probes.items()])
    else:
        for name, probe in probes.items():
            duration = f" in {probe.inference_ms:.0f} ms" if probe.inference_ms is not None else ""
            echo(f"{probe.health:<11} {name}: {probe.detail}{duration}")
    if not all(probe.healthy for probe in probes.values()):
        raise typer.Exit(1)


def _state(line: VersionStatus) -> str:
    if line.state is None:
        return "unknown"
    return f"{line.state} ({line.reason})" if line.reason else line.state or "not loaded"


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """Show the recipe's steps on standard error, as a bar or as log lines; yields the callback that advances it."""
    console = plain_console(stderr=True, quiet=not shown, highlight=False)
    if not console.is_terminal:
        yield console.print
        return
    with Progress(description_column(), BarColumn(), TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("checking the repository", total=len(species_classifier.STEPS))

        def step(name: str) -> None:
            bar.update(task, description=name, completed=species_classifier.STEPS.index(name))

        yield step
