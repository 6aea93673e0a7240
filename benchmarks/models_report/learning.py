"""`uncia train`'s ways, one after the other, on the same sides of the same data."""

from collections.abc import Callable
from typing import Any

from benchmarks.models_report.pictures import sides
from benchmarks.models_report.running import Facts, Report
from uncia.training.datasets.splits import Split


def train_head_step(report: Report) -> Facts:
    """A head on the frozen backbone, on the dense pass's windows."""
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.heads.training import HeadSettings, train_head

    return _trained(
        report,
        "head",
        lambda split: train_head(
            split, load_backbone("efficientnet-lite0"), HeadSettings(), report.cache, teller(report)
        ),
    )


def train_whole_step(report: Report) -> Facts:
    """A head that looks at whole frames: another member for the ensembles."""
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.heads.training import HeadSettings, train_head

    settings = HeadSettings(input_mode="whole", augmentations=("plain", "mirror"))
    return _trained(
        report,
        "head_whole",
        lambda split: train_head(split, load_backbone("efficientnet-lite0"), settings, report.cache, teller(report)),
    )


def fine_tune_step(report: Report) -> Facts:
    """The last block learns as well."""
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.networks.fine_tune import FineTuneSettings, fine_tune

    settings = FineTuneSettings(blocks=1, epochs=report.sizes.epochs, patience=2, batch=8)
    work = report.folder / "checkpoints" / "fine_tuned"
    network = load_backbone("efficientnet-lite0")
    return _trained(
        report,
        "fine_tuned",
        lambda split: fine_tune(split, network, settings, report.seed, report.cache, work, teller(report)),
    )


def train_small_step(report: Report) -> Facts:
    """A network of LeNet's size, from scratch."""
    from uncia.training.networks.small_network import SmallSettings, train_small

    settings = SmallSettings(epochs=report.sizes.small_epochs)
    work = report.folder / "checkpoints" / "small"
    return _trained(report, "small", lambda split: train_small(split, settings, report.seed, work, teller(report)))


def teller(report: Report) -> Callable[[str, int, int], None]:
    """A line when something begins."""
    last = [""]

    def tell(what: str, done: int = 0, total: int = 0) -> None:
        if what != last[0]:
            last[0] = what
            report.say(f"      {what}" + (f", {total}" if total else ""))

    return tell


def _trained(report: Report, name: str, train: Callable[[Split], Any]) -> Facts:
    from uncia.training.model_packages.package_writing import write_trained_package

    data, split = sides(report)
    trained = train(split)
    folder = report.package(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = write_trained_package(trained, data, split, folder, name=name, seed=report.seed)
    return {
        "figures": made.figures,
        "settings": trained.settings,
        "classes": len(trained.classes),
        "notes": trained.notes,
        "label_set": made.card.label_set,
    }
