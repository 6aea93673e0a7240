"""`uncia train`: from a folder of photographs to a model package that the stream serves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from uncia.commands.train_animal_or_not import animal_or_not
from uncia.commands.training_runs import ProgressReporter, train_package, work_folder
from uncia.training import TrainingError

if TYPE_CHECKING:
    from uncia.training.datasets.splits import Split
    from uncia.training.model_packages.trained_model import TrainedModel

app = typer.Typer(help="Learn a model from your photographs.", no_args_is_help=True)
app.command()(animal_or_not)

CACHE = Path(".local/features")

Source = Annotated[Path, typer.Argument(help="Folders named by class, Camtrap DP, COCO Camera Traps, or a table.")]
Out = Annotated[Path, typer.Option("--out", help="The folder of the model package; its name is the model's.")]
Kind = Annotated[str, typer.Option(help="auto, folders, camtrap-dp, coco or table.")]
By = Annotated[str, typer.Option("--split-by", help="burst or camera: what is never on two sides of the split.")]
Seed = Annotated[int, typer.Option(help="Decides the split and everything that is drawn.")]
Precision = Annotated[float, typer.Option(help="Thresholds: so many of the held-out bursts called a class show it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
InputModeName = Literal["whole", "windows", "crops"]
Augment = Literal["none", "mirror", "mirror+colour"]
AugmentOption = Annotated[Augment, typer.Option(help="Learn from mirrored and recoloured frames too.")]
BackboneName = Annotated[
    str, typer.Option(help="efficientnet-lite0, -lite1, -lite2, or a torchvision network such as resnet50.")
]
Weights = Annotated[Path | None, typer.Option(help="File with a torchvision network's weights.")]
Keep = Annotated[
    list[str],
    typer.Option(
        help="A class of the published network, by label or taxon, that the head knows too, with or without "
        "photographs of it; may be given again.",
        show_default="none",
    ),
]
Cut = Annotated[str, typer.Option(help="Layer to take the features of.", show_default="the deepest")]
Epochs = Annotated[int, typer.Option(min=1, help="At most so many.")]
Patience = Annotated[int, typer.Option(min=1, help="End after so many epochs that were no better.")]
Batch = Annotated[int, typer.Option(min=1, help="Photographs at once.")]
Cache = Annotated[Path, typer.Option(help="Where features are kept, for the next time.")]


@app.command()
def head(
    source: Source,
    out: Out,
    backbone: BackboneName = "efficientnet-lite0",
    weights: Weights = None,
    cut: Cut = "",
    look: Annotated[
        InputModeName, typer.Option(help="whole frames, the dense pass's best windows, or crops too.")
    ] = "windows",
    augment: AugmentOption = "mirror",
    keep: Keep = [],  # noqa: B006, typer reads it and nobody changes it
    penalty: Annotated[
        float | None,
        typer.Option(min=0, help="Of the regression: higher is simpler.", show_default="found on held-out photographs"),
    ] = None,
    kind: Kind = "auto",
    split_by: By = "burst",
    seed: Seed = 0,
    precision: Precision = 0.9,
    cache: Cache = CACHE,
    as_json: Json = False,
) -> None:
    """Deep features of a published network, and logistic regression on them. Needs the fewest photographs."""

    def learn(split: "Split", tell: ProgressReporter) -> "TrainedModel":
        from uncia.training.features.backbone_registry import load_backbone
        from uncia.training.heads.training import HeadSettings, train_head

        settings = HeadSettings(cut=cut, look=look, augmentations=AUGMENTS[augment], keep=tuple(keep), penalty=penalty)
        return train_head(split, load_backbone(backbone, weights), settings, cache, tell)

    train_package(source, out, learn, kind=kind, split_by=split_by, seed=seed, precision=precision, as_json=as_json)


@app.command("fine-tune")
def fine_tune_command(
    source: Source,
    out: Out,
    backbone: BackboneName = "efficientnet-lite0",
    weights: Weights = None,
    cut: Cut = "",
    look: Annotated[
        Literal["whole", "windows"], typer.Option(help="Whole frames, or the dense pass's best windows.")
    ] = "windows",
    augment: AugmentOption = "mirror",
    blocks: Annotated[str, typer.Option(help="How many of the last blocks learn, or `all`.")] = "3",
    epochs: Epochs = 20,
    patience: Patience = 4,
    batch: Batch = 16,
    rate: Annotated[float, typer.Option(min=0, help="Of learning, in the unfrozen blocks.")] = 1e-4,
    kind: Kind = "auto",
    split_by: By = "burst",
    seed: Seed = 0,
    precision: Precision = 0.9,
    cache: Cache = CACHE,
    as_json: Json = False,
) -> None:
    """Start from a head, then let the network's last blocks learn too. Wants more photographs, and time or a GPU."""
    if not (blocks == "all" or (blocks.isdigit() and int(blocks) > 0)):
        raise TrainingError(f"--blocks {blocks}: a number, or all")

    def learn(split: "Split", tell: ProgressReporter) -> "TrainedModel":
        from uncia.training.features.backbone_registry import load_backbone
        from uncia.training.heads.training import HeadSettings
        from uncia.training.networks.fine_tune import FineTuneSettings, fine_tune

        settings = FineTuneSettings(
            head=HeadSettings(cut=cut, look=look, augmentations=AUGMENTS[augment]),
            blocks=None if blocks == "all" else int(blocks),
            epochs=epochs,
            patience=patience,
            batch=batch,
            trunk_rate=rate,
        )
        network = load_backbone(backbone, weights)
        return fine_tune(split, network, settings, seed, cache, work_folder(out), tell)

    train_package(source, out, learn, kind=kind, split_by=split_by, seed=seed, precision=precision, as_json=as_json)


@app.command()
def small(
    source: Source,
    out: Out,
    width: Annotated[int, typer.Option(help="Pixels that the network sees across.")] = 64,
    height: Annotated[int, typer.Option(help="Pixels that the network sees down.")] = 48,
    augment: AugmentOption = "mirror",
    epochs: Epochs = 40,
    patience: Patience = 8,
    batch: Batch = 32,
    rate: Annotated[float, typer.Option(min=0, help="Of learning.")] = 1e-3,
    kind: Kind = "auto",
    split_by: By = "burst",
    seed: Seed = 0,
    precision: Precision = 0.9,
    as_json: Json = False,
) -> None:
    """A small network from scratch, on whole frames: to see how learning goes, with its curves."""

    def learn(split: "Split", tell: ProgressReporter) -> "TrainedModel":
        from uncia.training.networks.small_network import SmallSettings, train_small

        settings = SmallSettings(width, height, epochs, patience, batch, rate, AUGMENTS[augment])
        return train_small(split, settings, seed, work_folder(out), tell)

    train_package(source, out, learn, kind=kind, split_by=split_by, seed=seed, precision=precision, as_json=as_json)


AUGMENTS: dict[Augment, tuple[Literal["plain", "mirror", "colour"], ...]] = {
    "none": ("plain",),
    "mirror": ("plain", "mirror"),
    "mirror+colour": ("plain", "mirror", "colour"),
}
