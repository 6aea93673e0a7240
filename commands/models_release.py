"""`uncia models install | promote | roll-back | remove`: which version of a model answers, while requests flow."""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from uncia.commands.model_options import Json, Repository, chosen_backend, settings_with
from uncia.serving.model_card import installed_card
from uncia.serving.model_versions import Standing, read_standing
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

Version = Annotated[str, typer.Argument(metavar="MODEL@VERSION", help="`uncia models list` shows what there is.")]


@app.command("install")
def install_package(
    folder: Annotated[Path, typer.Argument(help="A model package: model.onnx, model.json, labels.json.")],
    name: Annotated[
        str,
        typer.Option(
            help="The model whose next version it becomes; the stream asks the one that UNCIA_MODEL names.",
            show_default="its card's",
        ),
    ] = "",
    repository: Repository = None,
    backend: Annotated[str, typer.Option(help="python or onnxruntime.", show_default="as the model has it")] = "",
    as_json: Json = False,
) -> None:
    """Check a model package and put it into the repository as the next version; `promote` makes it live."""
    chosen = settings_with(repository)
    card = install(folder, chosen.model_repository, name=name, backend=chosen_backend(backend) if backend else "")
    report_installed(card.model, card.version, chosen, as_json=as_json)


@app.command("import")
def import_graph(
    graph: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A classifier of your own.")],
    description: Annotated[Path, typer.Option(help="What it wants and answers: a TOML, YAML or JSON file.")],
    name: Annotated[str, typer.Option(help="The model's name.", show_default="the description's")] = "",
    out: Annotated[Path | None, typer.Option(help="Only write the package there; install nothing.")] = None,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Wrap an ONNX classifier of your own as a package, and install it like ours. docs/model-builder.md says how."""
    from uncia.triton_models.importing.importing import make_package

    chosen = settings_with(repository)
    with tempfile.TemporaryDirectory(prefix="uncia-import-") as draft:
        package = make_package(graph, description, out or Path(draft) / "package")
        if out is not None:
            echo(json.dumps({"package": str(out)}) if as_json else f"The package: {out}")
            return
        card = install(package.folder, chosen.model_repository, name=name)
    report_installed(card.model, card.version, chosen, as_json=as_json)


def report_installed(model: str, version: str, chosen: Settings, *, as_json: bool) -> None:
    """What became of an installation, and what is next."""
    repository = chosen.model_repository
    card = installed_card(repository, model, version)
    standing = read_standing(repository / model)
    if as_json:
        facts = {"model": model, "version": version, "live": standing.live, "label_set": card.label_set}
        folder = str(repository / model / version)
        echo_json({**facts, "folder": folder, "stream_model": chosen.model})
        return
    echo(f"{card.name} is installed: {len(card.labels.classes)} classes, {card.label_set}")
    if model == chosen.model:
        echo(f"It answers nobody yet: `uncia models promote {card.name}` makes it live.")
        return
    echo(f"It answers nobody yet. {describe_stream_model(chosen)}")
    echo(describe_switch(repository / model / version, chosen))
    echo(f"To have Triton serve it as a model of its own: `uncia models promote {card.name}`.")


@app.command("promote")
def promote_version(version: Version, repository: Repository = None, as_json: Json = False) -> None:
    """Make a version the live one of its model: load it beside, ask its self-test, move. No request fails.

    The stream asks the live version of the model that UNCIA_MODEL names, and no other model.
    """
    chosen = settings_with(repository)
    model, number = parse_version_name(version, chosen.model_repository)
    with ModelControl(chosen) as control:
        _tell(model, promote(control, chosen.model_repository, model, number), chosen, as_json=as_json)


@app.command("roll-back")
def roll_back_model(
    model: Annotated[str, typer.Argument(help="Which; that of the settings by default.")] = "",
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Make the version live again that was before: it is still loaded, so this takes no time."""
    chosen = settings_with(repository)
    with ModelControl(chosen) as control:
        model = model or chosen.model
        _tell(model, roll_back(control, chosen.model_repository, model), chosen, as_json=as_json)


@app.command("serve")
def serve_version(
    version: Version,
    no_longer: Annotated[bool, typer.Option("--no-longer", help="Stop serving it beside.")] = False,
    repository: Repository = None,
    as_json: Json = False,
) -> None:
    """Have Triton serve a version beside the live one, for a replay or for whoever asks for it by number."""
    chosen = settings_with(repository)
    model, number = parse_version_name(version, chosen.model_repository)
    change = stop_serving if no_longer else start_serving
    with ModelControl(chosen) as control:
        standing = change(control, chosen.model_repository, model, number)
    if as_json:
        _tell(model, standing, chosen, as_json=True)
    else:
        echo(f"Triton serves of {model}: {', '.join(standing.served)}; live is {standing.live}")


@app.command("remove")
def remove_command(version: Version, repository: Repository = None, as_json: Json = False) -> None:
    """Remove a version from the repository, labels and all; the live one is refused."""
    chosen = settings_with(repository)
    model, number = parse_version_name(version, chosen.model_repository)
    with ModelControl(chosen) as control:
        remove_version(control, chosen.model_repository, model, number)
    echo(json.dumps({"removed": version}) if as_json else f"{version} is removed")


def _tell(model: str, standing: Standing, chosen: Settings, *, as_json: bool) -> None:
    in_stream = model == chosen.model and chosen.model_version in ("", standing.live)
    if as_json:
        facts: dict[str, Any] = {"model": model, **standing.model_dump(mode="json"), "served": standing.served}
        echo_json({**facts, "stream_model": chosen.model, "in_stream": in_stream})
        return
    before = f"; before it {standing.previous}, which stays loaded for `roll-back`" if standing.previous else ""
    if in_stream:
        echo(f"{model}@{standing.live} is live{before}")
        return
    echo(f"Triton serves {model}@{standing.live} to whoever asks for {model}{before}.")
    echo(f"The stream does not ask for it. {describe_stream_model(chosen)}")
    if model == chosen.model:
        echo("Take UNCIA_MODEL_VERSION out of its settings, and the stream asks the live version.")
    else:
        echo(describe_switch(chosen.model_repository / model / standing.live, chosen))
