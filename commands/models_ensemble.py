"""`uncia models ensemble`, `join` and `stack-bursts`: combine models, and weight the frames of bursts."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from uncia.commands.model_options import Json
from uncia.errors import SettingsError
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer()

Kind = Annotated[str, typer.Option(help="Format of the data: auto, folders, camtrap-dp, coco or table.")]
Seed = Annotated[int, typer.Option(help="Seed of the split and the intervals.")]


@app.command()
def ensemble(
    packages: Annotated[list[Path], typer.Argument(help="Model packages with the same classes.")],
    out: Annotated[Path, typer.Option(help="Folder of the new package.")],
    views: Annotated[
        str,
        typer.Option(help="Additional views: mirror, scale (0.7 and 1.5 times the size), scale:0.7; comma-separated."),
    ] = "",
    rule: Annotated[
        str, typer.Option(help="How scores are combined: mean, log-odds, max, vote or stacked.")
    ] = "log-odds",
    learn_on: Annotated[
        Path | None,
        typer.Option(
            help="Labelled data: stacked is fitted on its held-out bursts, parts are compared on its test bursts."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the model.", show_default="name of the folder")] = "",
    kind: Kind = "auto",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Combine models and views of the same classes into one package with one graph.

    With --learn-on it also compares the parts on test bursts. Use data that no member was trained on: the split is
    determined by the data and the seed.
    """
    from uncia.training.ensembles import ensemble as ensembles
    from uncia.training.ensembles.comparison import ComparisonRow
    from uncia.training.ensembles.rules import RULES
    from uncia.training.ensembles.views import parse_views
    from uncia.triton_models.packages.loading import model_name_for, open_package

    chosen = next((name for name in RULES if name == rule), None)
    if chosen is None:
        raise SettingsError(f"no rule {rule!r}: use {', '.join(RULES)}")
    opened = [open_package(folder) for folder in packages]
    assembled = ensembles.assemble(opened, parse_views(views))
    weights, rows = None, list[ComparisonRow]()
    if learn_on is not None:
        from uncia.training.ensembles.evaluation import evaluate_ensemble

        weights, rows = evaluate_ensemble(assembled, chosen, learn_on, kind=kind, seed=seed, shown=not as_json)
    package = ensembles.build_package(out, assembled, chosen, name=name or model_name_for(out), stacking=weights)
    if as_json:
        lines = [{"what": row.what, "top_1": row.metrics.top_1.value} for row in rows]
        result = {"folder": str(out), "model": package.card.model, "label_set": package.card.label_set}
        echo_json({**result, "parts": assembled.parts, "lines": lines})
        return
    if rows:
        from uncia.training.evaluation.metric_set import METRIC_NAMES, metric_cells

        table = Table("", *METRIC_NAMES)
        for row in rows:
            table.add_row(row.what, *metric_cells(row.metrics))
        plain_console().print(table)
    echo(f"{package.card.model}: {len(assembled.parts)} parts in one graph, {out}")
    echo("Its scores are not calibrated yet: run `uncia models calibrate`.")


@app.command("join")
def join_models(
    packages: Annotated[list[Path], typer.Argument(help="Model packages with the same frame and different classes.")],
    out: Annotated[Path, typer.Option(help="Folder of the new package.")],
    name: Annotated[str, typer.Option(help="Name of the model.", show_default="name of the folder")] = "",
    as_json: Json = False,
) -> None:
    """Join models with different classes into one package; a shared backbone runs only once."""
    from uncia.training.ensembles.concatenate import concatenate_models
    from uncia.triton_models.packages.loading import model_name_for, open_package

    package = concatenate_models(out, [open_package(folder) for folder in packages], name=name or model_name_for(out))
    if as_json:
        echo_json({"folder": str(out), "model": package.card.model, "label_set": package.card.label_set})
        return
    echo(f"{package.card.model}: {len(package.card.labels.classes)} classes of {len(packages)} models, {out}")


@app.command()
def stack_bursts(
    package: Annotated[Path, typer.Argument(help="Model package whose scores are weighted.")],
    source: Annotated[Path, typer.Argument(help="Labelled data; the weights are fitted on its held-out bursts.")],
    out: Annotated[Path, typer.Option(help="Output file, for UNCIA_ENSEMBLE_WEIGHTS.")],
    name: Annotated[str, typer.Option(help="Name of the weights, recorded with every verdict.")] = "stacked",
    everything: Annotated[
        bool, typer.Option("--all", help="Use all of the data; only if the model was trained on none of it.")
    ] = False,
    kind: Kind = "auto",
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Fit the weights of the frames of a burst for UNCIA_ENSEMBLE_RULE=stacked."""
    from uncia.storage.durable import write_durably
    from uncia.training.datasets.reading import read_dataset
    from uncia.training.datasets.splits import split
    from uncia.training.ensembles.burst_stacking import fit_from_predictions, to_json
    from uncia.training.offline_inference.inference import score_images
    from uncia.training.progress import progress_bar
    from uncia.triton_models.packages.loading import open_package

    opened = open_package(package)
    data = read_dataset(source, kind)
    pictures = data.samples if everything else split(data, seed=seed).held_out
    with progress_bar(f"running the model on {len(pictures)} pictures", shown=not as_json) as progress:
        scores = score_images(opened, pictures, progress)
    model = fit_from_predictions(scores, opened.card.labels, name=name, source=data.source)
    write_durably(out, to_json(model))
    result = {"file": str(out), "classes": len(model["classes"]), "calibrated_on": model["calibrated_on"]}
    if as_json:
        echo_json(result)
        return
    echo(f"{out}: {len(model['classes'])} classes with weights of their own, fitted on {model['calibrated_on']}")
    echo(f"Workers use it with UNCIA_ENSEMBLE_RULE=stacked UNCIA_ENSEMBLE_WEIGHTS={out}")
