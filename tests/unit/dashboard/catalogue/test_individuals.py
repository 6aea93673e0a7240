"""The registry and the queue of sightings in the catalogue, in SQLite and PostgreSQL."""

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import whole_project
from tests.unit.dashboard.catalogue.individual_data import candidate_of, created, crop_of, sighted
from tests.unit.dashboard.web.alert_data import fold_events
from tests.unit.uncia.camtrap.individual_decisions import undo
from uncia.dashboard.catalogue import schema
from uncia.dashboard.catalogue.individuals import Individuals, SightingQueue
from uncia.dashboard.catalogue.information import expected_information
from uncia.events import BurstResolved, SightingStatus

BURSTS = [event for event in whole_project() if isinstance(event, BurstResolved) and event.revision == 2][:5]
KNOWN = created(BURSTS[0], "F01")
MINE = SightingQueue("rita")


def waiting(individuals: Individuals, stations: list[str] | None = None) -> list[str]:
    return [one.burst_id for one in individuals.queue(MINE, individuals.state(), stations)]


def test_the_registry_follows_the_catalogue(engine: Engine) -> None:
    individuals = Individuals(engine)
    assert not individuals.state().individuals
    fold_events(engine, KNOWN)
    assert individuals.state().individuals["ind-f01"].code == "F01"
    taken_back = undo(1, KNOWN).model_copy(update={"camera": KNOWN.camera})
    fold_events(engine, taken_back)
    assert not individuals.state().individuals


def test_a_catalogue_that_is_built_anew_holds_what_it_reads_again(engine: Engine) -> None:
    individuals = Individuals(engine)
    fold_events(engine, KNOWN)
    assert individuals.state().individuals
    schema.clear(engine)
    assert not individuals.state().individuals


def test_what_is_undecided_comes_first(engine: Engine) -> None:
    individuals = Individuals(engine)
    scores = {0.99: 0.01, 0.5: 0.5, 0.8: 0.2}
    for burst, (score, new) in zip(BURSTS[1:], scores.items(), strict=False):
        fold_events(engine, sighted(burst, candidate_of(KNOWN, crop_of(burst), score), new_score=new))
    assert waiting(individuals) == [BURSTS[2].burst_id, BURSTS[3].burst_id, BURSTS[1].burst_id]
    assert individuals.waiting(MINE, individuals.state()) == 3


def test_the_newest_revision_of_a_sighting_counts(engine: Engine) -> None:
    newest = sighted(BURSTS[1], revision=2, status=SightingStatus.WITHDRAWN)
    fold_events(engine, sighted(BURSTS[1]), newest, sighted(BURSTS[1]))
    assert waiting(Individuals(engine)) == []


def test_a_burst_of_another_station_does_not_wait(engine: Engine) -> None:
    fold_events(engine, sighted(BURSTS[1]))
    individuals = Individuals(engine)
    assert waiting(individuals, [BURSTS[1].station]) == [BURSTS[1].burst_id]
    assert waiting(individuals, ["elsewhere"]) == []
    assert individuals.sighting(BURSTS[1].burst_id, ["elsewhere"]) is None


@pytest.mark.parametrize(
    ("scores", "new", "bits"),
    [((), None, 0.0), ((0.5,), 0.5, 1.0), ((0.25, 0.25), 0.5, 1.5), ((1.0,), 0.0, 0.0), ((0.0,), 0.0, 0.0)],
)
def test_information_is_the_entropy_of_who_it_is(scores: tuple[float, ...], new: float | None, bits: float) -> None:
    assert expected_information(scores, new) == pytest.approx(bits)
