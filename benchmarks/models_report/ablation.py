"""Ablation study: cut layer, whole frame or dense windows, augmentation, and combining the frames of a burst."""

from benchmarks.models_report.data import split_data
from benchmarks.models_report.steps import Facts, Report
from benchmarks.models_report.training_steps import progress_printer

AUGMENTATIONS = ("none", "mirror")


def ablation_step(report: Report) -> Facts:
    """Run every combination, as `uncia models ablate` does, and write the plot."""
    from uncia.imaging.frame_spec import FrameSpec
    from uncia.training.ablation import AblationSettings, ablate, as_json, spread_cuts
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.model_packages.plots import interval_plot

    data, parts = split_data(report)
    network = load_backbone("efficientnet-lite0")
    settings = AblationSettings(spread_cuts(network, FrameSpec()), augmentations=AUGMENTATIONS, seed=report.seed)
    found = ablate(data, parts, network, settings, report.cache, None, progress_printer(report))
    title = f"Top-1 on {found.photographs} composites of {found.bursts} bursts, 95 % intervals over bursts"
    rows = [(row.name, row.figures["top-1"]) for row in found.rows]
    plots = report.folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    (plots / "ablation.svg").write_text(interval_plot(title, "top-1", rows), encoding="utf-8")
    facts = as_json(found)
    return {
        name: facts[name]
        for name in ("photographs", "bursts", "rows", "effects", "best", "rules", "places", "warnings")
    }
