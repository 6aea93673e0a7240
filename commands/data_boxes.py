"""`uncia data boxes`: boxes for photographs that have labels only."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uncia.commands.reviewed_source import training_source
from uncia.settings import settings
from uncia.terminal import echo, echo_json
from uncia.training import TrainingError
from uncia.training.datasets.dataset import FORMATS
from uncia.training.datasets.reading import read_dataset
from uncia.training.progress import progress_bar

if TYPE_CHECKING:
    from uncia.training.box_proposals.making import ProposedBoxes
    from uncia.training.box_proposals.proposal import Source
    from uncia.training.box_proposals.sources import BoxSources
    from uncia.training.evaluation.bootstrap import Interval

_LISTED = 10


def boxes(
    source: Annotated[
        Path,
        typer.Argument(
            help="Class folders, Camtrap DP, a COCO Camera Traps file, or a table; `catalogue`: reviewed bursts."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="COCO file to write; `uncia train detector` reads it.")],
    sources: Annotated[
        str,
        typer.Option(
            help="Where boxes come from: lime (slow: --samples inferences a photograph), windows, movement, "
            "detector; separated by commas."
        ),
    ] = "lime,windows,movement,detector",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Number of photographs, of each class in turn.", show_default="all")
    ] = None,
    samples: Annotated[int, typer.Option(min=2, help="Pictures that LIME scores for each photograph.")] = 300,
    percentile: Annotated[
        float, typer.Option(min=0, max=100, help="Superpixels below this percentile of the weights are dropped.")
    ] = 80.0,
    package: Annotated[
        Path | None,
        typer.Option(help="Model package for lime and windows.", show_default="the live model of the repository"),
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(help="Detector package.", show_default="the live detector of the repository"),
    ] = None,
    kind: Annotated[str, typer.Option(help=f"Format of the source: auto, or {', '.join(FORMATS)}.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of LIME's samples and of the intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Propose boxes from several sources, clean and merge them, and write them as COCO.

    A run that was stopped resumes when the same command is repeated. Where the dataset has boxes, their overlap with
    the proposed ones is reported; the written file contains the proposed ones.
    """
    from uncia.training.box_proposals.making import coco_document, propose_boxes, write_coco
    from uncia.training.box_proposals.report import compare_with_truth
    from uncia.training.detectors.annotated_frames import read_annotated_frames

    names = _parse_sources(sources)
    if not out.resolve().parent.is_dir():
        raise TrainingError(f"{out.resolve().parent} does not exist: create it, or name another file with --out")
    shown = not as_json
    source = training_source(source, quiet=as_json)
    with progress_bar("reading EXIF", shown=shown, log_description=False) as progress:
        dataset = read_dataset(source, kind, progress=progress)
    opened = _open_sources(names, package, detector, samples, percentile, seed)
    journal = out.with_name(f".{out.name}.journal")
    with progress_bar("proposing boxes", shown=shown) as progress:
        proposed = propose_boxes(dataset, opened, journal, limit=limit, progress=progress)
    if not any(frame.boxes for frame in proposed.frames):
        reason = next(iter(proposed.unreadable.values()), "the sources found none")
        raise TrainingError(f"no boxes for {source}: {reason}")
    document = coco_document(proposed, out, f"boxes of {dataset.source}, from {', '.join(names)}")
    write_coco(document, out)
    journal.unlink(missing_ok=True)
    frames = read_annotated_frames(source, kind).frames
    truth = {frame.path: [true.box for true in frame.boxes] for frame in frames}
    figures = compare_with_truth(proposed.frames, truth, names, seed=seed)
    facts = _facts(proposed, document, out, figures)
    echo_json(facts) if as_json else _print(facts, figures)


def _facts(
    proposed: "ProposedBoxes", document: dict[str, Any], out: Path, figures: "dict[str, dict[str, Interval]]"
) -> dict[str, object]:
    """What was found, for the output in JSON and in words."""
    return {
        "file": str(out),
        "images": len(document["images"]),
        "boxes": sum("bbox" in entry for entry in document["annotations"]),
        "blank": sum(frame.blank for frame in proposed.frames),
        "without a box": sum(not frame.blank and not frame.boxes for frame in proposed.frames),
        "unreadable": {str(path): why for path, why in sorted(proposed.unreadable.items())},
        "overlap": {name: {key: interval.as_dict() for key, interval in own.items()} for name, own in figures.items()},
    }


def _parse_sources(text: str) -> "tuple[Source, ...]":
    from uncia.training.box_proposals.proposal import SOURCES

    wanted = [name.strip() for name in text.split(",") if name.strip()]
    if not wanted or (unknown := sorted(set(wanted) - set(SOURCES))):
        what = f"no source {unknown[0]!r}" if wanted else "no source"
        raise TrainingError(f"--sources {text}: {what}; choose from {', '.join(SOURCES)}")
    return tuple(name for name in SOURCES if name in wanted)


def _open_sources(
    names: "tuple[Source, ...]",
    package: Path | None,
    detector: Path | None,
    samples: int,
    percentile: float,
    seed: int,
) -> "BoxSources":
    from uncia.explaining.boxes import BoxRules
    from uncia.explaining.explain import ExplanationOptions
    from uncia.training.box_proposals.sources import BoxSources, open_detector
    from uncia.triton_models.packages.loading import PackageError, open_package

    chosen = settings()
    classifier = opened = None
    try:
        if {"lime", "windows"} & set(names):
            classifier = open_package(package or chosen.model_repository / chosen.model)
        if "detector" in names:
            opened = open_detector(detector or chosen.model_repository / (chosen.detector or "animal_detector"))
    except PackageError as error:
        raise TrainingError(f"{error}: `uncia models build` makes it, or leave its source out of --sources") from error
    options = ExplanationOptions(samples=samples, seed=seed, boxes=replace(BoxRules(), percentile=percentile))
    return BoxSources(names, classifier, opened, options)


def _print(facts: dict[str, object], figures: "dict[str, dict[str, Interval]]") -> None:
    unreadable = facts["unreadable"]
    assert isinstance(unreadable, dict)
    for path, why in list(unreadable.items())[:_LISTED]:
        echo(f"skipped: {path}: {why}", err=True)
    for name, own in figures.items():
        echo(f"{name:<10} " + "   ".join(f"{key} {interval}" for key, interval in own.items()))
    echo(
        f"{facts['file']}: {facts['boxes']} boxes in {facts['images']} images, of which {facts['blank']} are blank; "
        f"no box was found in {facts['without a box']} others, which were left out."
    )
