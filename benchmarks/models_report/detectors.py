"""Steps on boxes: how well proposed boxes fit true ones, and what fine-tuning the default detector gains."""

from pathlib import Path

from benchmarks.models_report.data import species
from benchmarks.models_report.steps import Facts, Report
from benchmarks.models_report.training_steps import progress_printer
from uncia.settings import settings
from uncia.training.box_proposals.making import propose_boxes
from uncia.training.box_proposals.report import compare_with_truth
from uncia.training.box_proposals.sources import BoxSources, open_detector
from uncia.training.datasets.dataset import Dataset
from uncia.training.detectors.annotated_frames import AnnotatedFrames, annotate, split_frames
from uncia.triton_models.packages.loading import PackageError


def boxes_step(report: Report) -> Facts:
    """Propose boxes for composites by movement, and by the default detector where it is built."""
    data = _shortened(report)
    detector = None
    try:
        detector = open_detector(settings().model_repository / "animal_detector")
    except PackageError as error:
        report.progress(f"      without the detector: {error}")
    sources = BoxSources(("movement",) if detector is None else ("movement", "detector"), detector=detector)
    journal = report.folder / "boxes.journal"
    proposed = propose_boxes(data, sources, journal)
    truth = {frame.path: [true.box for true in frame.boxes] for frame in annotate(data).frames}
    figures = compare_with_truth(proposed.frames, truth, sources.names, seed=report.seed)
    journal.unlink(missing_ok=True)
    return {
        "photographs": len(proposed.frames),
        "figures": {name: {key: interval.as_dict() for key, interval in own.items()} for name, own in figures.items()},
    }


def detector_step(report: Report) -> Facts:
    """Fine-tune the default detector on composites, split by camera; skipped without its weights."""
    from uncia.training.detectors.package_writing import write_detector_package
    from uncia.training.detectors.training import fine_tune_default
    from uncia.training.detectors.training_loop import LoopSettings

    weights = settings().detector_weights
    if not weights.is_file():
        report.progress("      no weights of the detector: `make setup` fetches them")
        return {"skipped": "the weights of the default detector are missing"}
    data = annotate(_shortened(report))
    parts = split_frames(data.frames, seed=report.seed)
    loop = LoopSettings(epochs=report.sizes.detector_epochs, scale=0.5, seed=report.seed)
    work = report.folder / "checkpoints" / "detector"
    progress = progress_printer(report)
    finished = fine_tune_default(parts, weights, loop, "backbone", work, progress)
    folder = report.package("animal_detector")
    folder.parent.mkdir(parents=True, exist_ok=True)
    package = write_detector_package(finished, _named(data), parts, folder, seed=report.seed, progress=progress)
    return {
        "figures": {
            when: {name: interval.as_dict() for name, interval in own.items()} for when, own in package.figures.items()
        },
        "by": parts.by,
        "frames": [len(subset) for subset in parts.subsets],
        "settings": finished.settings,
        "notes": list(package.notes),
    }


def _shortened(report: Report) -> Dataset:
    """The first frames of the species dataset, whole bursts."""
    data = species(report.folder)
    return data.with_samples(data.samples[: report.sizes.detector_frames])


def _named(data: AnnotatedFrames) -> AnnotatedFrames:
    return AnnotatedFrames(data.frames, f"composites: {Path(data.source).name}", data.left_out)
