"""Builds the events of what people decide about individuals on pages; pure."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from uncia import ids
from uncia.camtrap.individual_decisions import individual_with_label, make_decision, named_crops
from uncia.camtrap.individuals import IndividualUnknown, RegistryState
from uncia.dashboard.web.strings import TEXT, text
from uncia.events import AnimalSide, IndividualDecided, IndividualDecision, IndividualSighted

__all__ = ["SightingDecision", "check_free", "decision_event", "undo_event"]

_ON_BURSTS = {
    IndividualDecision.SAME,
    IndividualDecision.DIFFERENT,
    IndividualDecision.NEW,
    IndividualDecision.UNSURE,
    IndividualDecision.REJECT,
}
_ABOUT_ONE = {IndividualDecision.SAME, IndividualDecision.DIFFERENT}


class SightingDecision(BaseModel):
    """A decision on a burst as the page sends it."""

    model_config = ConfigDict(extra="forbid")

    burst_id: str = Field(max_length=200)
    decision: IndividualDecision
    individual: str | None = Field(
        default=None, max_length=200, description="for `same` and `different`: id, code or name of the individual"
    )
    side: AnimalSide = Field(default=AnimalSide.UNKNOWN, description="side of the animal that the crops show")
    code: str | None = Field(default=None, max_length=100, description="for `new`")
    name: str | None = Field(default=None, max_length=100, description="for `new`")
    seen: str | None = Field(
        default=None, max_length=200, description="the decision that counted when the reviewer saw the burst"
    )
    undoes: str | None = Field(default=None, max_length=200, description="for `undo`: the decision")


def decision_event(
    decision: SightingDecision, sighted: IndividualSighted, state: RegistryState, reviewer: str, at: datetime
) -> IndividualDecided:
    """The event of a decision on a burst. Raises `ValueError` for one that makes no sense."""
    if decision.decision not in _ON_BURSTS:
        raise ValueError(TEXT["individual.refused.decision"])
    individual_id, code, name, taxon = None, None, None, None
    if decision.decision in _ABOUT_ONE:
        try:
            individual_id = state.resolve(state.find((decision.individual or "").strip()).individual_id)
        except IndividualUnknown as error:
            raise ValueError(text("individual.refused.unknown", name=decision.individual or "")) from error
    elif decision.decision is IndividualDecision.NEW:
        code, name = (decision.code or "").strip() or None, (decision.name or "").strip() or None
        check_free(state, code, name)
        individual_id, taxon = ids.individual_id(sighted.burst_id, reviewer, at.isoformat()), sighted.taxon
    decided = state.bursts.get(sighted.burst_id)
    return make_decision(
        decision.decision,
        reviewer,
        at,
        individual_id=individual_id,
        code=code,
        name=name,
        taxon=taxon,
        burst_id=sighted.burst_id,
        station=sighted.station,
        camera=sighted.camera,
        captured_at=sighted.started_at,
        crops=named_crops(sighted, decided.crops if decided else (), side=decision.side),
    )


def undo_event(known: IndividualDecided, reviewer: str, at: datetime) -> IndividualDecided:
    """The event that takes a decision back, in its partition."""
    return make_decision(
        IndividualDecision.UNDO,
        reviewer,
        at,
        undoes=known.decision_id,
        burst_id=known.burst_id,
        station=known.station,
        camera=known.camera,
        individual_id=None if known.burst_id else known.individual_id,
    )


def check_free(state: RegistryState, code: str | None, name: str | None, own: str | None = None) -> None:
    """Raise `ValueError` for a code or a name that another individual has."""
    for word in (code, name):
        if individual_with_label(state, word, own) is not None:
            raise ValueError(text("individual.refused.taken", name=word))
