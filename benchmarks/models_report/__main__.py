"""`python -m benchmarks.models_report`: what `make models-report` runs."""

import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console

from benchmarks.machine import describe
from benchmarks.models_report.ablation import ablation_step
from benchmarks.models_report.calibration import calibration_step
from benchmarks.models_report.ensembles import bursts_step, models_step, views_step
from benchmarks.models_report.groups import groups_step, samples_step
from benchmarks.models_report.learning import fine_tune_step, train_head_step, train_small_step, train_whole_step
from benchmarks.models_report.page import write_page
from benchmarks.models_report.pictures import draw_data
from benchmarks.models_report.retained_classes import kept_step
from benchmarks.models_report.running import TRY, Report, Sizes, Step, run_steps
from benchmarks.models_report.serving import serving_step
from uncia.errors import UnciaError

DOCS = Path("docs/models.md")

STEPS = (
    Step("data", "drawing composites", draw_data),
    Step("head", "a head on the frozen backbone", train_head_step, ("data",)),
    Step("head_whole", "the same on whole frames", train_whole_step, ("data",)),
    Step("small", "a small network from scratch", train_small_step, ("data",)),
    Step("fine_tuned", "fine-tuning the last block", fine_tune_step, ("data",)),
    Step("ablation", "the ablation", ablation_step, ("data",)),
    Step("kept", "kinds of the published network that the head keeps", kept_step, ("head",)),
    Step("groups", "any animal at all", groups_step, ("data",)),
    Step("samples", "genuine photographs", samples_step, ("groups",)),
    Step("calibration", "thresholds on held-out bursts", calibration_step, ("head",)),
    Step("views", "an ensemble of views", views_step, ("head",)),
    Step("models", "an ensemble of models", models_step, ("head", "head_whole", "small", "fine_tuned")),
    Step("bursts", "an ensemble of frames", bursts_step, ("head",)),
    Step("serving", "install, shadow, compare, promote, roll back", serving_step, ("groups",)),
)
NAMES = ", ".join(step.name for step in STEPS)


def main(
    folder: Path = typer.Option(Path(".local/models-report"), help="Data, features, packages and results."),
    quick: bool = typer.Option(False, "--quick", help="A few minutes: to see that it works, not to quote."),
    bursts: int = typer.Option(0, min=0, help="Of the data for species.", show_default=str(Sizes.bursts)),
    classes: int = typer.Option(0, min=0, help="Kinds of animals.", show_default=str(Sizes.classes)),
    epochs: int = typer.Option(0, min=0, help="Of fine-tuning.", show_default=str(Sizes.epochs)),
    seed: int = typer.Option(1, help="Draws data, splits and intervals."),
    only: str = typer.Option("", help=f"Only these steps, with commas: {NAMES}."),
    force: bool = typer.Option(False, "--force", help="Do again what is done."),
    docs: bool = typer.Option(False, "--docs", help="Also write docs/models.md and its plots."),
) -> None:
    """Run the recipes end to end and tell what they are worth. Steps that are done are not done again."""
    console, began = Console(stderr=True, highlight=False), time.monotonic()
    told = {"bursts": bursts, "classes": classes, "epochs": epochs}
    sizes = Sizes(**{**asdict(TRY if quick else Sizes()), **{name: each for name, each in told.items() if each}})
    folder = folder.absolute() / ("quick" if quick else "full")
    folder.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {line}", markup=False)

    chosen = [name.strip() for name in only.split(",") if name.strip()]
    if strange := sorted(set(chosen) - {step.name for step in STEPS}):
        raise UnciaError(f"there is no step {strange[0]!r}: {NAMES}")
    report = Report(folder, sizes, seed, say, {})
    run_steps(STEPS, report, force=force, only=chosen)
    facts = {**describe(), "measured_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
    facts["command"] = " ".join(["python -m benchmarks.models_report", *sys.argv[1:]])
    page = folder / "models.md"
    write_page(DOCS, page, report, facts)
    say(f"the page is {page}")
    if docs:
        missing = [step.name for step in STEPS if step.name not in report.done]
        if missing:
            raise UnciaError(f"{DOCS} is written when all steps are done; missing: {', '.join(missing)}")
        write_page(DOCS, DOCS, report, facts)
        say(f"{DOCS} is written")


if __name__ == "__main__":
    try:
        typer.run(main)
    except UnciaError as error:
        sys.exit(f"models-report: {error}")
