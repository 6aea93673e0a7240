"""`uncia models install | import | promote | roll-back | serve | remove`: change versions without failed requests."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from uncia.commands.model_options import Json, Repository, chosen_backend, settings_with
from uncia.serving.cards import read_installed
from uncia.serving.embedder_card import EmbedderCard
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
from uncia.triton_models.releases.stream_model import (
    describe_embedder,
    describe_sound_model,
    describe_stream_model,
    describe_switch,
)

app = typer.Typer()

Version = Annotated[str, typer.Argument(metavar="MODEL@VERSION", help="Version; `uncia models list` lists all.")]


@app.command("install")
def install_package(
    folder: Annotated[Path, typer.Argument(help="Folder of a model package: model.onnx, model.json, labels.json.")],
    name: Annotated[
        str,
        typer.Option(
            help="Model to which the version is added; workers use the model in UNCIA_MODEL.",
            show_default="name in its card",
        ),
    ] = "",
    repository: Repository = None,
    backend: Annotated[
        str, typer.Option(help="Triton backend: python or onnxruntime.", show_default="that of the model")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check a model package and install it in the repository as the next version; `promote` makes it live."""
    chosen = settings_with(repository)
    card = install(folder, chosen.model_repository, name=name, backend=chosen_backend(backend) if backend else "")
    report_installed(card.model, card.version, chosen, as_json=as_json)


@app.command("import")
def import_graph(
    graph: Annotated[
        Path,
        typer.Argument(metavar="MODEL.onnx", help="ONNX file of a classifier, detector, audio classifier or embedder."),
    ],
    description: Annotated[Path, typer.Option(help="TOML, YAML or JSON file that describes input and output.")],
    name: Annotated[str, typer.Option(help="Name of the model.", show_default="name in the description")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the package to this folder instead of installing it.")] = None,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Wrap an ONNX classifier, detector, audio classifier or embedder as a model package and install it.

    See docs/model-builder.md, docs/sound.md for audio classifiers, and docs/individuals.md for embedders."""
    from uncia.triton_models.importing.description import kind_described
    from uncia.triton_models.importing.detector_import import make_detector_package
    from uncia.triton_models.importing.embedder_import import make_embedder_package
    from uncia.triton_models.importing.importing import make_package
    from uncia.triton_models.importing.sound_import import make_sound_package
    from uncia.triton_models.packages.validation import ValidatedPackage

    chosen = settings_with(repository)
    with tempfile.TemporaryDirectory(prefix="uncia-import-") as temporary:
        makers: dict[str, Callable[[Path, Path, Path], ValidatedPackage[Any]]] = {
            "detector": make_detector_package,
            "sound": make_sound_package,
            "embedder": make_embedder_package,
        }
        make = makers.get(kind_described(description), make_package)
        package = make(graph, description, out or Path(temporary) / "package")
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
    elif isinstance(card, EmbedderCard):
        echo(f"{card.name} is installed: an embedder with vectors of {card.dimensions:,} numbers")
        echo(describe_embedder(card, state.live, chosen))
        return
    else:
        echo(f"{card.name} is installed: a detector of {', '.join(card.categories)}")
    if isinstance(card, ModelCard) and card.sound is not None:
        echo(describe_sound_model(card, state.live, chosen))
        return
    if model in (chosen.model, chosen.detector):
        echo(f"It receives no requests yet: `uncia models promote {card.name}` makes it live.")
        return
    echo(f"It receives no requests yet. {describe_stream_model(chosen)}")
    echo(describe_switch(card, repository / model / version, chosen))
    echo(f"To serve it in Triton without the workers: `uncia models promote {card.name}`.")


@app.command("promote")
def promote_version(version: Version, repository: Repository = None, as_json: Json = False) -> None:
    """Make a version live: load it, run its self-test, then switch to it. No request fails.

    The stream uses the live version of the model in UNCIA_MODEL only.
    """
    chosen = settings_with(repository)
    model, number = parse_version_name(version, chosen.model_repository)
    with ModelControl(chosen) as control:
        _report_live(model, promote(control, chosen.model_repository, model, number), chosen, as_json=as_json)


@app.command("roll-back")
def roll_back_model(
    model: Annotated[str, typer.Argument(help="Model. Default: UNCIA_MODEL.")] = "",
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Make the previous version live again. It is still loaded, so the switch is immediate."""
    chosen = settings_with(repository)
    with ModelControl(chosen) as control:
        model = model or chosen.model
        _report_live(model, roll_back(control, chosen.model_repository, model), chosen, as_json=as_json)


@app.command("serve")
def serve_version(
    version: Version,
    no_longer: Annotated[bool, typer.Option("--no-longer", help="Stop serving the version.")] = False,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Serve a version in addition to the live one, for replays and for clients that request a specific version."""
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
    """Remove a version and its labels from the repository. The live version cannot be removed."""
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
    if isinstance(card, ModelCard) and card.sound is not None:
        echo(f"Triton serves {model}@{state.live}{previous}.")
        echo(describe_sound_model(card, state.live, chosen))
        return
    if isinstance(card, EmbedderCard):
        echo(f"Triton serves {model}@{state.live}{previous}.")
        echo(describe_embedder(card, state.live, chosen))
        return
    echo(f"Triton serves {model}@{state.live} to clients that request {model}{previous}.")
    echo(f"The stream does not use it. {describe_stream_model(chosen)}")
    if used:
        setting = "UNCIA_MODEL_VERSION" if model == chosen.model else "UNCIA_DETECTOR_VERSION"
        echo(f"Remove {setting} from the settings to make the stream use the live version.")
    else:
        echo(describe_switch(card, chosen.model_repository / model / state.live, chosen))
