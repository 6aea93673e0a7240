"""Renders the generated section of `docs/models.md` from the results of the steps."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.markdown_section import replace_section
from benchmarks.models_report.detectors_page import boxes, detector
from benchmarks.models_report.ensembles_page import PLOTS, bursts, models, views
from benchmarks.models_report.kept_sections import with_kept_sections
from benchmarks.models_report.markdown import MEASURES, cell_of, share, table, verdict
from benchmarks.models_report.presence_page import presence, presence_samples, verdicts
from benchmarks.models_report.second_look_page import second_look
from benchmarks.models_report.steps import Facts, Report
from uncia.training.evaluation.bootstrap import Interval

BEGIN, END = "<!-- results: written by `make models-report ARGS=--docs` -->", "<!-- end of results -->"
RECIPES = {
    "head": "head, dense windows",
    "head_whole": "head, whole frames",
    "fine_tuned": "fine-tuned, last block",
    "small": "small, from scratch",
}

TRAINING_MODES, RATES = ("taught", "kept"), ("found", "false")
"""Result keys: trained on the class's images, or retained without any; recall and false-positive rate."""

NOT_THE_FIELD = (
    "**Unless a section says otherwise, these are composites, not photographs from the field: no figure here is an "
    "accuracy in the field.** The same few cut-outs of a class are in the training and the test images, with other "
    "backgrounds, light and sizes. The figures only show which training method is better than another on the same "
    "images."
)


def write_page(source: Path, target: Path, report: Report, machine: Mapping[str, Any]) -> None:
    """Write `source` with its results replaced to `target`, and the plots to a folder next to it.

    Sections of steps without stored results stay as they are in `source`. Raises `ValueError` when the markers are
    missing.
    """
    plots = report.folder / "plots"
    write_plots(plots, report.done)
    shutil.copytree(plots, target.parent / PLOTS, dirs_exist_ok=True)
    old = source.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    new = with_kept_sections(results(report, machine), old)
    target.write_text(replace_section(source, BEGIN, END, new), encoding="utf-8")


def results(report: Report, machine: Mapping[str, Any]) -> str:
    """All results as Markdown."""
    parts: dict[str, Callable[[dict[str, Facts]], list[str]]] = {
        "data": _data,
        "head": _training_methods,
        "ablation": _ablation,
        "kept": _retained_classes,
        "groups": _groups,
        "samples": _samples,
        "calibration": _calibration,
        "views": views,
        "models": models,
        "bursts": bursts,
        "boxes": boxes,
        "detector": detector,
        "presence": presence,
        "presence_samples": presence_samples,
        "verdicts": verdicts,
        "second_look": second_look,
        "serving": _serving,
    }
    seconds = sum(float(facts["seconds"]) for facts in report.done.values())
    lines = [
        f"Written {machine['measured_at']} at {machine['commit']} by `{machine['command']}` on "
        f"{machine['machine_cpu']}, {machine['machine_cores']} cores, {machine['machine_memory_gb']} GB: "
        f"{seconds / 60:.0f} minutes in total. All intervals are 95 % bootstrap intervals, resampled by burst."
        f"{_measured(report.done)}",
        "",
        NOT_THE_FIELD,
        "",
        *([f"Not run: {', '.join(machine['not_run'])}.", ""] if machine.get("not_run") else []),
    ]
    for name, part in parts.items():
        if name in report.done:
            lines += [*part(report.done), ""]
    return "\n".join(lines)


def _measured(done: Mapping[str, Facts]) -> str:
    """When and at which commit the steps were run, where that was stored."""
    steps: dict[str, list[str]] = {}
    for name, facts in done.items():
        steps.setdefault(facts.get("measured") or "earlier", []).append(name)
    return " Measured: " + "; ".join(f"{when}: {', '.join(names)}" for when, names in steps.items()) + "."


def write_plots(folder: Path, done: Mapping[str, Facts]) -> None:
    """Write the plot of the ensembles. The plot of the ablation is written by its step."""
    from uncia.training.model_packages.plots import interval_plot

    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        (f"{name}: {line['what']}"[:52], Interval(*line["measures"]["top-1"]))
        for name in ("views", "models", "bursts")
        for line in done.get(name, {}).get("lines", ())
    ]
    if rows:
        plot = interval_plot("Ensembles and their members, 95 % intervals over bursts", "top-1", rows)
        (folder / "ensembles.svg").write_text(plot, encoding="utf-8")


def _data(done: dict[str, Facts]) -> list[str]:
    data = done["data"]
    several = sum(count > 1 for count in data["species"]["variants"].values())
    subsets = ", ".join(
        f"{name.replace('_', '-')} {subset['bursts']} bursts ({subset['pictures']} images)"
        for name, subset in data["sides"].items()
    )
    return [
        "### Data",
        "",
        f"- Species dataset: {data['species']['source']}. Classes: {', '.join(data['classes'])} and nothing; {several} "
        f"of the animal classes have more than one cut-out. {data['species']['pictures']} images of "
        f"{data['species']['bursts']} bursts: {subsets}. Leaks between the subsets: {len(data['leaks'])}.",
        f"- Groups dataset: cut-outs of all {data['kinds']} classes; "
        f"{data['groups']['pictures'] + data['things']['pictures']} images of "
        f"{data['groups']['bursts'] + data['things']['bursts']} bursts.",
    ]


def _training_methods(done: dict[str, Facts]) -> list[str]:
    rows = []
    for name, title in RECIPES.items():
        if name in done:
            figures = done[name]["figures"]
            facts = [cell_of(figures[entry]) if entry in figures else "-" for entry in MEASURES]
            rows.append((title, *facts, f"{done[name]['seconds']:.0f} s"))
    return [
        "### Training methods",
        "",
        *table(("method", *MEASURES, "time"), rows),
        "",
        f"Metrics are of single frames of the test bursts.{_fine_tuning(done)}",
    ]


def _fine_tuning(done: dict[str, Facts]) -> str:
    if "fine_tuned" not in done:
        return ""
    settings = done["fine_tuned"]["settings"]
    return (
        f" Fine-tuning starts from the head; it trained {settings['blocks that learn']} blocks. "
        f"Epochs: {settings['epochs']}."
    )


def _ablation(done: dict[str, Facts]) -> list[str]:
    facts = done["ablation"]
    rows = facts["rows"]
    rules = list(rows[0]["burst_figures"])
    shown = table(
        ("cut", "input", "augmentation", "frames", *(f"bursts: {rule}" for rule in rules)),
        [
            (
                row["cut"],
                row["look"],
                row["augmentation"],
                cell_of(row["figures"]["top-1"]),
                *(cell_of(row["burst_figures"][rule]) for rule in rules),
            )
            for row in rows
        ],
    )
    effects = [
        f"- {name}: {verdict([entry['low'], entry['value'], entry['high']])}."
        for name, entry in facts["effects"].items()
    ]
    return [
        "### Ablation",
        "",
        "Top-1. Frames are compared with their own truth, bursts with the burst's: the share of the bursts whose class "
        "is right. With the rule of single frames, each frame answers for its burst.",
        "",
        *shown,
        "",
        f"![Top-1 of each combination, with its 95 % interval]({PLOTS}/ablation.svg)",
        "",
        f"Effect of each part: paired differences on the same {facts['photographs']} test images of "
        f"{facts['bursts']} bursts, averaged over all pairs of rows that differ in this part only:",
        "",
        *effects,
        "",
        f"Both questions, with the model of the lowest log loss on the held-out photographs ({facts['best']}):",
        "",
        *_rules(facts["rules"]),
        *[f"\n{warning}" for warning in facts["warnings"]],
    ]


def _rules(rules: Mapping[str, Facts]) -> list[str]:
    """A table of rules for bursts: figures by frame and by burst."""
    first = next(iter(rules.values()))
    header = ("rule", *(f"{unit}: {name}" for unit, own in first.items() for name in own))
    rows = [
        (rule, *("-" if cell is None else cell_of(cell) for own in figures.values() for cell in own.values()))
        for rule, figures in rules.items()
    ]
    return table(header, rows)


def _retained_classes(done: dict[str, Facts]) -> list[str]:
    facts = done["kept"]
    rows = [
        (
            f"{entry['kind']} ({entry['published']})",
            *(share(entry[mode][rate]) for mode in TRAINING_MODES for rate in RATES),
        )
        for entry in facts["kinds"]
    ]
    with_leopard, without = (done[name]["figures"]["top-1"] for name in ("kept", "head"))
    header = (
        "class (published class)",
        "trained: recall",
        "trained: false-positive rate",
        "retained: recall",
        "retained: false-positive rate",
    )
    return [
        "### Retained classes of the published network",
        "",
        "`uncia train head --keep` retains classes of the published network. Each class that the network knows was "
        "trained with its images (trained), and again without any of them (retained). Recall is the share of the "
        "class's test bursts that reach its threshold; the false-positive rate is that of all other test bursts.",
        "",
        *(table(header, rows) if rows else ["The published network knows none of the classes."]),
        "",
        f"Top-1 of the head that also retains the snow leopard: {cell_of(with_leopard)}; of the head without it: "
        f"{cell_of(without)}.",
        *_retained_on_real_photographs(facts["genuine"]),
    ]


def _retained_on_real_photographs(facts: Facts) -> list[str]:
    if not facts["photographs"]:
        return []
    threshold = "none" if facts["threshold"] is None else f"{facts['threshold']:g}"
    return [
        "",
        f"The head that retains the snow leopard, on {facts['photographs']} real photographs; the training data "
        f"contain neither these nor other snow leopards. Of the {facts['leopards']} frames of the snow leopard's "
        f"burst, {facts['leopards_called']} reach its threshold ({threshold}; lowest score {facts['least']:.2f}), and "
        f"it is the top class in {facts['leopards_first']}. Of the {facts['photographs'] - facts['leopards']} other "
        f"photographs, {facts['others_called']} reach the threshold (highest score {facts['greatest_other']:.2f}, "
        f"{facts['greatest_other_is']}), and it is the top class in {facts['others_first']}.",
    ]


def _groups(done: dict[str, Facts]) -> list[str]:
    facts = done["groups"]
    rows = [
        (
            entry["group"],
            "none" if entry["threshold"] is None else f"{entry['threshold']:g}",
            share(entry["found"]),
            share(entry["false"]),
        )
        for entry in facts["groups"]
    ]
    stock = facts["stock"]
    return [
        "### Animal or not",
        "",
        f"The head and the stock classes in one graph with {facts['classes']} classes. The animals of the test bursts "
        "are of classes that the head was not trained on; persons and vehicles have too few cut-outs for such a split. "
        "Thresholds are fitted on held-out bursts.",
        "",
        *table(("group", "threshold", "recall", "false-positive rate"), rows),
        "",
        "At the threshold with a recall of 90 % for animal bursts, the false-positive rate on empty bursts is "
        f"{share(stock['stock'])} for the highest score of any stock animal class, and {share(stock['head'])} for the "
        "head.",
    ]


def _samples(done: dict[str, Facts]) -> list[str]:
    facts = done["samples"]
    if not facts["photographs"]:
        return ["Real photographs were not available, so there are no figures for them."]
    threshold = facts["leopard_threshold"]
    lines = facts["lines"]
    burst = [line for line in lines if line["photograph"].startswith("snow_leopard_burst/")]
    others = [line for line in lines if line not in burst]
    found = sum(line["leopard"] >= threshold for line in burst)
    wrong = sum(line["leopard"] >= threshold for line in others)
    groups, cuts = ("animal", "person", "vehicle", "nothing"), facts["thresholds"]
    rows = []
    for line in lines:
        if line["photograph"].startswith("single_frames/"):
            present = [entry for entry in groups if cuts[entry] is not None and line[entry] >= cuts[entry]]
            scores = [f"{line[entry]:.2f}" for entry in groups]
            rows.append((line["photograph"].split("/")[1], *scores, ", ".join(present) or "-"))
    cut = facts["thresholds"]["animal"]
    animals = [line for line in lines if "burst/" in line["photograph"]]
    detected = sum(line["animal"] >= cut for line in animals)
    return [
        f"The same package on {facts['photographs']} real photographs, none of which is in the training data: the snow "
        f"leopard's threshold ({threshold:g}) is reached by {found} of the {len(burst)} frames of its burst and by "
        f"{wrong} of the {len(others)} others. The head's score for animal reaches its threshold ({cut:g}) in "
        f"{detected} of the {len(animals)} frames of the two animal bursts. The single frames:",
        "",
        *table(("photograph", *groups, "groups above threshold"), rows),
        "",
        f"{len(lines)} photographs are too few for an estimate of accuracy. Composites do not contain every scene or "
        "vehicle: if the head classifies an empty frame or a vehicle as an animal, train and calibrate on photographs "
        "of your own cameras.",
    ]


def _calibration(done: dict[str, Facts]) -> list[str]:
    facts = done["calibration"]
    if not facts["promises"]:
        return ["### Thresholds", "", f"Not calibrated: {facts['why']}."]
    rows = [
        (entry["promise"], f"{entry['thresholds']} of {entry['classes']}", share(entry["found"]), share(entry["false"]))
        for entry in facts["promises"]
    ]
    return [
        "### Thresholds",
        "",
        "`uncia models calibrate` fits thresholds on the held-out bursts of the head's data, for each target. Recall "
        "and false-positive rate are measured on the test bursts; they count pairs of a burst and a class that has a "
        "threshold.",
        "",
        *table(("target", "classes with a threshold", "recall", "false-positive rate"), rows),
    ]


def _serving(done: dict[str, Facts]) -> list[str]:
    facts = done["serving"]
    first, second = facts["versions"]
    return [
        "### Serving",
        "",
        f"The package with the stock classes and the groups was installed on a running stack as version {second}. "
        f"Of {facts['uploads']} uploaded photographs, {facts['answered']} got a prediction; the log contains "
        f"{facts['versions'][first]} predictions of version {first} and {facts['versions'][second]} of version "
        f"{second}.",
        "",
        f"- Shadow: both versions predicted {facts['shadow']['both']} photographs; they differ in "
        f"{facts['shadow']['differ']}, since the new classes score highest.",
        f"- Promotion: the command took {facts['promote']['command_s']} s; the first prediction of version {second} "
        f"arrived {facts['promote']['first_answer_s']} s after its start.",
        f"- Roll-back: the command took {facts['roll_back']['command_s']} s; the first prediction of version {first} "
        f"arrived {facts['roll_back']['first_answer_s']} s after its start.",
        f"- Failed inference requests during both switches: {facts['failed_requests']:.0f}.",
        f"- Median inference time in the stream: {facts['inference_ms'][first]} ms with version {first}, "
        f"{facts['inference_ms'][second]} ms with version {second}.",
        f"- Largest difference between the scores in the stream and those of offline inference, over "
        f"{facts['skew']['photographs']} photographs: {facts['skew']['off_by']:.1g}.",
    ]
