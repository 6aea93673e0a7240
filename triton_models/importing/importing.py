"""Make a package from a user's ONNX file and its description."""

from pathlib import Path

from uncia.serving.model_card import ModelCard
from uncia.triton_models.importing.class_list import read_labels
from uncia.triton_models.importing.description import GraphDescription, read_description
from uncia.triton_models.packages.loading import PackageError
from uncia.triton_models.packages.validation import ModelRefused, ValidatedPackage, validate_package
from uncia.triton_models.packages.writing import render_page, write_package
from uncia.triton_models.releases.installation import validate_model_name
from uncia.triton_models.repository import sha256


def make_package(graph: Path, description: Path, out: Path) -> ValidatedPackage[ModelCard]:
    """Wrap the graph and write it as a package into `out`. Raises `ModelRefused` with the problem in one sentence."""
    from uncia.triton_models.importing.wrapping import wrap

    described = read_description(description)
    name = validate_model_name(described.name)
    labels = read_labels(described.labels, name, described.source)
    wrapped = wrap(graph, described, len(labels.classes))
    try:
        write_package(
            out,
            wrapped,
            model=name,
            frame=described.frame.spec,
            labels=labels,
            weights=f"{graph.name} (sha256 {sha256(graph)})" + (f", {described.source}" if described.source else ""),
            licence=described.licence,
            page=_page(described, graph, len(labels.classes)),
        )
    except PackageError as error:
        raise ModelRefused(f"{graph}: {error}") from error
    try:
        package = validate_package(out)
    except ModelRefused as error:
        hint = ""
        if "no probability" in str(error) and described.output.kind == "probabilities":
            hint = '; if its outputs are logits, set output.kind = "logits" in the description'
        elif "2 frames" in str(error):
            hint = "; it takes a batch of one only: export it with a dynamic batch size"
        raise ModelRefused(f"{graph}: {_without_path(str(error), str(out))}{hint}") from error
    assert isinstance(package.card, ModelCard)
    return ValidatedPackage(package.folder, package.card, package.page)


def _without_path(message: str, folder: str) -> str:
    """The message without the path of the temporary package, which the user does not know."""
    return message.replace(f"{folder}/model.onnx", "wrapped").replace("wrapped: ", "")


def _page(described: GraphDescription, graph: Path, classes: int) -> str:
    frame, pixels = described.frame, described.input
    rows = [
        ("field", "value"),
        ("file", graph.name),
        ("source", described.source or "not given"),
        ("licence", described.licence or "not given"),
        ("classes", f"{classes:,}"),
        (
            "frame",
            f"{frame.width} x {frame.height}, without {frame.crop_top:.0%} above and {frame.crop_bottom:.0%} below",
        ),
        (
            "pixels",
            f"{pixels.channels}, {pixels.layout}, times {pixels.scale:g}, minus {pixels.mean}, divided by {pixels.std}",
        ),
        ("output", described.output.kind),
    ]
    text = ["Imported from an ONNX file: it has not been evaluated on your cameras."]
    return render_page(described.name, text, {"Description": rows})
