"""`uncia harvest measure`: how much accuracy harvested pictures add to photographs of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from uncia.terminal import echo, echo_json, plain_console
from uncia.training import TrainingError
from uncia.training.progress import progress_bar

if TYPE_CHECKING:
    from uncia.training.datasets.splits import Split
    from uncia.training.harvest.benefit import TrainAndPredict

CACHE = Path(".local/features")


def measure(
    folder: Annotated[Path, typer.Argument(help="Folder of a harvest, or any dataset to add.")],
    beside: Annotated[
        Path, typer.Option(help="Your photographs: class folders, Camtrap DP, COCO Camera Traps, or a table.")
    ],
    bursts: Annotated[
        int | None,
        typer.Option(
            "--bursts-per-label",
            min=1,
            help="Train on at most so many bursts of yours of each label, as if you had few.",
            show_default="all",
        ),
    ] = None,
    split_by: Annotated[
        str, typer.Option(help="Unit that is never divided between subsets: burst or camera.")
    ] = "burst",
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the split and of the bursts.")] = 1,
    cache: Annotated[Path, typer.Option(help="Folder of cached features, shared with `uncia train`.")] = CACHE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train heads without and with the harvested pictures, and compare them on your test photographs.

    Where doubtful labels are down-weighted, a third head is trained with equal weights. Intervals: 95 %, by burst.
    Pictures that are copies of your photographs are left out.
    """
    from uncia.training.datasets.reading import read_dataset
    from uncia.training.harvest.benefit import measure_benefit

    if split_by not in ("burst", "camera"):
        raise TrainingError(f"no split by {split_by!r}: use burst or camera")
    with progress_bar("measuring", shown=not as_json, log_description=False):
        benefit = measure_benefit(
            read_dataset(beside),
            read_dataset(folder),
            head_trainer(cache),
            seed=seed,
            by="camera" if split_by == "camera" else "burst",
            bursts_per_label=bursts,
        )
    if as_json:
        echo_json(benefit.as_json())
        return
    table = Table("trained on", "accuracy", "more than without")
    table.add_row("your photographs", str(benefit.without), "")
    table.add_row("with the harvest, doubtful labels down-weighted", str(benefit.with_harvest), str(benefit.difference))
    if benefit.equal_weights is not None:
        table.add_row(
            "with the harvest, equal weights", str(benefit.equal_weights), str(benefit.difference_equal_weights)
        )
    echo(f"{benefit.own:,} of your photographs, {benefit.harvested:,} harvested, {benefit.test:,} for the test")
    plain_console(highlight=False).print(table)
    echo(f"mean over labels: {benefit.balanced_without:.3f} without, {benefit.balanced_with:.3f} with the harvest")
    if benefit.down_weighted:
        echo(f"{benefit.down_weighted:,} harvested pictures have a weight below 1")
    if benefit.copies:
        echo(f"{benefit.copies} harvested pictures are copies of your photographs and were left out")


def head_trainer(cache: Path) -> "TrainAndPredict":
    """Trains heads on features of EfficientNet-Lite0, which are cached in this folder."""

    def train(split: "Split") -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        from uncia.training.features.backbone_registry import load_backbone
        from uncia.training.heads.training import HeadSettings, train_head

        model = train_head(split, load_backbone("efficientnet-lite0"), HeadSettings(), cache)
        labels = {entry.index: entry.label for entry in model.classes}
        test = model.test
        predicted = [labels[int(index)] for index in test.logits.argmax(axis=1)]
        return [labels[int(index)] for index in test.truth], predicted, [str(burst) for burst in test.bursts]

    return train
