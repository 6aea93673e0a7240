"""Make a package from a user's ONNX detector and its description."""

from pathlib import Path

from uncia.serving.detector_card import DetectorCard
from uncia.triton_models.importing.detector_description import DetectorDescription, read_detector_description
from uncia.triton_models.importing.detector_wrapping import wrap_detector
from uncia.triton_models.importing.graph_refusals import describe_weights, refusing_graph
from uncia.triton_models.packages.detector_writing import write_detector_package
from uncia.triton_models.packages.validation import ValidatedPackage, validate_package
from uncia.triton_models.packages.writing import Provenance, render_page
from uncia.triton_models.releases.installation import validate_model_name


def make_detector_package(graph: Path, description: Path, out: Path) -> ValidatedPackage[DetectorCard]:
    """Wrap the graph and write it as a package into `out`. Raises `ModelRefused` with the problem in one sentence."""
    return package_detector(graph, read_detector_description(description), out)


def package_detector(graph: Path, described: DetectorDescription, out: Path) -> ValidatedPackage[DetectorCard]:
    """Wrap a graph with this description and write it as a package. Raises `ModelRefused`."""
    name = validate_model_name(described.name)
    wrapped = wrap_detector(graph, described)
    weights = describe_weights(graph, described.source)
    with refusing_graph(graph, out):
        card = write_detector_package(
            out,
            wrapped,
            model=name,
            frame=described.frame.spec,
            threshold=described.threshold,
            origin=Provenance(weights, described.licence, described.trained_on, described.notes),
            page=_page(described, graph),
        )
        package = validate_package(out)
    return ValidatedPackage(package.folder, card, package.page)


def _page(described: DetectorDescription, graph: Path) -> str:
    frame, pixels, output = described.frame, described.input, described.output
    x, y, width, height = described.placement
    rows = [
        ("field", "value"),
        ("file", graph.name),
        ("source", described.source or "not given"),
        ("licence", described.licence or "not given"),
        ("trained on", described.trained_on or "not given"),
        ("classes", ", ".join(name or "left out" for name in described.categories)),
        ("threshold", f"{described.threshold:g}"),
        (
            "frame",
            f"{frame.width} x {frame.height}, without {frame.crop_top:.0%} above and {frame.crop_bottom:.0%} below",
        ),
        (
            "input",
            f"{' x '.join(map(str, described.input_size))}, {pixels.fit}: the frame at {x}, {y} as {width} x {height}",
        ),
        (
            "pixels",
            f"{pixels.channels}, {pixels.layout}, times {pixels.scale:g}, minus {pixels.mean}, divided by {pixels.std}",
        ),
        ("output", f"{output.kind}, boxes by {output.format} in {output.units}, scores as {output.scores}"),
    ]
    text = ["Imported from an ONNX file: it has not been evaluated on your cameras.", described.notes]
    return render_page(described.name, [line for line in text if line], {"Description": rows})
