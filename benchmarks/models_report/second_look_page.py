"""The report's section on second looks: what they bring by data set, and what they cost."""

from typing import Any

from benchmarks.models_report.markdown import cell_of, signed, table
from benchmarks.models_report.steps import Facts

__all__ = ["second_look"]

_ALL = "**all**"


def second_look(done: dict[str, Facts]) -> list[str]:
    """Presence before and after second looks, a row for each data set."""
    facts = done["second_look"]
    title = "### Second looks"
    if "skipped" in facts:
        return [title, "", f"Skipped: {facts['skipped']}."]
    rows = {**facts["datasets"], _ALL: facts["all"]}
    whole = facts["all"]["bursts"]
    return [
        title,
        "",
        f"Bursts whose probability of an animal is within {facts['within']:g} of {facts['threshold']:g} are detected "
        f"again in tiles, {facts['frames']} frames of each at most ([presence.md](presence.md#second-look)). Weights "
        "are fitted without the data set in question; the threshold is the product's, which was chosen on first looks "
        f"at these sets. At most {facts['most_bursts']} bursts of a data set, chosen by a digest of their names, and "
        "blank parts of bursts count as bursts. Counts are before → after; changes are paired, with 95 % bootstrap "
        "intervals over bursts. Most of these photographs are small copies, which have no pixels to add.",
        "",
        *table(
            (
                "data set",
                "bursts (blank)",
                "second looks (blank)",
                "animal bursts found",
                "blank bursts called animal",
                "CPU seconds a burst",
            ),
            [
                (
                    name,
                    f"{own['bursts']['found']['of'] + own['bursts']['false']['of']} ({own['bursts']['false']['of']})",
                    f"{own['requested']} ({own['requested_blank']})",
                    _counts(own["bursts"]["found"]),
                    _counts(own["bursts"]["false"]),
                    _seconds(own["seconds"]),
                )
                for name, own in rows.items()
            ],
        ),
        "",
        *table(
            (
                "data set",
                "AUC by burst before",
                "after",
                "change",
                "AUC by frame before",
                "after",
                "change",
                "animal frames found",
                "blank frames called animal",
            ),
            [
                (
                    name,
                    *_aucs(own["bursts"]["auc"]),
                    *_aucs(own["frames"]["auc"]),
                    _counts(own["frames"]["found"]),
                    _counts(own["frames"]["false"]),
                )
                for name, own in rows.items()
                if own["bursts"]["auc"] or own["frames"]["auc"]
            ],
        ),
        "",
        f"First looks alone, with the threshold lowered until they too call {whole['false']['after']} of "
        f"{whole['false']['of']} blank bursts an animal, find {whole['found_at_equal_alarms']} of "
        f"{whole['found']['of']} animal bursts; with second looks {whole['found']['after']} are found."
        f"{_cost(facts['all'])}",
    ]


def _counts(facts: Facts) -> str:
    if not facts["of"]:
        return "-"
    change = facts["change"]
    moved = "" if facts["before"] == facts["after"] else f"; {_points(change)}"
    return f"{facts['before']} → {facts['after']} of {facts['of']}{moved}"


def _points(change: Any) -> str:
    value, low, high = (100 * change[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _aucs(facts: Facts | None) -> tuple[str, str, str]:
    if facts is None:
        return "-", "-", "-"
    change = facts["change"]
    return cell_of(facts["before"]), cell_of(facts["after"]), signed((change["low"], change["value"], change["high"]))


def _seconds(facts: Facts | None) -> str:
    return "-" if facts is None else f"{_amount(facts['a_burst'])}, {facts['bursts']} bursts"


def _cost(facts: Facts) -> str:
    seconds = facts["seconds"]
    if seconds is None:
        return ""
    return (
        f" CPU seconds are those of decoding, cutting and detecting, without the classification of crops: "
        f"{_amount(seconds['a_frame'])} a frame, measured in {seconds['bursts']} bursts."
    )


def _amount(interval: Any) -> str:
    return f"{interval['value']:.2f} ({interval['low']:.2f} to {interval['high']:.2f})"
