"""Decisions about individuals for tests: single ones by name, and random logs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from uncia import ids
from uncia.events import AnimalSide, IndividualCrop, IndividualDecided, IndividualDecision

BEGIN = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
STATIONS = ("ridge", "valley", "ford")


def crop(name: str, side: AnimalSide = AnimalSide.UNKNOWN) -> IndividualCrop:
    return IndividualCrop(crop_id=name, bucket="uploads", key=f"crops/{name}.jpg", side=side)


def decide(minute: int, decision: IndividualDecision, **fields: Any) -> IndividualDecided:
    """A decision at a minute after `BEGIN`; its id is derived from its content."""
    at = BEGIN + timedelta(minutes=minute)
    made = IndividualDecided(
        decision_id="", decision=decision, reviewer=fields.pop("reviewer", "aigul"), decided_at=at, **fields
    )
    return made.model_copy(update={"decision_id": ids.individual_decision_id("aigul", at, decision, str(made))})


def place(burst: str) -> dict[str, Any]:
    """Where and when a burst was: by its name, which ends with a number."""
    number = int(burst.rsplit("-", 1)[-1])
    station = STATIONS[number % len(STATIONS)]
    return {
        "burst_id": burst,
        "station": station,
        "camera": f"{station}/north",
        "captured_at": datetime(2026, 4, 1, 6, 0) + timedelta(days=number),
    }


def new(minute: int, individual: str, burst: str, *crops: IndividualCrop, **fields: Any) -> IndividualDecided:
    found = crops or (crop(f"crp-{burst}"),)
    return decide(
        minute,
        IndividualDecision.NEW,
        individual_id=individual,
        taxon="Panthera uncia",
        crops=found,
        **place(burst),
        **fields,
    )


def same(minute: int, individual: str, burst: str, *crops: IndividualCrop) -> IndividualDecided:
    found = crops or (crop(f"crp-{burst}"),)
    return decide(minute, IndividualDecision.SAME, individual_id=individual, crops=found, **place(burst))


def merge(minute: int, one: str, into: str) -> IndividualDecided:
    return decide(minute, IndividualDecision.MERGE, individual_id=one, other_id=into)


def split(minute: int, made: str, source: str, *bursts: str) -> IndividualDecided:
    return decide(
        minute,
        IndividualDecision.SPLIT,
        individual_id=made,
        other_id=source,
        bursts=bursts,
        taxon="Panthera uncia",
    )


def rename(minute: int, individual: str, **names: str) -> IndividualDecided:
    return decide(minute, IndividualDecision.RENAME, individual_id=individual, **names)


def undo(minute: int, undone: IndividualDecided) -> IndividualDecided:
    return decide(minute, IndividualDecision.UNDO, undoes=undone.decision_id)


_MINUTES = st.integers(0, 40)
_INDIVIDUALS = st.sampled_from(["ind-a", "ind-b", "ind-c", "ind-d"])
_BURSTS = st.sampled_from([f"bst-{number}" for number in range(6)])
_CROPS = st.lists(
    st.builds(crop, st.sampled_from(["crp-1", "crp-2", "crp-3"]), st.sampled_from(AnimalSide)), max_size=3
)


def _about_burst(kind: IndividualDecision) -> st.SearchStrategy[IndividualDecided]:
    needs = kind in (IndividualDecision.NEW, IndividualDecision.SAME, IndividualDecision.DIFFERENT)

    def made(minute: int, individual: str, burst: str, crops: list[IndividualCrop]) -> IndividualDecided:
        own = tuple(each.model_copy(update={"crop_id": f"{each.crop_id}-{burst}"}) for each in crops)
        return decide(minute, kind, individual_id=individual if needs else None, crops=own, **place(burst))

    return st.builds(made, _MINUTES, _INDIVIDUALS, _BURSTS, _CROPS)


DECISIONS: st.SearchStrategy[IndividualDecided] = st.one_of(
    _about_burst(IndividualDecision.NEW),
    _about_burst(IndividualDecision.SAME),
    _about_burst(IndividualDecision.DIFFERENT),
    _about_burst(IndividualDecision.UNSURE),
    _about_burst(IndividualDecision.REJECT),
    st.builds(merge, _MINUTES, _INDIVIDUALS, _INDIVIDUALS),
    st.builds(
        lambda minute, made, source, bursts: split(minute, made, source, *bursts),
        _MINUTES,
        _INDIVIDUALS,
        _INDIVIDUALS,
        st.lists(_BURSTS, max_size=3),
    ),
    st.builds(lambda minute, one, code: rename(minute, one, code=code), _MINUTES, _INDIVIDUALS, st.sampled_from("FMX")),
)
"""Any decision but an undo, about few individuals and bursts, so that they meet."""


@st.composite
def logs(draw: st.DrawFn) -> list[IndividualDecided]:
    """A log with undos, some of them of undos."""
    log = draw(st.lists(DECISIONS, max_size=12))
    for minute in draw(st.lists(_MINUTES, max_size=6)):
        if log:
            log.append(undo(minute, draw(st.sampled_from(log))))
    return log
