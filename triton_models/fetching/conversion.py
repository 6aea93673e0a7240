"""Turn a publisher's file into a package: read it, export it as ONNX, and wrap it like an imported model."""

import json
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from uncia.errors import UnciaError, how_to_install
from uncia.triton_models.fetching.catalogue import PublishedModel
from uncia.triton_models.importing.description import GraphDescription
from uncia.triton_models.importing.detector_description import DetectorDescription, DetectorFrame
from uncia.triton_models.importing.detector_import import package_detector
from uncia.triton_models.importing.importing import package_classifier

_MEGADETECTOR_CATEGORIES = ("animal", "person", "vehicle")
_SIDE = 640
_SPECIESNET_SIDE = 480
_SPECIESNET_STRIP = 0.14
"""Of each edge above and below: the publisher cuts off 400 pixels, of photographs whose height is often 1,440."""

_MAX_MEMBER_BYTES = 2 << 30


class ConversionRefused(UnciaError):
    """A file cannot be converted here; it is kept."""


def convert(entry: PublishedModel, file: Path, out: Path, *, trust_code: bool = False) -> Path:
    """Write the package of a downloaded file to `out`, and return it.

    `trust_code` permits files that contain a program. Raises `ConversionRefused`, `ModelRefused`, `CheckpointRefused`.
    """
    if entry.format in ("yolov9-s", "yolov9-c"):
        return package_detector(_yolov9(entry, file), detector_description(entry), out).folder
    if entry.format in ("rtdetr-r18", "rtdetr-r101"):
        return package_detector(_rtdetr(entry, file), detector_description(entry), out).folder
    if entry.format == "speciesnet":
        return _speciesnet(entry, file, out, trust_code=trust_code)
    if entry.format == "onnx":
        return package_detector(file, detector_description(entry), out).folder
    raise ConversionRefused(_export_elsewhere(entry, file))


def detector_description(entry: PublishedModel) -> DetectorDescription:
    """How the ONNX file of an entry's detector is read, by `uncia models import` as well."""
    # YOLO keeps the shape of the frame. RT-DETR takes a square, to which the stream scales the photograph in one step.
    fit, frame = "letterbox", DetectorFrame()
    outputs: dict[str, object] = {"kind": "yolo"}
    if entry.format in ("yolov9-s", "yolov9-c"):
        names = {"boxes": "boxes", "scores_tensor": "logits"}
        outputs = {"kind": "pair", "format": "corners", "scores": "logits", "iou": 0.5, **names}
    elif entry.format in ("rtdetr-r18", "rtdetr-r101"):
        outputs = {"kind": "rtdetr", "boxes": "pred_boxes", "scores_tensor": "pred_logits"}
        fit, frame = "stretch", DetectorFrame(width=_SIDE, height=_SIDE)
    return DetectorDescription.model_validate(
        {
            "kind": "detector",
            "name": entry.model_name,
            "categories": _MEGADETECTOR_CATEGORIES,
            "frame": frame,
            "input": {"layout": "NCHW", "scale": 1 / 255, "width": _SIDE, "height": _SIDE, "fit": fit},
            "output": outputs,
            "source": f"{entry.publisher}, {entry.page}",
            "licence": entry.licence,
            "trained_on": "camera-trap photographs of its publisher",
            "notes": f"{entry.architecture}.",
        }
    )


def _yolov9(entry: PublishedModel, file: Path) -> Path:
    """The file as ONNX, next to it. The network is freed before the graph is packaged, which needs memory too."""
    try:
        from uncia.triton_models.fetching import yolov9
    except ImportError as error:
        raise _missing_package(error) from error
    network = yolov9.YoloV9(yolov9.small() if entry.format == "yolov9-s" else yolov9.compact())
    yolov9.load_checkpoint(network, file)
    graph = file.with_suffix(".onnx")
    yolov9.export_network(network, graph, _SIDE)
    return graph


def _rtdetr(entry: PublishedModel, file: Path) -> Path:
    """The file as ONNX, next to it."""
    try:
        from uncia.triton_models.fetching import rtdetr
    except ImportError as error:
        raise _missing_package(error) from error
    network = rtdetr.RtDetr(rtdetr.CONFIGS[entry.format])
    rtdetr.load_checkpoint(network, file)
    graph = file.with_suffix(".onnx")
    rtdetr.export_network(network, graph)
    return graph


def _missing_package(error: ImportError) -> UnciaError:
    return UnciaError(f"converting needs the package {error.name}: {how_to_install('models')}")


def _export_elsewhere(entry: PublishedModel, file: Path) -> str:
    path = file.with_suffix(".json")
    content = detector_description(entry).model_dump(mode="json", exclude_defaults=True)
    path.write_text(json.dumps({"kind": "detector", **content}, indent=1) + "\n", encoding="utf-8")
    return (
        f"{entry.full_name} was downloaded to {file}, and Uncia does not contain its network: export it to ONNX with "
        f"the Python package ultralytics (one input, 640 x 640, any batch), then run `uncia models import "
        f"{file.with_suffix('.onnx')} --description {path}`"
    )


def _speciesnet(entry: PublishedModel, file: Path, out: Path, *, trust_code: bool) -> Path:
    folder = file.with_name(file.name + ".files")
    info = _unpack_speciesnet(file, folder)
    if not trust_code:
        raise ConversionRefused(
            f"the classifier of {entry.full_name} is a pickled program, which can do anything when it is opened: if "
            f"you trust {entry.publisher} and {entry.page}, run the command again with --trust-code"
        )
    graph = folder / "classifier.onnx"
    _export_pickled(folder / info["classifier"], graph)
    strip = _SPECIESNET_STRIP if info.get("type") == "full_image" else 0.0
    side = _SPECIESNET_SIDE
    described = GraphDescription.model_validate(
        {
            "name": entry.model_name,
            "labels": folder / info["classifier_labels"],
            "frame": {"width": side, "height": side, "crop_top": strip, "crop_bottom": strip},
            "input": {"layout": "NHWC", "scale": 1 / 255},
            "output": {"kind": "logits"},
            "source": f"{entry.publisher}, {entry.page}",
            "licence": entry.licence,
        }
    )
    return package_classifier(graph, described, out).folder


def _unpack_speciesnet(file: Path, folder: Path) -> dict[str, Any]:
    """Extract `info.json` and the two files that it names, whatever folder they are in; returns its content."""
    try:
        with tarfile.open(file, "r:*") as archive:
            members = {Path(member.name).name: member for member in archive.getmembers() if member.isfile()}

            def read(name: str) -> IO[bytes]:
                member = members.get(name)
                opened = archive.extractfile(member) if member and member.size <= _MAX_MEMBER_BYTES else None
                if opened is None:
                    raise ConversionRefused(f"{file} is not a release of SpeciesNet: it has no {name}")
                return opened

            info: dict[str, Any] = json.load(read("info.json"))
            folder.mkdir(exist_ok=True)
            for key in ("classifier", "classifier_labels"):
                _copy(read, str(info[key]), folder, file)
            return info
    except (tarfile.TarError, EOFError, OSError, KeyError, TypeError, ValueError) as error:
        raise ConversionRefused(f"{file} is not a release of SpeciesNet: {error or type(error).__name__}") from error


def _copy(read: Callable[[str], IO[bytes]], name: str, folder: Path, file: Path) -> None:
    if Path(name).name != name:
        raise ConversionRefused(f"{file} is not a release of SpeciesNet: {name!r} is no file name")
    with read(name) as source, (folder / name).open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)


def _export_pickled(path: Path, graph: Path) -> None:
    try:
        import torch
    except ImportError as error:
        raise _missing_package(error) from error
    try:
        network = torch.load(path, map_location="cpu", weights_only=False)
    except ModuleNotFoundError as error:
        raise ConversionRefused(
            f"{path.name} needs the Python package {error.name}: install it next to Uncia (pip install {error.name}), "
            "and run the command again"
        ) from error
    except Exception as error:  # a pickle can raise anything
        raise ConversionRefused(f"{path} cannot be opened: {(str(error).splitlines() or [''])[0][:200]}") from error
    if not isinstance(network, torch.nn.Module):
        raise ConversionRefused(f"{path} contains no network, but {type(network).__name__}")
    side = _SPECIESNET_SIDE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network.eval(),
                (torch.zeros(1, side, side, 3),),
                str(graph),
                opset_version=17,
                dynamo=False,
                input_names=["pixels"],
                output_names=["logits"],
                dynamic_axes={"pixels": {0: "batch"}, "logits": {0: "batch"}},
            )
    except (RuntimeError, TypeError, ValueError) as error:
        raise ConversionRefused(f"{path} cannot be exported: {(str(error).splitlines() or [''])[0][:200]}") from error
