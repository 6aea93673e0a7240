"""The report's sections on genuine photographs: category, boxes, false alarms, and what each stage contributes."""

from collections.abc import Mapping
from typing import Any

from benchmarks.models_report.markdown import cell_of, table
from benchmarks.models_report.steps import Facts

__all__ = ["presence", "presence_samples", "verdicts"]

Cell = Mapping[str, float] | None

_MEASURES = {
    "frame_auc": "AUC by frame",
    "burst_auc": "AUC by burst",
    "right_boxes": "best box right (IoU 0.5)",
}


def presence(done: dict[str, Facts]) -> list[str]:
    """Category, boxes and false alarms, a table for each data set."""
    facts = done["presence"]
    title = "### Animal, person, vehicle or blank"
    if "skipped" in facts:
        return [title, "", f"Skipped: {facts['skipped']}."]
    lines = [
        title,
        "",
        "Genuine photographs with labels, and composites with true boxes. **Every data set is decided by weights and a "
        "threshold that come from the other genuine ones**; composites by those of all genuine ones. Features, and the "
        "size of the movement grid, were chosen by looking at the two largest sets (missouri, nacti_reconyx), so only "
        "other data can confirm their figures. Bursts include the blank parts of bursts that show an animal elsewhere. "
        "A data set whose cameras are unknown counts as one camera. Intervals of 400 resamples of bursts. `detector`: "
        "the highest score; `+ size`: and the size of the box; `+ movement`: the fusion of the product.",
        "",
    ]
    for name, own in facts["datasets"].items():
        lines += [*_dataset(name, own, facts["thresholds"].get(name)), ""]
    pooled = [
        (stage, *(_cell(own[measure]) for measure in ("frame_auc", "burst_auc")), _cell(facts["equal_alarms"][stage]))
        for stage, own in facts["all"].items()
    ]
    header = (
        "stage",
        "AUC by frame",
        "AUC by burst",
        "animal bursts found where 5 % of the blank ones are called animal",
    )
    return [*lines, "**All genuine sets together**", "", *table(header, pooled)]


def _dataset(name: str, own: Facts, threshold: float | None) -> list[str]:
    stages: dict[str, Facts] = own["stages"]
    if not stages:
        return [f"**{name}**: no burst with animals or nothing only."]
    first = next(iter(stages.values()))
    fused = stages.get("+ movement", first)
    counts = (
        f"**{name}**: {first['frames']} frames whose own truth is known ({first['blank_frames']} blank), "
        f"{first['bursts']} bursts ({first['blank_bursts']} blank)."
    )
    rows = [(stage, *(_cell(figures[measure]) for measure in _MEASURES)) for stage, figures in stages.items()]
    return [
        counts,
        "",
        *table(("stage", *_MEASURES.values()), rows),
        "",
        f"- At the threshold of the other sets ({threshold or 0:g}): animal bursts found "
        f"{_percent(fused['burst_recall'])}, animal frames {_percent(fused['frame_recall'])}; false alarms in 1,000 "
        f"blank bursts {_per_thousand(fused['burst_false_alarms'])}, in 1,000 blank frames "
        f"{_per_thousand(fused['frame_false_alarms'])}.",
        *_boxes(own["boxes"]),
        *[_other(kind, own[kind]) for kind in ("person", "vehicle")],
    ]


def _boxes(facts: Facts) -> list[str]:
    if not facts["true_boxes"]:
        return []
    recalls = ", ".join(
        f"from a score of {least} on {_percent(value)}" for least, value in facts.items() if least != "true_boxes"
    )
    return [f"- Recall of the {facts['true_boxes']} true boxes at IoU 0.5: {recalls}."]


def _other(kind: str, facts: Facts) -> str:
    found = f"{_percent(facts['found'])} of {facts['frames']} frames found" if facts["frames"] else "none in the data"
    return f"- {kind.capitalize()}: {found}; false in 1,000 of the other frames: {_per_thousand(facts['false'])}."


def presence_samples(done: dict[str, Facts]) -> list[str]:
    """The sample photographs with the presence model that ships."""
    facts = done["presence_samples"]
    if "skipped" in facts:
        return ["### Sample photographs", "", f"Skipped: {facts['skipped']}."]
    rows = [
        (
            line["name"],
            f"{line['animal']:.2f}",
            f"{line['frames_over']} of {line['frames']}",
            f"{line['boxed']} of {line['frames']}",
            f"{line['person']:.2f}",
            f"{line['vehicle']:.2f}",
        )
        for line in facts["lines"]
    ]
    header = ("photograph or burst", "animal", "frames over the threshold", "boxed", "person score", "vehicle score")
    return [
        "### Sample photographs",
        "",
        f"Decided by `{facts['model']}`, which was not fitted on them; an animal from {facts['threshold']:g} on. "
        "Boxed: the frame has an animal box with a score of 0.1 or more.",
        "",
        *table(header, rows),
    ]


def verdicts(done: dict[str, Facts]) -> list[str]:
    """What whole frame, dense pass, crop and roll-up contribute to the verdicts on bursts."""
    facts = done["verdicts"]
    title = "### Stages of a verdict"
    if "skipped" in facts:
        return [title, "", f"Skipped: {facts['skipped']}."]
    presence_facts: dict[str, Facts] = done.get("presence", {}).get("datasets", {})
    second = done.get("second_look", {"skipped": "not run"})
    lines = [
        title,
        "",
        "The stock classifier on the whole frame and in its best window, the detector, and the fusion with movement; "
        "then the taxon from the whole photograph, from the crop of the best box, and rolled up the taxonomy as in the "
        "stream. Nothing was tuned on these data for the classifier; the thresholds of the roll-up were chosen on "
        "missouri. A taxon is right where it is the animal's, or one above it other than *Animalia*.",
        "",
    ]
    for name, own in facts["datasets"].items():
        lines += _stages(name, own, presence_facts.get(name, {}), second.get("datasets", {}).get(name))
    return [*lines, f"Second look: {second['skipped']}."] if "skipped" in second else lines


def _stages(name: str, own: Facts, other: Facts, second: Facts | None) -> list[str]:
    rows = [(stage, _cell(one["frame_auc"]), _cell(one["burst_auc"])) for stage, one in own["presence"].items()]
    rows += [
        (stage, _cell(figures["frame_auc"]), _cell(figures["burst_auc"]))
        for stage, figures in other.get("stages", {}).items()
    ]
    if second is not None:
        rows.append(("+ second look", _cell(second["frame_auc"]), _cell(second["burst_auc"])))
    lines: list[str] = []
    if any((frame, burst) != ("-", "-") for _, frame, burst in rows):
        lines += [f"**{name}**, animal against blank ({own['bursts']} bursts for the classifier's rows)", ""]
        lines += [*table(("stage", "AUC by frame", "AUC by burst"), rows), ""]
    taxa: Facts = own["taxa"]
    if taxa:
        shown = [
            (stage, *(_percent(one[what]) for what in ("named", "right", "wrong")))
            for stage, one in taxa.items()
            if stage != "bursts"
        ]
        lines += [f"**{name}**, taxon of {taxa['bursts']} bursts with an animal whose taxon is known:", ""]
        lines += [*table(("stage", "named", "right", "wrong"), shown), ""]
    return lines


def _cell(value: Cell) -> str:
    return "-" if value is None else cell_of(value)


def _percent(value: Cell) -> str:
    return "-" if value is None else f"{value['value']:.0%} ({value['low']:.0%} to {value['high']:.0%})"


def _per_thousand(value: Any) -> str:
    if value is None:
        return "-"
    return f"{1000 * value['value']:.0f} ({1000 * value['low']:.0f} to {1000 * value['high']:.0f})"
