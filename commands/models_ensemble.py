"""`uncia models ensemble` and `uncia models stack-bursts`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from uncia.commands.model_options import Json
from uncia.errors import SettingsError
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer()

Kind = Annotated[str, typer.Option(help="auto, folders, camtrap-dp, coco or table.")]
Seed = Annotated[int, typer.Option(help="Draws the split and the intervals.")]


@app.command()
def ensemble(
    packages: Annotated[list[Path], typer.Argument(help="Model packages of one set of labels.")],
    out: Annotated[Path, typer.Option(help="Folder of the new package.")],
    views: Annotated[str, typer.Option(help="mirror, scale (0.7 and 1.5 times the size), scale:0.7; by commas.")] = "",
    rule: Annotated[str, typer.Option(help="mean, log-odds, max, vote or stacked.")] = "log-odds",
    learn_on: Annotated[Path | None, typer.Option(help="Data: stacked is learnt on its held-out bursts.")] = None,
    name: Annotated[str, typer.Option(help="Of the model.", show_default="the folder's")] = "",
    kind: Kind = "auto",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Make one package of several models and views: one graph that serves in the stream like any other.

    With --learn-on it also says, on bursts that neither side has seen, what each part is worth. Use bursts that no
    member was trained on: the split is that of the same data and seed.
    """
    from uncia.training.ensembles import ensemble as ensembles
    from uncia.training.ensembles.comparison import ComparisonRow
    from uncia.training.ensembles.rules import RULES
    from uncia.training.ensembles.views import parse_views
    from uncia.triton_models.packages.loading import model_name_for, open_package

    chosen = next((each for each in RULES if each == rule), None)
    if chosen is None:
        raise SettingsError(f"no rule {rule!r}: {', '.join(RULES)}")
    opened = [open_package(folder) for folder in packages]
    made = ensembles.assemble(opened, parse_views(views))
    learnt, lines = None, list[ComparisonRow]()
    if learn_on is not None:
        from uncia.training.ensembles.evaluation import evaluate_ensemble

        learnt, lines = evaluate_ensemble(made, chosen, learn_on, kind=kind, seed=seed, shown=not as_json)
    package = ensembles.build_package(out, made, chosen, name=name or model_name_for(out), learnt=learnt)
    if as_json:
        told = [{"what": line.what, "top_1": line.metrics.top_1.value} for line in lines]
        facts = {"folder": str(out), "model": package.card.model, "label_set": package.card.label_set}
        echo_json({**facts, "parts": made.parts, "lines": told})
        return
    if lines:
        from uncia.training.evaluation.metric_set import METRIC_NAMES, metric_cells

        table = Table("", *METRIC_NAMES)
        for line in lines:
            table.add_row(line.what, *metric_cells(line.metrics))
        plain_console().print(table)
    echo(f"{package.card.model}: {len(made.parts)} parts in one graph, {out}")
    echo("Its scores are not calibrated yet: `uncia models calibrate`.")


@app.command("join")
def join_models(
    packages: Annotated[list[Path], typer.Argument(help="Model packages of one frame, each of other classes.")],
    out: Annotated[Path, typer.Option(help="Folder of the new package.")],
    name: Annotated[str, typer.Option(help="Of the model.", show_default="the folder's")] = "",
    as_json: Json = False,
) -> None:
    """Put models side by side into one package: the classes of all; a backbone that they share runs once."""
    from uncia.training.ensembles.concatenate import concatenate_models
    from uncia.triton_models.packages.loading import model_name_for, open_package

    package = concatenate_models(out, [open_package(folder) for folder in packages], name=name or model_name_for(out))
    if as_json:
        echo_json({"folder": str(out), "model": package.card.model, "label_set": package.card.label_set})
        return
    echo(f"{package.card.model}: {len(package.card.labels.classes)} classes of {len(packages)} models, {out}")


@app.command()
def stack_bursts(
    package: Annotated[Path, typer.Argument(help="The package whose answers are weighed.")],
    source: Annotated[Path, typer.Argument(help="Data whose truth is known; its held-out bursts are learnt from.")],
    out: Annotated[Path, typer.Option(help="The file for UNCIA_ENSEMBLE_WEIGHTS.")],
    name: Annotated[str, typer.Option(help="Stands in every verdict.")] = "stacked",
    everything: Annotated[
        bool, typer.Option("--all", help="Learn on all of it: nothing of it was trained on.")
    ] = False,
    kind: Kind = "auto",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Learn how the frames of a burst are weighed, for UNCIA_ENSEMBLE_RULE=stacked."""
    from uncia.serving.model_versions import write_whole
    from uncia.training.datasets.reading import read_dataset
    from uncia.training.datasets.splits import split
    from uncia.training.ensembles.burst_stacking import fit_from_predictions, to_json
    from uncia.training.offline_inference.inference import score_images
    from uncia.training.progress import progress_bar
    from uncia.triton_models.packages.loading import open_package

    opened = open_package(package)
    data = read_dataset(source, kind)
    pictures = data.samples if everything else split(data, seed=seed).held_out
    with progress_bar(f"asking about {len(pictures)} pictures", shown=not as_json) as progress:
        answers = score_images(opened, pictures, progress)
    model = fit_from_predictions(answers, opened.card.labels, name=name, source=data.source)
    write_whole(out, to_json(model))
    facts = {"file": str(out), "classes": len(model["classes"]), "calibrated_on": model["calibrated_on"]}
    if as_json:
        echo_json(facts)
        return
    echo(f"{out}: {len(model['classes'])} classes with weights of their own, learnt on {model['calibrated_on']}")
    echo(f"Workers read it with UNCIA_ENSEMBLE_RULE=stacked UNCIA_ENSEMBLE_WEIGHTS={out}")
