"""`uncia models install | import | promote | roll-back | serve | remove`: change versions without failed requests."""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from uncia.commands.model_options import Json, Repository, chosen_backend, settings_with
from uncia.serving.cards import read_installed
from uncia.serving.model_card import ModelCard, pinned_version
from uncia.serving.model_versions import VersionState, read_version_state
from uncia.serving.triton_client import ModelControl
from uncia.settings import Settings
from uncia.terminal import echo, echo_json
from uncia.triton_models.releases.installation import install
from uncia.triton_models.releases.promotion import (
    parse_version_name,
    promote,
    remove_version,
    roll_back,
    start_serving,
    stop_serving,
)
from uncia.triton_models.releases.stream_model import describe_stream_model, describe_switch

app = typer.Typer()

Version = Annotated[str, typer.Argument(metavar="MODEL@VERSION", help="`uncia models list` lists the versions.")]


@app.command("install")
def install_package(
    folder: Annotated[Path, typer.Argument(help="A model package: model.onnx, model.json, labels.json.")],
    name: Annotated[
        str,
        typer.Option(
            help="The model whose next version it becomes; the stream uses the model in UNCIA_MODEL.",
            show_default="its card's",
        ),
    ] = "",
    repository: Repository = None,
    backend: Annotated[str, typer.Option(help="python or onnxruntime.", show_default="as the model has it")] = "",
    as_json: Json = False,
) -> None:
    """Check a model package and install it in the repository as the next version; `promote` makes it live."""
    chosen = settings_with(repository)
    card = install(folder, chosen.model_repository, name=name, backend=chosen_backend(backend) if backend else "")
    report_installed(card.model, card.version, chosen, as_json=as_json)


@app.command("import")
def import_graph(
    graph: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A classifier of your own.")],
    description: Annotated[Path, typer.Option(help="Its input and output: a TOML, YAML or JSON file.")],
    name: Annotated[str, typer.Option(help="The model's name.", show_default="the description's")] = "",
    out: Annotated[Path | None, typer.Option(help="Only write the package to this folder; install nothing.")] = None,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Wrap an ONNX classifier of your own as a package, and install it. See docs/model-builder.md."""
    from uncia.triton_models.importing.importing import make_package

    chosen = settings_with(repository)
    with tempfile.TemporaryDirectory(prefix="uncia-import-") as temporary:
        package = make_package(graph, description, out or Path(temporary) / "package")
        if out is not None:
            echo(json.dumps({"package": str(out)}) if as_json else f"Package written: {out}")
            return
        card = install(package.folder, chosen.model_repository, name=name)
    report_installed(card.model, card.version, chosen, as_json=as_json)


def report_installed(model: str, version: str, chosen: Settings, *, as_json: bool) -> None:
    """Print the installed version and the next command."""
    repository = chosen.model_repository
    card = read_installed(repository, model, version)
    state = read_version_state(repository / model)
    if as_json:
        label_set = card.label_set if isinstance(card, ModelCard) else None
        result = {"model": model, "version": version, "live": state.live, "kind": card.kind, "label_set": label_set}
        folder = str(repository / model / version)
        echo_json({**result, "folder": folder, "stream_model": chosen.model})
        return
    if isinstance(card, ModelCard):
        echo(f"{card.name} is installed: {len(card.labels.classes)} classes, {card.label_set}")
    else:
        echo(f"{card.name} is installed: a detector of {', '.join(card.categories)}")
    if model in (chosen.model, chosen.detector):
        echo(f"It receives no requests yet: `uncia models promote {card.name}` makes it live.")
        return
    echo(f"It receives no requests yet. {describe_stream_model(chosen)}")
    echo(describe_switch(card, repository / model / version, chosen))
    echo(f"To have Triton serve it as a model of its own: `uncia models promote {card.name}`.")


@app.command("promote")
def promote_version(version: Version, repository: Repository = None, as_json: Json = False) -> None:
    """Make a version live: load it, run its self-test, then switch. No request fails.

    The stream uses the live version of the model in UNCIA_MODEL only.
    """
    chosen = settings_with(repository)
    model, number = parse_version_name(version, chosen.model_repository)
    with ModelControl(chosen) as control:
        _report_live(model, promote(control, chosen.model_repository, model, number), chosen, as_json=as_json)


@app.command("roll-back")
def roll_back_model(
    model: Annotated[str, typer.Argument(help="Model; default: that of the settings.")] = "",
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Make the previous version live again: it is still loaded, so this takes no time."""
    chosen = settings_with(repository)
    with ModelControl(chosen) as control:
        model = model or chosen.model
        _report_live(model, roll_back(control, chosen.model_repository, model), chosen, as_json=as_json)


@app.command("serve")
def serve_version(
    version: Version,
    no_longer: Annotated[bool, typer.Option("--no-longer", help="Stop serving it.")] = False,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Serve a version in addition to the live one, for a replay or for clients that request it by number."""
    chosen = settings_with(repository)
    model, number = parse_version_name(version, chosen.model_repository)
    change = stop_serving if no_longer else start_serving
    with ModelControl(chosen) as control:
        state = change(control, chosen.model_repository, model, number)
    if as_json:
        _report_live(model, state, chosen, as_json=True)
    else:
        echo(f"Triton serves versions {', '.join(state.served)} of {model}; live is {state.live}")


@app.command("remove")
def remove_command(version: Version, repository: Repository = None, as_json: Json = False) -> None:
    """Remove a version from the repository with its labels; the live one is refused."""
    chosen = settings_with(repository)
    model, number = parse_version_name(version, chosen.model_repository)
    with ModelControl(chosen) as control:
        remove_version(control, chosen.model_repository, model, number)
    echo(json.dumps({"removed": version}) if as_json else f"{version} is removed")


def _report_live(model: str, state: VersionState, chosen: Settings, *, as_json: bool) -> None:
    card = read_installed(chosen.model_repository, model, state.live)
    used = model in (chosen.model, chosen.detector)
    in_stream = used and pinned_version(chosen, model) in ("", state.live)
    if as_json:
        result: dict[str, Any] = {"model": model, **state.model_dump(mode="json"), "served": state.served}
        echo_json({**result, "stream_model": chosen.model, "in_stream": in_stream})
        return
    previous = f"; the previous version {state.previous} stays loaded for `roll-back`" if state.previous else ""
    if in_stream:
        echo(f"{model}@{state.live} is live{previous}")
        return
    echo(f"Triton serves {model}@{state.live} to clients that request {model}{previous}.")
    echo(f"The stream does not use it. {describe_stream_model(chosen)}")
    if used:
        setting = "UNCIA_MODEL_VERSION" if model == chosen.model else "UNCIA_DETECTOR_VERSION"
        echo(f"Remove {setting} from the settings to make the stream use the live version.")
    else:
        echo(describe_switch(card, chosen.model_repository / model / state.live, chosen))
