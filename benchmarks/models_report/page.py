"""Renders the generated section of `docs/models.md` from the results of the steps."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.markdown_section import replace_section
from benchmarks.models_report.ensembles_page import PLOTS, bursts, models, views
from benchmarks.models_report.markdown import MEASURES, cell_of, share, table, verdict
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

NOT_THE_FIELD = (
    "**These are composites, not photographs from the field: no figure here is an accuracy in the field.** The same "
    "few cut-outs of a class are in the training and the test images, with other backgrounds, light and sizes. The "
    "figures can only show which recipe is better than another on the same images."
)


def write_page(source: Path, target: Path, report: Report, machine: Mapping[str, Any]) -> None:
    """Write `source` with its results replaced to `target`, and the plots to a folder next to it.

    Raises `ValueError` when the markers are missing.
    """
    plots = report.folder / "plots"
    write_plots(plots, report.done)
    shutil.copytree(plots, target.parent / PLOTS, dirs_exist_ok=True)
    target.write_text(replace_section(source, BEGIN, END, results(report, machine)), encoding="utf-8")


def results(report: Report, machine: Mapping[str, Any]) -> str:
    """All results as Markdown."""
    parts: dict[str, Callable[[dict[str, Facts]], list[str]]] = {
        "data": _data,
        "head": _learners,
        "ablation": _ablation,
        "kept": _kept,
        "groups": _groups,
        "samples": _samples,
        "calibration": _calibration,
        "views": views,
        "models": models,
        "bursts": bursts,
        "serving": _serving,
    }
    seconds = sum(float(facts["seconds"]) for facts in report.done.values())
    lines = [
        f"Measured {machine['measured_at']} at {machine['commit']} by `{machine['command']}` on "
        f"{machine['machine_cpu']}, {machine['machine_cores']} cores, {machine['machine_memory_gb']} GB: "
        f"{seconds / 60:.0f} minutes in all. Intervals are 95 %, by bootstrap over bursts.",
        "",
        NOT_THE_FIELD,
        "",
    ]
    for name, part in parts.items():
        if name in report.done:
            lines += [*part(report.done), ""]
    return "\n".join(lines)


def write_plots(folder: Path, done: Mapping[str, Facts]) -> None:
    """Write the plot of the ensembles; the ablation step has written its own."""
    from uncia.training.model_packages.plots import interval_plot

    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        (f"{name}: {line['what']}"[:52], Interval(*line["measures"]["top-1"]))
        for name in ("views", "models", "bursts")
        for line in done.get(name, {}).get("lines", ())
    ]
    if rows:
        plot = interval_plot("Ensembles and their parts, 95 % intervals over bursts", "top-1", rows)
        (folder / "ensembles.svg").write_text(plot, encoding="utf-8")


def _data(done: dict[str, Facts]) -> list[str]:
    data = done["data"]
    several = sum(count > 1 for count in data["species"]["variants"].values())
    sides = ", ".join(
        f"{name.replace('_', '-')} {side['bursts']} bursts ({side['pictures']} pictures)"
        for name, side in data["sides"].items()
    )
    return [
        "### Data",
        "",
        f"- Kinds: {data['species']['source']}; {', '.join(data['classes'])} and nothing ({several} of the kinds with "
        f"more than one cut-out). {data['species']['pictures']} pictures of {data['species']['bursts']} bursts: "
        f"{sides}. Leaks between the sides: {len(data['leaks'])}.",
        f"- Groups: all {data['kinds']} kinds of cut-outs, {data['groups']['pictures'] + data['things']['pictures']} "
        f"pictures of {data['groups']['bursts'] + data['things']['bursts']} bursts.",
    ]


def _learners(done: dict[str, Facts]) -> list[str]:
    rows = []
    for name, called in RECIPES.items():
        if name in done:
            figures = done[name]["figures"]
            facts = [cell_of(figures[entry]) if entry in figures else "-" for entry in MEASURES]
            rows.append((called, *facts, f"{done[name]['seconds']:.0f} s"))
    return [
        "### Ways to learn",
        "",
        *table(("way", *MEASURES, "time"), rows),
        "",
        f"On the test bursts, single frames.{_tuned(done)}",
    ]


def _tuned(done: dict[str, Facts]) -> str:
    if "fine_tuned" not in done:
        return ""
    settings = done["fine_tuned"]["settings"]
    return f" Fine-tuning began from the head: {settings['blocks that learn']} blocks; epochs: {settings['epochs']}."


def _ablation(done: dict[str, Facts]) -> list[str]:
    facts = done["ablation"]
    cells: dict[tuple[str, str, str], dict[bool, str]] = {}
    for row in facts["rows"]:
        place = (row["cut"], row["look"], row["augmentation"])
        cells.setdefault(place, {})[row["bursts"]] = cell_of(row["figures"]["top-1"])
    shown = table(
        ("cut", "input", "augmentation", "top-1, single frames", "top-1, combined bursts"),
        [(*place, both.get(False, "-"), both.get(True, "-")) for place, both in cells.items()],
    )
    effects = [
        f"- {name}: {verdict([entry['low'], entry['value'], entry['high']])}."
        for name, entry in facts["effects"].items()
    ]
    return [
        "### Ablation",
        "",
        *shown,
        "",
        f"![Ablation]({PLOTS}/ablation.svg)",
        "",
        f"Effects: paired differences on the same {facts['photographs']} test pictures of {facts['bursts']} "
        "bursts, on the average of all rows that differ in nothing else:",
        "",
        *effects,
    ]


def _kept(done: dict[str, Facts]) -> list[str]:
    facts = done["kept"]
    rows = [
        (
            f"{entry['kind']} ({entry['published']})",
            *(share(entry[way][what]) for way in TRAINING_MODES for what in RATES),
        )
        for entry in facts["kinds"]
    ]
    own, before = (done[name]["figures"]["top-1"] for name in ("kept", "head"))
    shown = table(("kind (published class)", "taught: found", "false", "untaught, kept: found", "false"), rows)
    return [
        "### Kept of the published network",
        "",
        "`uncia train head --keep`: the classes that the published network knows, once trained on their photographs "
        "and once without a single one of them. Test bursts that reach the kind's threshold, and those of other things "
        "that do:",
        "",
        *(shown if rows else ["None of the kinds is one that the published network knows."]),
        "",
        f"The head with the snow leopard kept beside what it was taught: top-1 {cell_of(own)}, without it "
        f"{cell_of(before)}.",
        *_kept_genuine(facts["genuine"]),
    ]


def _kept_genuine(facts: Facts) -> list[str]:
    if not facts["photographs"]:
        return []
    threshold = "none" if facts["threshold"] is None else f"{facts['threshold']:g}"
    return [
        "",
        f"That head on {facts['photographs']} real photographs; neither they nor other snow leopards are in the "
        f"training data. Of the {facts['leopards']} frames of the snow leopard's burst {facts['leopards_called']} "
        f"reach its threshold ({threshold}; lowest score {facts['least']:.2f}), and in {facts['leopards_first']} it is "
        f"the top class. Of the {facts['photographs'] - facts['leopards']} others {facts['others_called']} reach it "
        f"(highest score {facts['greatest_other']:.2f}, {facts['greatest_other_is']}), and in {facts['others_first']} "
        "it is first.",
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
        "### Any animal at all",
        "",
        f"The head and the stock classes in one graph, {facts['classes']} classes. Animals of the test are kinds that "
        "the head never saw; persons and vehicles have too few cut-outs for that. Thresholds are from held-out bursts.",
        "",
        *table(("group", "threshold", "bursts found", "bursts called so that are not"), rows),
        "",
        f"Where nine of ten animal bursts are found, {share(stock['stock'])} of the empty bursts pass for one by the "
        f"best stock class of any animal, and {share(stock['head'])} by the head.",
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
            called = [entry for entry in groups if cuts[entry] is not None and line[entry] >= cuts[entry]]
            scores = [f"{line[entry]:.2f}" for entry in groups]
            rows.append((line["photograph"].split("/")[1], *scores, ", ".join(called) or "-"))
    cut = facts["thresholds"]["animal"]
    animals = [line for line in lines if "burst/" in line["photograph"]]
    seen = sum(line["animal"] >= cut for line in animals)
    return [
        f"The same package on {facts['photographs']} genuine photographs, of which nothing was learnt: the snow "
        f"leopard's threshold ({threshold:g}) is reached by {found} of the {len(burst)} frames of its burst and by "
        f"{wrong} of the {len(others)} others. The head calls {seen} of the {len(animals)} "
        f"frames of the two bursts of animals an animal (threshold {cut:g}). The single frames:",
        "",
        *table(("photograph", *groups, "called so"), rows),
        "",
        f"{len(lines)} photographs are too few to measure. Where it calls an empty frame or a vehicle an animal, "
        "cut-outs did not teach it what such a place or such a vehicle looks like: train and calibrate on your own "
        "cameras.",
    ]


def _calibration(done: dict[str, Facts]) -> list[str]:
    facts = done["calibration"]
    if not facts["promises"]:
        return ["### Thresholds", "", f"Not learnt: {facts['why']}."]
    rows = [
        (entry["promise"], f"{entry['thresholds']} of {entry['classes']}", share(entry["found"]), share(entry["false"]))
        for entry in facts["promises"]
    ]
    return [
        "### Thresholds",
        "",
        "`uncia models calibrate` on the held-out bursts of the head's data; the result of every target on the test "
        "bursts, which it did not see (pairs of a burst and a class that has a threshold):",
        "",
        *table(("promise", "classes with a threshold", "found", "called so that are not"), rows),
    ]


def _serving(done: dict[str, Facts]) -> list[str]:
    facts = done["serving"]
    first, second = facts["versions"]
    return [
        "### Served",
        "",
        f"The package of kinds and groups on a running stack, {facts['uploads']} photographs, of which "
        f"{facts['answered']} were answered with a prediction ({facts['versions'][first]} by version {first}, "
        f"{facts['versions'][second]} by version {second}):",
        "",
        f"- as a shadow it answered the same uploads; both answered {facts['shadow']['both']}, and differ on "
        f"{facts['shadow']['differ']}: the new classes stand first;",
        f"- promoting took {facts['promote']['command_s']} s, the first answer by it came "
        f"{facts['promote']['first_answer_s']} s after the command was typed; rolling back "
        f"{facts['roll_back']['command_s']} s and {facts['roll_back']['first_answer_s']} s;",
        f"- requests that failed meanwhile: {facts['failed_requests']:.0f};",
        f"- median of one inference in the stream: {facts['inference_ms'][first]} ms before, "
        f"{facts['inference_ms'][second]} ms with the head beside;",
        f"- the stream's answers for {facts['skew']['photographs']} files are those of the recipe within "
        f"{facts['skew']['off_by']:.1g}.",
    ]
