"""From a user's ONNX file and its description to a package."""

from pathlib import Path

from uncia.triton_models.importing.class_list import read_labels
from uncia.triton_models.importing.description import GraphDescription, read_description
from uncia.triton_models.packages.loading import PackageError
from uncia.triton_models.packages.validation import ModelRefused, ValidatedPackage, validate_package
from uncia.triton_models.packages.writing import render_page, write_package
from uncia.triton_models.releases.installation import validate_model_name
from uncia.triton_models.repository import sha256


def make_package(graph: Path, description: Path, out: Path) -> ValidatedPackage:
    """Wrap the graph and write it as a package into `out`. Raises `ModelRefused` in one sentence."""
    from uncia.triton_models.importing.wrapping import wrap

    told = read_description(description)
    name = validate_model_name(told.name)
    labels = read_labels(told.labels, name, told.source)
    whole = wrap(graph, told, len(labels.classes))
    try:
        write_package(
            out,
            whole,
            model=name,
            frame=told.frame.spec,
            labels=labels,
            weights=f"{graph.name} (sha256 {sha256(graph)})" + (f", {told.source}" if told.source else ""),
            licence=told.licence,
            page=_page(told, graph, len(labels.classes)),
        )
    except PackageError as error:
        raise ModelRefused(f"{graph}: {error}") from error
    try:
        return validate_package(out)
    except ModelRefused as error:
        hint = ""
        if "no probability" in str(error) and told.output.kind == "probabilities":
            hint = '; its answers are no probabilities, so output.kind = "logits" may be what the description must say'
        elif "2 frames" in str(error):
            hint = "; it takes one picture at a time: export it with a batch of any size"
        raise ModelRefused(f"{graph}: {_after(str(error), str(out))}{hint}") from error


def _after(message: str, place: str) -> str:
    """Without the path of the draft, which says nothing to anybody."""
    return message.replace(f"{place}/model.onnx", "wrapped").replace("wrapped: ", "")


def _page(told: GraphDescription, graph: Path, classes: int) -> str:
    rows = [
        ("what", "value"),
        ("file", graph.name),
        ("source", told.source or "not told"),
        ("licence", told.licence or "not told"),
        ("classes", f"{classes:,}"),
        ("frame", f"{told.frame.width} x {told.frame.height}, without {told.frame.crop_top:.0%} above and "
                  f"{told.frame.crop_bottom:.0%} below"),
        ("pixels", f"{told.input.channels}, {told.input.layout}, times {told.input.scale:g}, minus {told.input.mean}, "
                   f"divided by {told.input.std}"),
        ("answers", told.output.kind),
    ]  # fmt: skip
    words = ["Imported: somebody else trained it, and nothing here says how well it does on your cameras."]
    return render_page(told.name, words, {"As it was described": rows})
