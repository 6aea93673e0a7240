"""Steps that train models with the recipes of `uncia train`, all on the same split of the same dataset."""

from collections.abc import Callable
from typing import Any

from benchmarks.models_report.data import split_data
from benchmarks.models_report.steps import Facts, Report
from uncia.training.datasets.splits import Split


def train_head_step(report: Report) -> Facts:
    """Train a head on the frozen backbone with the windows of the dense pass."""
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.heads.training import HeadSettings, train_head

    return _trained(
        report,
        "head",
        lambda split: train_head(
            split, load_backbone("efficientnet-lite0"), HeadSettings(), report.cache, progress_printer(report)
        ),
    )


def train_whole_step(report: Report) -> Facts:
    """Train a head on whole frames, as another member of the ensembles."""
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.heads.training import HeadSettings, train_head

    settings = HeadSettings(input_mode="whole", augmentations=("plain", "mirror"))
    return _trained(
        report,
        "head_whole",
        lambda split: train_head(
            split, load_backbone("efficientnet-lite0"), settings, report.cache, progress_printer(report)
        ),
    )


def fine_tune_step(report: Report) -> Facts:
    """Fine-tune the last block together with the head."""
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.networks.fine_tune import FineTuneSettings, fine_tune

    settings = FineTuneSettings(blocks=1, epochs=report.sizes.epochs, patience=2, batch=8)
    work = report.folder / "checkpoints" / "fine_tuned"
    network = load_backbone("efficientnet-lite0")
    return _trained(
        report,
        "fine_tuned",
        lambda split: fine_tune(split, network, settings, report.seed, report.cache, work, progress_printer(report)),
    )


def train_small_step(report: Report) -> Facts:
    """Train a network of LeNet's size from scratch."""
    from uncia.training.networks.small_network import SmallSettings, train_small

    settings = SmallSettings(epochs=report.sizes.small_epochs)
    work = report.folder / "checkpoints" / "small"
    return _trained(
        report, "small", lambda split: train_small(split, settings, report.seed, work, progress_printer(report))
    )


def progress_printer(report: Report) -> Callable[[str, int, int], None]:
    """A progress callback that prints one line per phase."""
    phase = ""

    def print_phase(what: str, done: int = 0, total: int = 0) -> None:
        nonlocal phase
        if what != phase:
            phase = what
            report.progress(f"      {what}" + (f", {total}" if total else ""))

    return print_phase


def _trained(report: Report, name: str, train: Callable[[Split], Any]) -> Facts:
    from uncia.training.model_packages.package_writing import write_trained_package

    data, split = split_data(report)
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
