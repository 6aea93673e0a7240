"""Ensembles of views, models and frames: every combination rule, and every member alone and combined."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.models_report.data import split_data
from benchmarks.models_report.steps import Facts, Report
from uncia.serving.labels import LabelSet
from uncia.training.datasets.dataset import Sample
from uncia.training.ensembles.burst_stacking import BurstEvidence, fit_from_predictions, score_bursts, to_json
from uncia.training.ensembles.comparison import ComparisonRow, compare_parts, compare_rules
from uncia.training.ensembles.ensemble import Ensemble, assemble, build_package, predict_members
from uncia.training.ensembles.evaluation import member_scores
from uncia.training.ensembles.rules import RULES, Rule, normalize_rows
from uncia.training.ensembles.stacking import fit_stacking
from uncia.training.ensembles.views import View, parse_views
from uncia.training.evaluation.bootstrap import Interval, bootstrap_difference
from uncia.training.evaluation.metric_set import compute_metrics
from uncia.training.evaluation.metrics import ranks
from uncia.training.offline_inference.inference import ImageScores, score_images
from uncia.training.offline_inference.presence import class_presence
from uncia.triton_models.packages.loading import OpenPackage, open_package

MODELS = ("head", "head_whole", "fine_tuned", "small")
FRAME_RULES = ("mean", "geometric-mean", "log-odds", "max", "vote")


def views_step(report: Report) -> Facts:
    """Combine six views of every frame (mirrored and at other sizes) with the head."""
    ensemble = assemble([open_package(report.package("head"))], parse_views("mirror,scale"))
    return _combined(report, ensemble, "log-odds", report.sizes.view_bursts)


def models_step(report: Report) -> Facts:
    """Stack four models that were trained by different recipes."""
    packages = [open_package(report.package(name)) for name in MODELS]
    ensemble = assemble(packages, (View(),))
    return _combined(report, ensemble, "stacked", 10**6)


def _combined(report: Report, ensemble: Ensemble, rule: Rule, bursts: int) -> Facts:
    _, parts = split_data(report)
    held_out = predict_members(ensemble, _some(parts.held_out, bursts))
    test = predict_members(ensemble, _some(parts.test, bursts))
    test_scores, held_out_scores = (member_scores(answers, ensemble.labels) for answers in (test, held_out))
    how: dict[str, Any] = {"seed": report.seed, "resamples": report.sizes.resamples}
    name = "views" if len(ensemble.members) == 1 else "models"
    learnt = fit_stacking(held_out_scores.without_unknown().members, held_out_scores.without_unknown().truth)
    package = build_package(report.package(name), ensemble, rule, name=name, stacking=learnt)
    same = _serves_the_same(package, test, rule, ensemble, learnt)
    return {
        "parts": list(ensemble.parts),
        "rule": rule,
        "lines": [_line(line) for line in compare_parts(rule, ensemble.parts, test_scores, held_out_scores, **how)],
        "rules": [_line(line) for line in compare_rules(RULES, test_scores, held_out_scores, **how)],
        "weights": dict(zip(ensemble.parts, learnt.weights, strict=True)),
        "frame": f"{ensemble.frame.width} x {ensemble.frame.height}",
        "graph_mb": round(package.graph.stat().st_size / 1e6, 1),
        "off_by": same,
    }


def _serves_the_same(package: OpenPackage, test: ImageScores, rule: Rule, ensemble: Ensemble, learnt: Any) -> float:
    """Largest difference between the scores of the package's graph and the evaluated ones, over eight images."""
    from uncia.training.ensembles.ensemble import members_first
    from uncia.training.ensembles.rules import combine

    pictures = test.samples[:8]
    served = score_images(package, pictures).window_scores.astype(np.float64)
    wanted = combine(rule, members_first(test.window_scores[:8]), np.array(learnt.weights), learnt.bias)
    return float(np.abs(served - wanted).max())


def bursts_step(report: Report) -> Facts:
    """Combine a burst's frames with every rule of the worker `bursts`, and with stacking fitted on held-out bursts."""
    _, parts = split_data(report)
    package = open_package(report.package("head"))
    labels = package.card.labels
    held_out, test = score_images(package, parts.held_out), score_images(package, parts.test)
    model = fit_from_predictions(held_out, labels, name="models-report", source="composites")
    (report.folder / "stacked.json").write_text(to_json(model), encoding="utf-8")
    scores = BurstEvidence.of(test.window_scores, test.bursts)
    truth = burst_truth(test, labels, scores.names)
    names = np.array(scores.names)
    how: dict[str, Any] = {"seed": report.seed, "resamples": report.sizes.resamples}
    alone = frames_alone(test, labels, truth, scores.names)
    lines: list[Facts] = [
        {"what": "each frame alone", "measures": {"top-1": _interval(alone, names, report)}, "gain": None}
    ]
    for rule in (*FRAME_RULES, "stacked"):
        values = normalize_rows(score_bursts(model, scores) if rule == "stacked" else scores.feature(rule))  # type: ignore[arg-type]
        hits = (ranks(values, truth) <= 1).astype(np.float64)
        found = compute_metrics(values, truth, names, **how)
        gain = bootstrap_difference(hits, alone, names, seed=report.seed, resamples=report.sizes.resamples)
        lines.append({"what": rule, "measures": _measures(found), "gain": _rounded(gain)})
    return {"bursts": len(names), "lines": lines, "features": model["features"], "classes": len(model["classes"])}


def burst_truth(answers: ImageScores, labels: LabelSet, names: Sequence[str]) -> np.ndarray:
    """The true class of every burst: what any of its frames shows; "nothing" only when all frames are empty."""
    there, _ = class_presence(answers.samples, labels)
    empty = np.array([entry.group == "nothing" for entry in labels.classes])
    found = []
    for name in names:
        shown = there[answers.bursts == name].any(axis=0)
        kinds = shown & ~empty
        found.append(int(np.flatnonzero(kinds if kinds.any() else shown)[0]))
    return np.array(found)


def frames_alone(answers: ImageScores, labels: LabelSet, truth: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The share of every burst's frames whose own top class is the burst's true class."""
    best = answers.window_scores.argmax(axis=1)
    return np.array([(best[answers.bursts == name] == of).mean() for name, of in zip(names, truth, strict=True)])


def _some(pictures: Sequence[Sample], bursts: int) -> list[Sample]:
    """The images of a fixed random selection of bursts."""
    names = sorted({picture.burst for picture in pictures})
    order = np.random.default_rng(0).permutation(len(names))[:bursts]
    chosen = {names[index] for index in order}
    return [picture for picture in pictures if picture.burst in chosen]


def _interval(values: np.ndarray, names: np.ndarray, report: Report) -> list[float]:
    from uncia.training.evaluation.bootstrap import bootstrap_interval

    return _rounded(bootstrap_interval(values, names, seed=report.seed, resamples=report.sizes.resamples))


def _line(line: ComparisonRow) -> Facts:
    return {"what": line.what, "measures": _measures(line.metrics), "gain": _rounded(line.gain) if line.gain else None}


def _measures(found: Any) -> Facts:
    return {
        "items": found.items,
        "bursts": found.bursts,
        "top-1": _rounded(found.top_1),
        "top-5": _rounded(found.top_5),
        "mean reciprocal rank": _rounded(found.mean_reciprocal_rank),
        "log loss": _rounded(found.log_loss),
        "calibration error": _rounded(found.calibration_error),
    }


def _rounded(interval: Interval) -> list[float]:
    return [round(interval.low, 5), round(interval.value, 5), round(interval.high, 5)]
