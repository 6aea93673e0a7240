"""Retained classes of the published network: classes without training images, on composites and on a real burst."""

from dataclasses import replace

import numpy as np

from benchmarks.models_report.calibration import share_of
from benchmarks.models_report.data import LEOPARD, real_photographs, split_data
from benchmarks.models_report.steps import Facts, Report
from benchmarks.models_report.training_steps import progress_printer
from uncia.serving.labels import LabelClass
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.splits import Split
from uncia.training.features.backbone import Backbone, PublishedClassifier
from uncia.training.features.backbone_registry import load_backbone
from uncia.training.heads.training import HeadSettings, train_head
from uncia.training.model_packages.evaluation import calibrate_classes
from uncia.training.model_packages.package_writing import write_trained_package
from uncia.training.offline_inference.inference import max_by_burst, score_images
from uncia.training.retained_classes import find_published
from uncia.triton_models.packages.loading import OpenPackage, open_package

_PRECISION = 0.9


def retained_classes_step(report: Report) -> Facts:
    """Train the head with the snow leopard retained, and again for every known class with that class only retained."""
    network = load_backbone("efficientnet-lite0")
    data, parts = split_data(report)
    trained = train_head(parts, network, HeadSettings(keep=(LEOPARD,)), report.cache, progress_printer(report))
    folder = report.package("head_and_leopard")
    made = write_trained_package(trained, data, parts, folder, name="head_and_leopard", seed=report.seed)
    return {
        "figures": made.figures,
        "genuine": _genuine(open_package(folder)),
        "kinds": _left_out(report, network, parts),
    }


def _genuine(package: OpenPackage) -> Facts:
    """Scores of real photographs, none of which is in the training data."""
    pictures = real_photographs()
    if not pictures:
        return {"photographs": 0}
    answers = score_images(package, pictures)
    (leopard,) = package.card.labels.classes_of_taxon(LEOPARD)
    scores, best = answers.window_scores[:, leopard.index], answers.frame_scores.argmax(axis=1)
    shown = np.array([picture.burst == "snow_leopard_burst" for picture in answers.samples])
    cut = leopard.threshold if leopard.threshold is not None else 2.0
    return {
        "photographs": len(scores),
        "threshold": leopard.threshold,
        "leopards": int(shown.sum()),
        "leopards_called": int((scores[shown] >= cut).sum()),
        "leopards_first": int((best[shown] == leopard.index).sum()),
        "least": float(scores[shown].min()),
        "others_called": int((scores[~shown] >= cut).sum()),
        "others_first": int((best[~shown] == leopard.index).sum()),
        "greatest_other": float(scores[~shown].max()),
        "greatest_other_is": answers.samples[int(np.where(shown, -1, scores).argmax())].path.name,
    }


def _left_out(report: Report, network: Backbone, parts: Split) -> list[Facts]:
    """For every class that the published network knows: trained as usual, and retained without training images."""
    trained = open_package(report.package("head"))
    answers = score_images(trained, parts.test)
    bursts = [picture.burst for picture in answers.samples]
    published, kinds = network.published, []
    for entry in trained.card.labels.classes:
        own = None if published is None else _published(published, entry)
        if own is None:
            continue
        labels = [picture.label for picture in answers.samples]
        retained = _without(report, network, parts, entry.label, own)
        kinds.append(
            {
                "kind": entry.label,
                "published": own.label,
                "taught": _found(
                    report, answers.window_scores[:, entry.index], entry.threshold, labels, bursts, entry.label
                ),
                "kept": retained,
            }
        )
    return kinds


def _published(published: PublishedClassifier, entry: LabelClass) -> LabelClass | None:
    """The published class of the same taxon, else of the same label; None when there is none or several."""
    for name in (entry.taxon, entry.label):
        try:
            if name:
                return find_published(published, [name])[0]
        except TrainingError:
            continue
    return None


def _without(report: Report, network: Backbone, parts: Split, label: str, own: LabelClass) -> Facts:
    """Train without any image of `label`; in the test set its images get the label of the published class."""

    def others(side: tuple[Sample, ...]) -> tuple[Sample, ...]:
        return tuple(picture for picture in side if picture.label != label)

    test = tuple(replace(image, label=own.label) if image.label == label else image for image in parts.test)
    less = replace(parts, train=others(parts.train), held_out=others(parts.held_out), test=test)
    trained = train_head(less, network, HeadSettings(keep=(own.label,)), report.cache, progress_printer(report))
    assert trained.held_out.windows is not None and trained.test.windows is not None
    classes = calibrate_classes(trained.classes, trained.held_out, trained.held_out.windows, _PRECISION, trained.unseen)
    (kept,) = (entry for entry in classes if entry.label == own.label)
    labels = [picture.label for picture in trained.test.samples]
    bursts = [picture.burst for picture in trained.test.samples]
    return _found(report, trained.test.windows[:, kept.index], kept.threshold, labels, bursts, own.label)


def _found(
    report: Report, scores: np.ndarray, threshold: float | None, labels: list[str], bursts: list[str], label: str
) -> Facts:
    """Recall and false alarms: bursts of the class, and other bursts, that reach its threshold."""
    names = np.array(bursts)
    shown = max_by_burst(np.array(labels) == label, names) > 0
    called = max_by_burst(scores, names) >= (2.0 if threshold is None else threshold)
    return {
        "threshold": threshold,
        "found": share_of(report, called, shown),
        "false": share_of(report, called, ~shown),
    }
