"""`uncia train`: train a model on a folder of photographs and write a model package."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from uncia.commands.train_animal_or_not import animal_or_not
from uncia.commands.train_detector import detector, resolved_for_elsewhere
from uncia.commands.train_elsewhere import attach, can_run_elsewhere, cancel, runs
from uncia.commands.train_presence import presence
from uncia.commands.train_sound import sound
from uncia.commands.training_runs import ProgressReporter, train_package, work_folder
from uncia.training import TrainingError

if TYPE_CHECKING:
    from uncia.training.datasets.splits import Split
    from uncia.training.model_packages.trained_model import TrainedModel

app = typer.Typer(help="Train a model on your photographs or sound recordings.", no_args_is_help=True)
app.command()(can_run_elsewhere(animal_or_not))
app.command()(can_run_elsewhere(presence))
app.command()(can_run_elsewhere(detector, resolve=resolved_for_elsewhere))
app.command()(sound)
app.command()(attach)
app.command()(runs)
app.command()(cancel)

CACHE = Path(".local/features")

Source = Annotated[
    Path,
    typer.Argument(
        help="Folders named by class, Camtrap DP, COCO Camera Traps, or a table; `catalogue`: reviewed bursts."
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder of the model package; its name becomes the model's.")]
Kind = Annotated[str, typer.Option(help="Format of the source: auto, folders, camtrap-dp, coco or table.")]
By = Annotated[str, typer.Option("--split-by", help="Unit that is never divided between subsets: burst or camera.")]
Seed = Annotated[int, typer.Option(help="Random seed of the split and the training.")]
Precision = Annotated[
    float, typer.Option(help="Target of the thresholds: minimum precision on the held-out bursts, 0 to 1.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
InputModeName = Literal["whole", "windows", "crops"]
Augment = Literal["none", "mirror", "mirror+colour"]
AugmentOption = Annotated[
    Augment, typer.Option(help="Additional training frames: none, mirrored, or mirrored and recoloured.")
]
BackboneName = Annotated[
    str, typer.Option(help="Backbone: efficientnet-lite0, -lite1, -lite2, or a torchvision network such as resnet50.")
]
Weights = Annotated[Path | None, typer.Option(help="File with a torchvision network's weights.")]
Keep = Annotated[
    list[str],
    typer.Option(
        help="Class of the published network, by label or taxon, that the head retains, with or without "
        "photographs of it; repeatable.",
        show_default="none",
    ),
]
Cut = Annotated[str, typer.Option(help="Layer whose features are used.", show_default="the deepest layer")]
Epochs = Annotated[int, typer.Option(min=1, help="Maximum number of epochs.")]
Patience = Annotated[int, typer.Option(min=1, help="Stop after this many epochs without a lower held-out loss.")]
Batch = Annotated[int, typer.Option(min=1, help="Photographs per batch.")]
Cache = Annotated[Path, typer.Option(help="Folder that caches features between runs.")]


@app.command()
@can_run_elsewhere
def head(
    source: Source,
    out: Out,
    backbone: BackboneName = "efficientnet-lite0",
    weights: Weights = None,
    cut: Cut = "",
    look: Annotated[
        InputModeName,
        typer.Option(
            help="Regions to train on: whole (the whole frame), windows (the best windows), crops (windows and crops)."
        ),
    ] = "windows",
    augment: AugmentOption = "mirror",
    keep: Keep = [],  # noqa: B006, typer reads it and never changes it
    penalty: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="L2 penalty of the regression; a higher value makes a simpler model.",
            show_default="chosen on held-out photographs",
        ),
    ] = None,
    kind: Kind = "auto",
    split_by: By = "burst",
    seed: Seed = 0,
    precision: Precision = 0.9,
    cache: Cache = CACHE,
    as_json: Json = False,
) -> None:
    """Train a logistic regression on deep features of a published network. Needs the fewest photographs."""

    def train(split: "Split", progress: ProgressReporter) -> "TrainedModel":
        from uncia.training.features.backbone_registry import load_backbone
        from uncia.training.heads.training import HeadSettings, train_head

        settings = HeadSettings(
            cut=cut, input_mode=look, augmentations=AUGMENTS[augment], keep=tuple(keep), penalty=penalty
        )
        return train_head(split, load_backbone(backbone, weights), settings, cache, progress)

    train_package(source, out, train, kind=kind, split_by=split_by, seed=seed, precision=precision, as_json=as_json)


@app.command("fine-tune")
@can_run_elsewhere
def fine_tune_command(
    source: Source,
    out: Out,
    backbone: BackboneName = "efficientnet-lite0",
    weights: Weights = None,
    cut: Cut = "",
    look: Annotated[
        Literal["whole", "windows"],
        typer.Option(help="Regions to train on: whole (the whole frame) or windows (the best windows)."),
    ] = "windows",
    augment: AugmentOption = "mirror",
    blocks: Annotated[str, typer.Option(help="Number of last blocks that are trained, or `all`.")] = "3",
    epochs: Epochs = 20,
    patience: Patience = 4,
    batch: Batch = 16,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate of the trained blocks.")] = 1e-4,
    kind: Kind = "auto",
    split_by: By = "burst",
    seed: Seed = 0,
    precision: Precision = 0.9,
    cache: Cache = CACHE,
    as_json: Json = False,
) -> None:
    """Train a head and then the last blocks of the network. Needs more photographs, and time or a GPU."""
    if not (blocks == "all" or (blocks.isdigit() and int(blocks) > 0)):
        raise TrainingError(f"--blocks {blocks}: must be a number, or all")

    def train(split: "Split", progress: ProgressReporter) -> "TrainedModel":
        from uncia.training.features.backbone_registry import load_backbone
        from uncia.training.heads.training import HeadSettings
        from uncia.training.networks.fine_tune import FineTuneSettings, fine_tune

        settings = FineTuneSettings(
            head=HeadSettings(cut=cut, input_mode=look, augmentations=AUGMENTS[augment]),
            blocks=None if blocks == "all" else int(blocks),
            epochs=epochs,
            patience=patience,
            batch=batch,
            trunk_rate=rate,
        )
        network = load_backbone(backbone, weights)
        return fine_tune(split, network, settings, seed, cache, work_folder(out), progress)

    train_package(source, out, train, kind=kind, split_by=split_by, seed=seed, precision=precision, as_json=as_json)


@app.command()
@can_run_elsewhere
def small(
    source: Source,
    out: Out,
    width: Annotated[int, typer.Option(help="Width of the network's input, in pixels.")] = 64,
    height: Annotated[int, typer.Option(help="Height of the network's input, in pixels.")] = 48,
    augment: AugmentOption = "mirror",
    epochs: Epochs = 40,
    patience: Patience = 8,
    batch: Batch = 32,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate.")] = 1e-3,
    kind: Kind = "auto",
    split_by: By = "burst",
    seed: Seed = 0,
    precision: Precision = 0.9,
    as_json: Json = False,
) -> None:
    """Train a small network from scratch on whole frames, with training curves, to learn how training works."""

    def train(split: "Split", progress: ProgressReporter) -> "TrainedModel":
        from uncia.training.networks.small_network import SmallSettings, train_small

        settings = SmallSettings(width, height, epochs, patience, batch, rate, AUGMENTS[augment])
        return train_small(split, settings, seed, work_folder(out), progress)

    train_package(source, out, train, kind=kind, split_by=split_by, seed=seed, precision=precision, as_json=as_json)


AUGMENTS: dict[Augment, tuple[Literal["plain", "mirror", "colour"], ...]] = {
    "none": ("plain",),
    "mirror": ("plain", "mirror"),
    "mirror+colour": ("plain", "mirror", "colour"),
}
