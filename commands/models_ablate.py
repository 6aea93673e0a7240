"""`uncia models ablate`: measure the effect of each training option on the user's photographs."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table

from uncia.commands.train import (
    AUGMENTS,
    CACHE,
    BackboneName,
    By,
    Cache,
    InputModeName,
    Json,
    Kind,
    Seed,
    Weights,
)
from uncia.commands.train_presence import DETECTOR
from uncia.commands.training_runs import ProgressReporter, progress_bars, read_all_and_split
from uncia.imaging.frame_spec import FrameSpec
from uncia.storage.durable import replace_durably
from uncia.terminal import echo, echo_json, plain_console
from uncia.training import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uncia.training.ablation import AblationResult, PresenceOf
    from uncia.training.datasets.dataset import Sample
    from uncia.training.evaluation.bootstrap import Interval
    from uncia.training.evaluation.burst_rules import Presence, RuleFigures

Name = TypeVar("Name", bound=str)

_LOG_WIDTH = 200

INPUT_MODES: tuple[InputModeName, ...] = ("whole", "windows", "crops")


def ablate_command(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Folders named by class, Camtrap DP, COCO Camera Traps, or tables; several are merged."),
    ],
    cuts: Annotated[
        str,
        typer.Option(
            help="Layers whose features are compared, comma-separated.", show_default="three, from early to the deepest"
        ),
    ] = "",
    look: Annotated[
        str, typer.Option(help="Regions to compare: whole, windows, crops; comma-separated.")
    ] = "whole,windows",
    augment: Annotated[
        str, typer.Option(help="Augmentations to compare: none, mirror, mirror+colour; comma-separated.")
    ] = "none,mirror,mirror+colour",
    keep: Annotated[
        Path | None, typer.Option(help="Write a package of each model to this folder. Default: none.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot of the top-1 accuracies to this SVG file.")] = None,
    detector: Annotated[
        Path | None,
        typer.Option(
            help="Detector of the presence model: its package, or the model's folder in the repository.",
            show_default=f"{DETECTOR}, where it is installed",
        ),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Folder that keeps the detector's evidence of each photograph.")
    ] = None,
    backbone: BackboneName = "efficientnet-lite0",
    weights: Weights = None,
    kind: Kind = "auto",
    split_by: By = "burst",
    seed: Seed = 0,
    cache: Cache = CACHE,
    as_json: Json = False,
) -> None:
    """Measure the effect of feature layer, windows, augmentation and rules for bursts, with 95 % intervals over bursts.

    Frames are compared with their own truth and bursts with the burst's, on two questions: is an animal here, and is
    this taxon here. Figures of cameras and of data sets follow where there are several.
    """
    input_modes, augmentations = _chosen(look, INPUT_MODES), _chosen(augment, tuple(AUGMENTS))
    with progress_bars(shown=not as_json) as tell:
        data, split = read_all_and_split(sources, kind, split_by, seed, tell)
        from uncia.training import ablation
        from uncia.training.features.backbone_registry import load_backbone

        network = load_backbone(backbone, weights)
        chosen = tuple(cuts.split(",")) if cuts else ablation.spread_cuts(network, FrameSpec())
        settings = ablation.AblationSettings(chosen, input_modes, augmentations, seed=seed)
        presence, note = _presence(detector, evidence, tell)
        found = ablation.ablate(data, split, network, settings, cache, keep, tell, presence)
    if plot is not None:
        from uncia.training.model_packages.plots import interval_plot

        title = f"Top-1 on {found.photographs} test photographs of {found.bursts} bursts, 95 % intervals over bursts"
        _write(plot, interval_plot(title, "top-1", [(row.name, row.figures["top-1"]) for row in found.rows]))
    if as_json:
        echo_json({"source": data.source, "backbone": network.name, "presence": note, **ablation.as_json(found)})
        return
    console = plain_console(highlight=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    console.print(_rows(found))
    console.print(_effects(found))
    echo(f"Rules for bursts, with the model of the lowest log loss on the held-out photographs ({found.best}):")
    console.print(_rules(found.rules))
    for place, rules in found.places.items():
        echo(f"{place}:")
        console.print(_rules(rules))
    echo(f"{found.photographs} test photographs of {found.bursts} bursts. {data.source}")
    echo(note)
    for warning in found.warnings:
        echo(f"warning: {warning}")
    if keep is not None:
        echo(f"{keep} contains a package of each model; the stream applies the rules for bursts.")


def _presence(place: Path | None, cache: Path | None, progress: ProgressReporter) -> tuple["PresenceOf | None", str]:
    """The presence model as a rule, and a sentence on it; no rule where no detector is installed."""
    from uncia.camtrap.presence import load_presence_model
    from uncia.training.presence.evidence import EvidenceCache, open_detector
    from uncia.training.presence.prediction import predict_samples

    if place is None and not DETECTOR.exists():
        return None, f"The presence model is left out: there is no detector at {DETECTOR} (`uncia models build`)."
    opened, model = open_detector(place or DETECTOR), load_presence_model()
    kept = EvidenceCache(cache) if cache else None
    note = f"Presence model {model.id}, learnt on {model.learnt_on}: on these data its figures are too good."

    def of_samples(samples: "Sequence[Sample]") -> "Presence":
        return predict_samples(model, opened, samples, kept, progress)

    return of_samples, note


def _rows(found: "AblationResult") -> Table:
    figures = ("top-1", "mean reciprocal rank", "log loss")
    rules = list(found.rows[0].burst_figures)
    table = Table(
        "cut", "look", "augmentation", *(f"frames: {name}" for name in figures), *(f"bursts: {rule}" for rule in rules)
    )
    for row in found.rows:
        cells = [str(row.figures[name]) for name in figures]
        table.add_row(
            row.cut, row.input_mode, row.augmentation, *cells, *(str(row.burst_figures[rule]) for rule in rules)
        )
    return table


def _rules(rules: "dict[str, RuleFigures]") -> Table:
    first = next(iter(rules.values()))
    table = Table("rule", *(f"frames: {name}" for name in first.frames), *(f"bursts: {name}" for name in first.bursts))
    for rule, own in rules.items():
        cells = [*own.frames.values(), *own.bursts.values()]
        table.add_row(rule, *("-" if cell is None else str(cell) for cell in cells))
    return table


def _effects(found: "AblationResult") -> Table:
    table = Table("part", "difference in top-1", "does it help?", "difference in log loss", "does it help?")
    for name, own in found.effects.items():
        cells = [_difference(own), _verdict(own.low, own.high)]
        loss = found.loss_effects.get(name)
        cells += ["-", "-"] if loss is None else [_difference(loss), _verdict(-loss.high, -loss.low)]
        table.add_row(name, *cells)
    return table


def _difference(own: "Interval") -> str:
    return f"{own.value:+.3f} ({own.low:+.3f} to {own.high:+.3f})"


def _verdict(low: float, high: float) -> str:
    return "yes" if low > 0 else "no, it harms" if high < 0 else "undecided"


def _chosen(text: str, known: tuple[Name, ...]) -> tuple[Name, ...]:
    """The known names in a comma-separated list, in its order. Raises `TrainingError` for others."""
    found: dict[Name, None] = {}
    for name in text.split(","):
        if name.strip() not in known:
            raise TrainingError(f"there is no {name.strip()!r}: use {', '.join(known)}")
        found[known[known.index(name.strip())]] = None
    return tuple(found)


def _write(path: Path, text: str) -> None:
    """Write a file atomically."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as draft:
            draft.write(text)
        Path(draft.name).chmod(0o644)
        replace_durably(Path(draft.name), path)
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error.strerror}") from error
