"""The audit of a catalogue, against a count over its events."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.catalogue_data import whole_project
from tests.unit.dashboard.web.alert_data import fold_events, silence_of
from uncia import ids
from uncia.camtrap.taxonomy import ROOT, Taxon, Taxonomy
from uncia.dashboard.catalogue.alerts import Alerts
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.verdict_audit.queries import VerdictAudit
from uncia.dashboard.verdict_audit.rates import Audited, VerdictCounts
from uncia.dashboard.verdict_audit.sample import AuditSample, Stratum
from uncia.events import (
    AlertCause,
    AlertState,
    BurstCategory,
    BurstResolved,
    BurstStatus,
    ObservationReviewed,
    ReviewDecision,
    ReviewedObservation,
)

ALL = AuditSample("1", 1, 1, 0.9)
HALF = AuditSample("1", 0.5, 0.5, 0.9)
CATEGORIES = {"blank": BurstCategory.BLANK, "animal": BurstCategory.ANIMAL}


def bursts() -> list[BurstResolved]:
    """The newest revision of each burst."""
    found: dict[str, BurstResolved] = {}
    for event in whole_project():
        if isinstance(event, BurstResolved) and event.status is not BurstStatus.PROVISIONAL:
            found[event.burst_id] = event
    return list(found.values())


def reviewed_at_first() -> set[str]:
    return {event.burst_id for event in whole_project() if isinstance(event, ObservationReviewed)}


def stratum_of(burst: BurstResolved, confidence: float = 0.9) -> Stratum | None:
    if burst.category is BurstCategory.BLANK:
        return Stratum.BLANK
    confident = burst.category is BurstCategory.ANIMAL and (burst.animal_probability or 0) >= confidence
    return Stratum.CONFIDENT if confident else None


def sampled(sample: AuditSample, stratum: Stratum) -> list[BurstResolved]:
    return [burst for burst in bursts() if stratum_of(burst) is stratum and sample.includes(stratum, burst.burst_id)]


def review(burst: BurstResolved, decision: ReviewDecision, *seen: ReviewedObservation) -> ObservationReviewed:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    return ObservationReviewed(
        review_id=ids.review_id(burst.burst_id, "ann", at, decision.value),
        burst_id=burst.burst_id,
        burst_revision=burst.revision,
        station=burst.station,
        camera=burst.camera,
        reviewer="ann",
        decision=decision,
        observations=seen,
        images=tuple(frame.image_id for frame in burst.frames),
        reviewed_at=at,
    )


def animal(taxon: str | None = None) -> ReviewedObservation:
    return ReviewedObservation(category=BurstCategory.ANIMAL, taxon=taxon, label=taxon)


PERSON = ReviewedObservation(category=BurstCategory.PERSON)


def unreviewed(stratum: Stratum) -> list[BurstResolved]:
    return [burst for burst in sampled(ALL, stratum) if burst.burst_id not in reviewed_at_first()]


def certain_ibex() -> BurstResolved:
    """A confident burst that was not reviewed, of the certain taxon Capra sibirica."""
    return next(
        one
        for one in unreviewed(Stratum.CONFIDENT)
        if one.verdict and one.verdict.certain and one.verdict.taxon == "Capra sibirica"
    )


def test_the_queue_holds_the_sample_without_reviews_in_its_order(project_engine: Engine) -> None:
    members = {one.burst_id for stratum in Stratum for one in sampled(HALF, stratum)} - reviewed_at_first()
    ordered = sorted(members, key=lambda burst: (burst < HALF.start, burst))
    audit = VerdictAudit(project_engine, HALF)
    assert audit.queue(BurstFilter(), 500) == ordered
    assert audit.queue(BurstFilter(), 3) == ordered[:3]
    assert audit.waiting(BurstFilter()) == len(ordered)


@pytest.mark.parametrize("blank, confident", [(1, 0.3), (0.4, 1), (1, 1)])
def test_unequal_shares_are_mixed_over_the_whole_queue(project_engine: Engine, blank: float, confident: float) -> None:
    chosen = AuditSample("3", blank, confident, 0.9)
    positions = {
        one.burst_id: chosen.position(stratum, one.burst_id)
        for stratum in Stratum
        for one in sampled(chosen, stratum)
        if one.burst_id not in reviewed_at_first()
    }
    audit = VerdictAudit(project_engine, chosen)
    ordered = sorted(positions, key=positions.__getitem__)
    assert audit.queue(BurstFilter(), 500) == ordered
    assert audit.queue(BurstFilter(), 7) == ordered[:7]


def test_a_reviewed_burst_leaves_the_queue(project_engine: Engine) -> None:
    audit = VerdictAudit(project_engine, HALF)
    first, second, *_ = audit.queue(BurstFilter(), 500)
    burst = next(one for one in bursts() if one.burst_id == first)
    fold_events(project_engine, review(burst, ReviewDecision.UNKNOWN))
    assert audit.queue(BurstFilter(), 1) == [second]


def test_an_account_sees_its_stations_alone(project_engine: Engine) -> None:
    audit, stations = VerdictAudit(project_engine, ALL), {burst.burst_id: burst.station for burst in bursts()}
    queue = audit.queue(BurstFilter(), 500, ["ridge"])
    assert queue
    assert {stations[burst] for burst in queue} == {"ridge"}
    assert audit.waiting(BurstFilter(), ["ridge"]) == len(queue)
    assert {cell.camera.partition("/")[0] for cell in audit.rates(stations=["ridge"]).cells} == {"ridge"}
    assert audit.rates(stations=[]).cells == ()


def test_cells_count_the_verdicts_and_the_sample_by_camera_and_month(project_engine: Engine) -> None:
    result = VerdictAudit(project_engine, HALF).rates()
    for cell in result.cells:
        own = [
            one for one in bursts() if (one.camera, one.started_at.date().replace(day=1)) == (cell.camera, cell.month)
        ]
        kinds = [stratum_of(one) for one in own]
        assert cell.verdicts.blank == kinds.count(Stratum.BLANK)
        assert cell.verdicts.confident == kinds.count(Stratum.CONFIDENT)
        assert cell.blank.sampled == sum(one in own for one in sampled(HALF, Stratum.BLANK))
        assert cell.confident.sampled == sum(one in own for one in sampled(HALF, Stratum.CONFIDENT))
    assert len({(cell.camera, cell.month) for cell in result.cells}) == len(result.cells) > 12
    assert [cell.month for cell in result.months] == [date(2026, 5, 1), date(2026, 6, 1)]


def test_sums_agree_with_the_cells(project_engine: Engine) -> None:
    result = VerdictAudit(project_engine, HALF).rates()
    for parts in (result.cells, result.months, result.cameras):
        assert sum((cell.verdicts for cell in parts), VerdictCounts()) == result.total.verdicts
        assert sum((cell.blank for cell in parts), Audited()) == result.total.blank
        assert sum((cell.confident for cell in parts), Audited()) == result.total.confident


def test_a_month_and_a_camera_limit_what_is_counted(project_engine: Engine) -> None:
    audit = VerdictAudit(project_engine, HALF)
    whole = audit.rates()
    later = audit.rates(since=date(2026, 6, 17))
    assert later.cells == tuple(cell for cell in whole.cells if cell.month == date(2026, 6, 1))
    camera = whole.cells[0].camera
    assert audit.rates(camera=camera).cells == tuple(cell for cell in whole.cells if cell.camera == camera)


def test_an_animal_in_a_blank_is_an_error(project_engine: Engine) -> None:
    missed, right, unclear, person, *_ = unreviewed(Stratum.BLANK)
    before = VerdictAudit(project_engine, ALL).rates().total.blank
    fold_events(
        project_engine,
        review(missed, ReviewDecision.CORRECT, animal()),
        review(right, ReviewDecision.BLANK),
        review(unclear, ReviewDecision.UNKNOWN),
        review(person, ReviewDecision.CORRECT, ReviewedObservation(category=BurstCategory.PERSON)),
    )
    after = VerdictAudit(project_engine, ALL).rates().total.blank
    assert (after.sampled, after.decided, after.undecided, after.wrong) == (before.sampled, 3, 1, 1)


def test_an_animal_beside_a_person_in_a_blank_is_an_error(project_engine: Engine) -> None:
    burst = unreviewed(Stratum.BLANK)[0]
    audit = VerdictAudit(project_engine, ALL)
    before = audit.rates().total.blank
    fold_events(project_engine, review(burst, ReviewDecision.CORRECT, PERSON, animal()))
    after = audit.rates().total.blank
    assert (after.decided, after.wrong, after.absent) == (before.decided + 1, before.wrong + 1, before.absent)


@pytest.mark.parametrize(
    "seen, animals, others",
    [((animal(),), 1, 0), ((PERSON, animal()), 1, 0), ((PERSON,), 0, 1), ((), 0, 1)],
)
def test_a_doubtful_verdict_is_an_animal_where_any_observation_is(
    project_engine: Engine, seen: tuple[ReviewedObservation, ...], animals: int, others: int
) -> None:
    sample = AuditSample("1", 1, 1, 1)
    burst = next(
        one
        for one in bursts()
        if one.category is BurstCategory.ANIMAL
        and stratum_of(one, sample.confidence) is None
        and one.burst_id not in reviewed_at_first()
    )
    audit = VerdictAudit(project_engine, sample)
    before = audit.rates().total.verdicts
    fold_events(project_engine, review(burst, ReviewDecision.CORRECT if seen else ReviewDecision.BLANK, *seen))
    after = audit.rates().total.verdicts
    assert after.doubtful == before.doubtful
    assert after.doubtful_animals - before.doubtful_animals == animals
    assert after.doubtful_others - before.doubtful_others == others


@pytest.mark.parametrize(
    "seen, decided, wrong",
    [
        (("ibex",), 0, 0),
        (("Panthera uncia", "ibex"), 0, 0),
        (("ibex", "Capra sibirica"), 1, 0),
        (("Panthera uncia", "Capra sibirica"), 1, 0),
        (("Panthera uncia", "Canis lupus"), 1, 1),
    ],
)
def test_a_taxon_that_the_taxonomy_does_not_have_decides_nothing(
    project_engine: Engine, seen: tuple[str, ...], decided: int, wrong: int
) -> None:
    audit = VerdictAudit(project_engine, ALL)
    before = audit.rates().total.confident
    fold_events(project_engine, review(certain_ibex(), ReviewDecision.CORRECT, *map(animal, seen)))
    after = audit.rates().total.confident
    assert (after.decided - before.decided, after.wrong - before.wrong) == (decided, wrong)
    assert after.undecided - before.undecided == 1 - decided


def test_the_name_of_the_verdict_agrees_also_where_the_taxonomy_does_not_have_it(project_engine: Engine) -> None:
    audit = VerdictAudit(project_engine, ALL, Taxonomy([Taxon(ROOT, "kingdom", "")]))
    before = audit.rates().total.confident
    fold_events(project_engine, review(certain_ibex(), ReviewDecision.CORRECT, animal("Capra sibirica")))
    after = audit.rates().total.confident
    assert (after.decided, after.wrong) == (before.decided + 1, before.wrong)


@pytest.mark.parametrize(
    "seen, wrong, absent",
    [
        ("same", 0, 0),
        ("above", 0, 0),
        ("unnamed", 0, 0),
        ("other", 1, 0),
        ("person", 1, 1),
        ("person and same", 0, 0),
        ("person and other", 1, 0),
        ("nothing", 1, 1),
    ],
)
def test_a_confident_verdict_is_wrong_where_category_or_taxon_contradicts(
    project_engine: Engine, seen: str, wrong: int, absent: int
) -> None:
    burst = certain_ibex()
    observations = {
        "same": (animal("Capra sibirica"),),
        "above": (animal("Bovidae"),),
        "unnamed": (animal(),),
        "other": (animal("Panthera uncia"),),
        "person": (PERSON,),
        "person and same": (PERSON, animal("Capra sibirica")),
        "person and other": (PERSON, animal("Panthera uncia")),
        "nothing": (),
    }[seen]
    audit = VerdictAudit(project_engine, ALL)
    before = audit.rates().total.confident
    fold_events(
        project_engine, review(burst, ReviewDecision.CORRECT if observations else ReviewDecision.BLANK, *observations)
    )
    after = audit.rates().total.confident
    assert after.decided == before.decided + 1
    assert (after.wrong - before.wrong, after.absent - before.absent) == (wrong, absent)


def test_a_review_beyond_the_sample_changes_no_rate(project_engine: Engine) -> None:
    outside = next(one for one in unreviewed(Stratum.BLANK) if not HALF.includes(Stratum.BLANK, one.burst_id))
    audit = VerdictAudit(project_engine, HALF)
    before = audit.rates()
    fold_events(project_engine, review(outside, ReviewDecision.CORRECT, animal()))
    assert audit.rates() == before


def test_provisional_and_superseded_bursts_are_not_sampled(project_engine: Engine) -> None:
    one, other, *_ = unreviewed(Stratum.BLANK)
    audit = VerdictAudit(project_engine, ALL)
    before = audit.waiting(BurstFilter())
    fold_events(
        project_engine,
        one.model_copy(update={"revision": 9, "status": BurstStatus.SUPERSEDED, "superseded_by": other.burst_id}),
        other.model_copy(update={"revision": 9, "status": BurstStatus.PROVISIONAL}),
    )
    assert audit.waiting(BurstFilter()) == before - 2
    assert audit.rates().total.blank.sampled == len(sampled(ALL, Stratum.BLANK)) - 2


def test_without_a_share_nothing_is_sampled(project_engine: Engine) -> None:
    audit = VerdictAudit(project_engine, AuditSample("1", 0, 0, 0.9))
    assert audit.queue(BurstFilter(), 10) == []
    assert audit.rates().total.blank == Audited()


def test_alerts_of_a_cause_stand_until_they_are_withdrawn(project_engine: Engine) -> None:
    alerts = Alerts(project_engine)
    silent = silence_of("ridge/cam-1")
    drift = silent.model_copy(update={"alert_id": "alr-drift", "cause": AlertCause.SCORE_DRIFT})
    fold_events(project_engine, silent, drift)
    assert [one.alert_id for one in alerts.standing(AlertCause.SCORE_DRIFT)] == ["alr-drift"]
    assert alerts.standing(AlertCause.SCORE_DRIFT, ["pass"]) == []
    fold_events(project_engine, drift.model_copy(update={"revision": 2, "state": AlertState.WITHDRAWN}))
    assert alerts.standing(AlertCause.SCORE_DRIFT) == []
