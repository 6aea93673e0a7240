"""The animal-or-not head: trained on composites, evaluated on unseen animals and on real photographs."""

import numpy as np

from benchmarks.models_report.calibration import share_of
from benchmarks.models_report.data import LEOPARD, groups, real_photographs
from benchmarks.models_report.steps import Facts, Report
from benchmarks.models_report.training_steps import progress_printer
from uncia.serving.labels import LabelClass
from uncia.training.animal_or_not.recipe import train_group_model
from uncia.training.offline_inference.inference import ImageScores, max_by_burst, score_images
from uncia.triton_models.packages.loading import open_package
from uncia.triton_models.recipes import species_classifier


def groups_step(report: Report) -> Facts:
    """Train the head in addition to the stock model. Returns the figures of the combined package."""
    repository = report.folder / "repository"
    built = species_classifier.build(repository)
    made = train_group_model(
        groups(report.folder),
        report.package("species_and_groups"),
        kinds=open_package(built.folder),
        head_folder=report.package("animal_or_not"),
        seed=report.seed,
        cache=report.cache,
        progress=progress_printer(report),
    )
    answers = score_images(made.package, made.split.test)
    return {
        "figures": made.figures,
        "classes": len(made.package.card.labels.classes),
        "groups": [_group_figures(entry, answers, report) for entry in made.package.card.labels.classes[-4:]],
        "stock": _stock_animals(answers, built.card.labels.classes, report),
    }


def _group_figures(entry: LabelClass, answers: ImageScores, report: Report) -> Facts:
    """Recall and false alarms of a group's threshold on the test bursts."""
    there = np.array([picture.group == entry.group for picture in answers.samples])
    shown, peaks = (
        max_by_burst(there, answers.bursts) > 0,
        max_by_burst(answers.window_scores[:, entry.index], answers.bursts),
    )
    if entry.group == "nothing":
        shown = max_by_burst(~there, answers.bursts) == 0
    called = peaks >= (entry.threshold if entry.threshold is not None else 2.0)
    return {
        "group": entry.label,
        "threshold": entry.threshold,
        "calibrated": entry.calibration is not None,
        "found": share_of(report, called, shown),
        "false": share_of(report, called, ~shown),
    }


def _stock_animals(answers: ImageScores, classes: tuple[LabelClass, ...], report: Report) -> Facts:
    """False alarms of the stock model's best animal class and of the head, with thresholds of equal recall."""
    columns = [entry.index for entry in classes if entry.group == "animal"]
    animal = len(classes)  # the head's classes follow those of the stock model, by name
    there = np.array([picture.group == "animal" for picture in answers.samples])
    shown = max_by_burst(there, answers.bursts) > 0
    empty = max_by_burst(np.array([p.group != "nothing" for p in answers.samples]), answers.bursts) == 0
    stock = max_by_burst(answers.window_scores[:, columns].max(axis=1), answers.bursts)
    head = max_by_burst(answers.window_scores[:, animal], answers.bursts)
    facts: Facts = {}
    for name, scores in (("stock", stock), ("head", head)):
        cut = float(np.quantile(scores[shown], 0.1))
        facts[name] = share_of(report, scores >= cut, empty)
    return facts


def samples_step(report: Report) -> Facts:
    """Evaluate the combined package on real photographs, which are in no training data."""
    package = open_package(report.package("species_and_groups"))
    pictures = real_photographs()
    if not pictures:
        return {"photographs": 0}
    answers = score_images(package, pictures)
    leopard = package.card.labels.classes_of_taxon(LEOPARD)[0]
    lines = []
    for row, picture in enumerate(answers.samples):
        scores = answers.window_scores[row]
        lines.append(
            {
                "photograph": f"{picture.path.parent.name}/{picture.path.name}",
                "leopard": float(scores[leopard.index]),
                **{entry.label: float(scores[entry.index]) for entry in package.card.labels.classes[-4:]},
            }
        )
    return {
        "photographs": len(lines),
        "unreadable": len(answers.unreadable),
        "leopard_threshold": leopard.threshold,
        "thresholds": {entry.label: entry.threshold for entry in package.card.labels.classes[-4:]},
        "lines": lines,
    }
