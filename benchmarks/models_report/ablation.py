"""The published table on these data: cut layers, whole frame or dense windows, augmentation, bursts; does each help?"""

from benchmarks.models_report.learning import teller
from benchmarks.models_report.pictures import sides
from benchmarks.models_report.running import Facts, Report

AUGMENTATIONS = ("none", "mirror")


def ablation_step(report: Report) -> Facts:
    """Every combination as `uncia models ablate` makes it; its plot beside."""
    from uncia.imaging.frame_spec import FrameSpec
    from uncia.training.ablation import AblationSettings, ablate, as_json, spread_cuts
    from uncia.training.features.backbone_registry import load_backbone
    from uncia.training.model_packages.plots import interval_plot

    data, parts = sides(report)
    network = load_backbone("efficientnet-lite0")
    settings = AblationSettings(spread_cuts(network, FrameSpec()), augmentations=AUGMENTATIONS, seed=report.seed)
    found = ablate(data, parts, network, settings, report.cache, None, teller(report))
    title = f"Top-1 on {found.photographs} composites of {found.bursts} bursts, 95 % intervals over bursts"
    rows = [(row.name, row.figures["top-1"]) for row in found.rows]
    plots = report.folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    (plots / "ablation.svg").write_text(interval_plot(title, "top-1", rows), encoding="utf-8")
    told = as_json(found)
    return {name: told[name] for name in ("photographs", "bursts", "rows", "effects")}
