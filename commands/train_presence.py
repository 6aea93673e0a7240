"""`uncia train presence`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from uncia.storage.durable import write_durably
from uncia.terminal import echo, echo_json, plain_console
from uncia.training import TrainingError

if TYPE_CHECKING:
    from uncia.training.evaluation.bootstrap import Interval
    from uncia.training.presence.recipe import TrainedPresence

DETECTOR = Path(".local/models/repository/animal_detector")


def presence(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Data sets with animals, and blanks of the same cameras; several are better. `catalogue`: reviewed."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File of the weights.")] = Path("presence.json"),
    detector: Annotated[
        Path, typer.Option(help="The detector: its package, or the model's folder in the repository.")
    ] = DETECTOR,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps the evidence of each photograph for the next time.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the weights, part of their id.")] = "presence",
    kind: Annotated[str, typer.Option(help="Format: auto, folders, camtrap-dp, coco or table.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit the fusion that decides whether an animal is in a burst, from detector and movement.

    The figures come from models that did not see the data set (or camera) that they are evaluated on.
    """
    from uncia.commands.reviewed_source import training_source
    from uncia.commands.training_runs import progress_bars, source_names
    from uncia.training.datasets.reading import read_dataset
    from uncia.training.presence.evidence import EvidenceCache, collect_evidence, open_detector
    from uncia.training.presence.recipe import train_presence

    if not out.parent.is_dir():
        raise TrainingError(f"{out} cannot be written: there is no folder {out.parent}")
    sources = [training_source(source, quiet=as_json) for source in sources]
    with progress_bars(shown=not as_json) as progress:
        opened = open_detector(detector)
        datasets = [read_dataset(source, kind) for source in sources]
        bursts, unreadable = collect_evidence(
            datasets, source_names(sources), opened, progress, EvidenceCache(cache) if cache else None
        )
        trained = train_presence(bursts, name, seed=seed)
    write_durably(out, trained.model.model_dump_json(indent=1) + "\n")
    if as_json:
        figures = {dataset: own.as_dict() for dataset, own in trained.by_dataset.items()}
        result = {
            "file": str(out),
            "id": trained.model.id,
            "left_out": trained.left_out,
            "figures": figures,
            "threshold": trained.model.threshold,
        }
        echo_json({**result, "warnings": list(trained.warnings), "unreadable": len(unreadable)})
        return
    _print(trained)
    if unreadable:
        echo(f"{len(unreadable)} files could not be read, for example {next(iter(unreadable))}")
    echo(f"{trained.model.id}: {out}, threshold {trained.model.threshold:g}")


def _print(trained: "TrainedPresence") -> None:
    table = Table(
        "data set", "frames", "bursts", "AUC, frames", "AUC, bursts", "box right", "animals", "false alarms / 1,000"
    )
    for dataset, own in trained.by_dataset.items():
        false = own.burst_false_alarms
        table.add_row(
            dataset,
            f"{own.frames} ({own.blank_frames} blank)",
            f"{own.bursts} ({own.blank_bursts} blank)",
            _cell(own.frame_auc),
            _cell(own.burst_auc),
            _cell(own.right_boxes),
            _cell(own.burst_recall),
            "-" if false is None else f"{1000 * false.value:.0f}",
        )
    plain_console().print(table)
    if trained.left_out is not None:
        echo(f"Each row: fitted without this {trained.left_out}; 95 % intervals over bursts.")
    for warning in trained.warnings:
        echo(f"warning: {warning}")


def _cell(interval: "Interval | None") -> str:
    return "-" if interval is None else str(interval)
