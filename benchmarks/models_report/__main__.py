"""`python -m benchmarks.models_report`, which `make models-report` runs."""

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console

from benchmarks.machine import describe
from benchmarks.models_report.ablation import ablation_step
from benchmarks.models_report.calibration import calibration_step
from benchmarks.models_report.data import render_data
from benchmarks.models_report.detectors import boxes_step, detector_step
from benchmarks.models_report.ensembles import bursts_step, models_step, views_step
from benchmarks.models_report.groups import groups_step, samples_step
from benchmarks.models_report.page import write_page
from benchmarks.models_report.presence import presence_samples_step, presence_step
from benchmarks.models_report.retained_classes import retained_classes_step
from benchmarks.models_report.second_look import second_look_step
from benchmarks.models_report.serving import serving_step
from benchmarks.models_report.steps import QUICK_SIZES, Facts, Report, Sizes, Step, run_steps
from benchmarks.models_report.training_steps import fine_tune_step, train_head_step, train_small_step, train_whole_step
from benchmarks.models_report.verdicts import verdicts_step
from uncia.errors import UnciaError

DOCS = Path("docs/models.md")

STEPS = (
    Step("data", "rendering composites", render_data),
    Step("head", "training a head on the frozen backbone", train_head_step, ("data",)),
    Step("head_whole", "training a head on whole frames", train_whole_step, ("data",)),
    Step("small", "training a small network from scratch", train_small_step, ("data",)),
    Step("fine_tuned", "fine-tuning the last block", fine_tune_step, ("data",)),
    Step("ablation", "ablation", ablation_step, ("data",)),
    Step("kept", "retaining classes of the published network", retained_classes_step, ("head",)),
    Step("groups", "animal or not", groups_step, ("data",)),
    Step("samples", "real photographs", samples_step, ("groups",)),
    Step("calibration", "calibrating thresholds on held-out bursts", calibration_step, ("head",)),
    Step("views", "ensemble of views", views_step, ("head",)),
    Step("models", "ensemble of models", models_step, ("head", "head_whole", "small", "fine_tuned")),
    Step("bursts", "ensemble of frames", bursts_step, ("head",)),
    Step("boxes", "proposing boxes", boxes_step, ("data",)),
    Step("detector", "fine-tuning the default detector", detector_step, ("data",)),
    Step("presence", "animal, person, vehicle or blank on genuine photographs", presence_step, ("data",)),
    Step("presence_samples", "the sample photographs", presence_samples_step),
    Step("verdicts", "what each stage of a verdict contributes", verdicts_step),
    Step("second_look", "second looks on genuine photographs", second_look_step),
    Step("serving", "install, shadow, compare, promote, roll back", serving_step, ("groups",)),
)
NAMES = ", ".join(step.name for step in STEPS)


def main(
    folder: Path = typer.Option(Path(".local/models-report"), help="Folder of data, features, packages and results."),
    quick: bool = typer.Option(False, "--quick", help="Run a smoke test of a few minutes; do not quote its figures."),
    bursts: int = typer.Option(0, min=0, help="Bursts in the species dataset.", show_default=str(Sizes.bursts)),
    classes: int = typer.Option(0, min=0, help="Animal classes in it.", show_default=str(Sizes.classes)),
    epochs: int = typer.Option(0, min=0, help="Epochs of fine-tuning.", show_default=str(Sizes.epochs)),
    seed: int = typer.Option(1, help="Random seed of data, splits and intervals."),
    only: str = typer.Option("", help=f"Run only these comma-separated steps: {NAMES}."),
    force: bool = typer.Option(False, "--force", help="Repeat completed steps."),
    docs: bool = typer.Option(False, "--docs", help="Also write docs/models.md and its plots."),
) -> None:
    """Run the model recipes end to end and report their figures. Completed steps are not repeated."""
    console, began = Console(stderr=True, highlight=False), time.monotonic()
    overrides = {"bursts": bursts, "classes": classes, "epochs": epochs}
    sizes = replace(QUICK_SIZES if quick else Sizes(), **{name: size for name, size in overrides.items() if size})
    folder = folder.absolute() / ("quick" if quick else "full")
    folder.mkdir(parents=True, exist_ok=True)

    def progress(line: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {line}", markup=False)

    chosen = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := sorted(set(chosen) - {step.name for step in STEPS}):
        raise UnciaError(f"there is no step {unknown[0]!r}; steps: {NAMES}")
    report = Report(folder, sizes, seed, progress, {})
    facts: Facts = {**describe(), "measured_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
    run_steps(STEPS, report, force=force, only=chosen, measured=f"{facts['measured_at']} at {facts['commit']}")
    facts["not_run"] = [step.name for step in STEPS if step.name not in report.done]
    facts["command"] = " ".join(["python -m benchmarks.models_report", *sys.argv[1:]])
    page = folder / "models.md"
    write_page(DOCS, page, report, facts)
    progress(f"wrote {page}")
    if docs:
        missing = [step.name for step in STEPS if step.name not in report.done]
        if missing:
            progress(f"{DOCS} keeps what it says of the steps without results: {', '.join(missing)}")
        write_page(DOCS, DOCS, report, facts)
        progress(f"wrote {DOCS}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except UnciaError as error:
        sys.exit(f"models-report: {error}")
