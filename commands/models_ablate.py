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
    Source,
    Weights,
)
from uncia.commands.training_runs import progress_bars, read_and_split
from uncia.imaging.frame_spec import FrameSpec
from uncia.storage.durable import replace_durably
from uncia.terminal import echo, echo_json, plain_console
from uncia.training import TrainingError

if TYPE_CHECKING:
    from uncia.training.ablation import AblationResult

Name = TypeVar("Name", bound=str)

_LOG_WIDTH = 130

INPUT_MODES: tuple[InputModeName, ...] = ("whole", "windows", "crops")


def ablate_command(
    source: Source,
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
    backbone: BackboneName = "efficientnet-lite0",
    weights: Weights = None,
    kind: Kind = "auto",
    split_by: By = "burst",
    seed: Seed = 0,
    cache: Cache = CACHE,
    as_json: Json = False,
) -> None:
    """Measure the effect of feature layer, windows, augmentation and burst voting, with 95 % confidence intervals."""
    input_modes, augmentations = _chosen(look, INPUT_MODES), _chosen(augment, tuple(AUGMENTS))
    with progress_bars(shown=not as_json) as tell:
        data, split = read_and_split(source, kind, split_by, seed, tell)
        from uncia.training import ablation
        from uncia.training.features.backbone_registry import load_backbone

        network = load_backbone(backbone, weights)
        chosen = tuple(cuts.split(",")) if cuts else ablation.spread_cuts(network, FrameSpec())
        settings = ablation.AblationSettings(chosen, input_modes, augmentations, seed=seed)
        found = ablation.ablate(data, split, network, settings, cache, keep, tell)
    if plot is not None:
        from uncia.training.model_packages.plots import interval_plot

        title = f"Top-1 on {found.photographs} test photographs of {found.bursts} bursts, 95 % intervals over bursts"
        _write(plot, interval_plot(title, "top-1", [(row.name, row.figures["top-1"]) for row in found.rows]))
    if as_json:
        echo_json({"source": data.source, "backbone": network.name, **ablation.as_json(found)})
        return
    console = plain_console(highlight=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    console.print(_rows(found))
    console.print(_effects(found))
    echo(f"{found.photographs} test photographs of {found.bursts} bursts. {data.source}")
    if keep is not None:
        echo(f"{keep} contains a package of each model; `bursts` is done by the stream, with the rule geometric-mean.")


def _rows(found: "AblationResult") -> Table:
    figures = ("top-1", "mean reciprocal rank", "log loss")
    table = Table("cut", "look", "augmentation", "bursts", *figures)
    for row in found.rows:
        cells = [str(row.figures[name]) for name in figures]
        table.add_row(row.cut, row.input_mode, row.augmentation, "yes" if row.bursts else "no", *cells)
    return table


def _effects(found: "AblationResult") -> Table:
    table = Table("part", "difference in top-1", "does it help?", "difference in log loss", "does it help?")
    for name, own in found.effects.items():
        loss = found.loss_effects[name]
        cells = [f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})" for one in (own, loss)]
        table.add_row(name, cells[0], _verdict(own.low, own.high), cells[1], _verdict(-loss.high, -loss.low))
    return table


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
