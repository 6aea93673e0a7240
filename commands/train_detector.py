"""`uncia train detector`: fine-tune a detector on boxes."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from uncia.commands.reviewed_source import training_source
from uncia.commands.training_runs import check_output_folder, progress_bars, work_folder
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.detector_card import read_active_detector_card
from uncia.settings import settings
from uncia.terminal import echo, echo_json
from uncia.training import TrainingError

if TYPE_CHECKING:
    from uncia.training.detectors.package_writing import DetectorPackage

Freeze = Literal["backbone", "neck", "none"]
Precision = Literal["auto", "int8", "float32"] | None

_STRIDE = 32
"""The coarsest stride of the network, by which width and height of a frame are divisible."""


def detector(
    source: Annotated[
        Path,
        typer.Argument(
            help="COCO file of `uncia data boxes`, any dataset with boxes (blanks are negatives), or `catalogue`: "
            "reviewed bursts."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the package, for `uncia models install`.")],
    architecture: Annotated[
        Literal["yolox", "fasterrcnn"],
        typer.Option(help="yolox: the default detector, from its published weights; fasterrcnn: torchvision's."),
    ] = "yolox",
    weights: Annotated[
        Path | None,
        typer.Option(help="File with the weights to start from.", show_default="UNCIA_DETECTOR_WEIGHTS; none"),
    ] = None,
    freeze: Annotated[
        Freeze, typer.Option(help="What stays as it is: backbone, neck (backbone and pyramid), or none.")
    ] = "backbone",
    epochs: Annotated[int, typer.Option(min=1, help="Maximum number of epochs.")] = 12,
    patience: Annotated[int, typer.Option(min=1, help="Stop after this many epochs without a better score.")] = 3,
    batch: Annotated[int, typer.Option(min=1, help="Photographs per batch.")] = 8,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate.")] = 2e-4,
    scale: Annotated[
        float, typer.Option(min=0.1, max=1, help="Size of the frames in training, as a share of the served frame.")
    ] = 0.7,
    frame: Annotated[
        str,
        typer.Option(
            help="Width and height of the served frame, in multiples of 32; the time of an inference is in proportion "
            "to its pixels."
        ),
    ] = "640x480",
    precision: Annotated[
        Precision,
        typer.Option(
            help="int8 (yolox only) halves the time on a CPU, and is kept where the held-out frames show no loss; "
            "float32 for GPUs; auto: float32 where the installed detector is served by Triton's onnxruntime.",
            show_default="UNCIA_DETECTOR_PRECISION",
        ),
    ] = None,
    negatives: Annotated[
        float, typer.Option(min=0, help="Blanks per epoch as a share of the frames with boxes; the hardest are chosen.")
    ] = 0.5,
    kind: Annotated[str, typer.Option(help="Format: auto, folders, camtrap-dp, coco or table.")] = "auto",
    split_by: Annotated[
        Literal["auto", "burst", "camera"],
        typer.Option(help="The unit that the split keeps in one subset; auto: camera where three or more are known."),
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split and of everything random.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fine-tune a detector on boxes, with hard-negative mining, and write it as a package of `animal_detector`.

    A run that was stopped resumes when the same command is repeated.
    """
    check_output_folder(out)
    spec, int8 = _frame(frame), _is_int8(precision)
    source = training_source(source, boxes=True, quiet=as_json)
    with progress_bars(shown=not as_json) as progress:
        from uncia.training.detectors.annotated_frames import read_annotated_frames, split_frames
        from uncia.training.detectors.package_writing import write_detector_package
        from uncia.training.detectors.training import fine_tune_default, train_faster_rcnn
        from uncia.training.detectors.training_loop import LoopSettings

        data = read_annotated_frames(source, kind, lambda done, total: progress("reading the data", done, total))
        if not any(frame.boxes for frame in data.frames):
            raise TrainingError(f"{source} has no boxes: `uncia data boxes {source} --out boxes.json` makes some")
        parts = split_frames(data.frames, seed=seed, by=None if split_by == "auto" else split_by)

        chosen = LoopSettings(epochs, patience, batch, rate, scale, negatives=negatives, seed=seed)
        work = work_folder(out)
        if architecture == "fasterrcnn":
            finished = train_faster_rcnn(parts, weights, chosen, work, progress, spec)
        else:
            published = weights or settings().detector_weights
            finished = fine_tune_default(parts, published, chosen, freeze, work, progress, spec)
        package = write_detector_package(finished, data, parts, out.resolve(), seed=seed, int8=int8, progress=progress)
        shutil.rmtree(work_folder(out), ignore_errors=True)
    _report(package, as_json)


def resolved_for_elsewhere(values: dict[str, Any]) -> dict[str, Any]:
    """The values of the command with what settings and the installed detector here decide, for another machine."""
    resolved = {**values, "precision": "int8" if _is_int8(values["precision"]) else "float32"}
    if values["architecture"] == "yolox" and values["weights"] is None:
        resolved["weights"] = settings().detector_weights
    return resolved


def _frame(text: str) -> FrameSpec:
    """The frame of this size. Raises `typer.BadParameter`."""
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise typer.BadParameter(f"{text!r} is no width and height, as 640x480", param_hint="--frame")
    if int(width) % _STRIDE or int(height) % _STRIDE:
        raise typer.BadParameter(f"{text}: width and height must be multiples of {_STRIDE}", param_hint="--frame")
    return FrameSpec(width=int(width), height=int(height), window=max(int(width), int(height)))


def _is_int8(precision: Precision) -> bool:
    chosen = settings()
    wanted = precision or chosen.detector_precision
    if wanted != "auto":
        return wanted == "int8"
    installed = read_active_detector_card(chosen)
    return installed is None or installed.backend == "python"


def _report(package: "DetectorPackage", as_json: bool) -> None:
    if as_json:
        echo_json(
            {
                "folder": str(package.folder),
                "model": package.card.model,
                "onnx_sha256": package.card.onnx_sha256,
                "test": {
                    when: {name: interval.as_dict() for name, interval in figures.items()}
                    for when, figures in package.figures.items()
                },
                "notes": list(package.notes),
            }
        )
        return
    before = package.figures.get("before", {})
    for name, interval in package.figures["after"].items():
        earlier = f"   before training {before[name]}" if name in before else ""
        echo(f"{name:<36} {interval}{earlier}")
    for note in package.notes:
        echo(f"note: {note}", err=True)
    echo(f"{package.folder} contains the detector; its card.html shows the evaluation.")
    echo(f"Install it as a new version: uncia models install {package.folder}")
