"""Make a package from a user's ONNX file and its description."""

from pathlib import Path

from uncia.serving.model_card import ModelCard
from uncia.triton_models.importing.class_list import read_labels
from uncia.triton_models.importing.description import GraphDescription, read_description
from uncia.triton_models.importing.graph_refusals import batch_hint, describe_weights, refusing_graph
from uncia.triton_models.packages.validation import ValidatedPackage, validate_package
from uncia.triton_models.packages.writing import render_page, write_package
from uncia.triton_models.releases.installation import validate_model_name


def make_package(graph: Path, description: Path, out: Path) -> ValidatedPackage[ModelCard]:
    """Wrap the graph and write it as a package into `out`. Raises `ModelRefused` with the problem in one sentence."""
    return package_classifier(graph, read_description(description), out)


def package_classifier(graph: Path, described: GraphDescription, out: Path) -> ValidatedPackage[ModelCard]:
    """Wrap a graph with this description and write it as a package. Raises `ModelRefused`."""
    from uncia.triton_models.importing.wrapping import wrap

    name = validate_model_name(described.name)
    labels = read_labels(described.labels, name, described.source)
    wrapped = wrap(graph, described, len(labels.classes))

    def hint(problem: str) -> str:
        if "no probability" in problem and described.output.kind == "probabilities":
            return '; if its outputs are logits, set output.kind = "logits" in the description'
        return batch_hint(problem)

    with refusing_graph(graph, out, hint):
        write_package(
            out,
            wrapped,
            model=name,
            frame=described.frame.spec,
            labels=labels,
            weights=describe_weights(graph, described.source),
            licence=described.licence,
            page=_page(described, graph, len(labels.classes)),
        )
        package = validate_package(out)
    assert isinstance(package.card, ModelCard)
    return ValidatedPackage(package.folder, package.card, package.page)


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
