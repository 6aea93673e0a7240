"""Builds decisions about individuals; pure. `uncia individuals` and the dashboard make them alike."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from uncia import ids
from uncia.camtrap.individuals import Individual, RegistryState
from uncia.events import AnimalSide, IndividualCrop, IndividualDecided, IndividualDecision, IndividualSighted

__all__ = ["individual_with_label", "make_decision", "named_crops"]


def make_decision(decision: IndividualDecision, reviewer: str, at: datetime, **fields: Any) -> IndividualDecided:
    """A decision with its id. `at` has a UTC offset; `fields`: those of the event."""
    made = IndividualDecided(decision_id="", decision=decision, reviewer=reviewer, decided_at=at, **fields)
    content = made.model_dump_json(exclude={"decision_id", "comment"}, exclude_none=True)
    return made.model_copy(update={"decision_id": ids.individual_decision_id(reviewer, at, decision.value, content)})


def named_crops(
    sighted: IndividualSighted,
    decided: Sequence[IndividualCrop],
    wanted: Sequence[str] = (),
    side: AnimalSide = AnimalSide.UNKNOWN,
) -> tuple[IndividualCrop, ...]:
    """The crops that a decision names: the best ones of the burst, and those that were `decided` when they were.

    Without the latter, what was decided about them would still count after a decision about the whole burst. A side is
    that of the best ones, which people see. `wanted`: ids; empty for all. Raises `ValueError` for a crop of another
    burst.
    """
    best = {crop.crop_id for crop in sighted.crops}
    former = tuple(crop for crop in decided if crop.crop_id not in best)
    own = best | {crop.crop_id for crop in former}
    foreign = [each for each in wanted if each not in own]
    if foreign:
        raise ValueError(f"{sighted.burst_id} has no crop {', '.join(foreign)}; it has {', '.join(sorted(own))}")
    chosen = (crop for crop in (*sighted.crops, *former) if not wanted or crop.crop_id in wanted)
    return tuple(
        crop.model_copy(update={"side": side})
        if side is not AnimalSide.UNKNOWN and (crop.crop_id in best or crop.crop_id in wanted)
        else crop
        for crop in chosen
    )


def individual_with_label(state: RegistryState, label: str | None, own: str | None = None) -> Individual | None:
    """The individual other than `own` that has this code or name, whatever its case."""
    if not label:
        return None
    for each in state.current():
        if each.individual_id != own and label.casefold() in {
            (each.code or "").casefold(),
            (each.name or "").casefold(),
        }:
            return each
    return None
