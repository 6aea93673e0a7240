"""Which sightings are withdrawn."""

from datetime import UTC, datetime

from uncia.camtrap.individuals_reader import WithdrawnSightings
from uncia.events import IndividualSighted, SightingStatus


def sighting(burst: str, revision: int, status: SightingStatus = SightingStatus.WITHDRAWN) -> IndividualSighted:
    return IndividualSighted(
        burst_id=burst,
        revision=revision,
        station="ridge",
        camera="ridge/north",
        started_at=datetime(2026, 5, 1, 10),
        taxon="Panthera uncia",
        status=status,
        sighted_at=datetime(2026, 5, 1, 10, tzinfo=UTC),
    )


def test_the_newest_revision_counts() -> None:
    withdrawn = WithdrawnSightings()
    withdrawn.apply(sighting("bst-1", 2))
    withdrawn.apply(sighting("bst-1", 1, SightingStatus.PROPOSED))
    assert withdrawn.bursts == {"bst-1"}
    withdrawn.apply(sighting("bst-1", 3, SightingStatus.PROPOSED))
    assert withdrawn.bursts == frozenset()


def test_a_burst_that_was_removed_is_withdrawn_until_the_topic_begins_again() -> None:
    withdrawn = WithdrawnSightings()
    withdrawn.remove("bst-1")
    assert withdrawn.bursts == {"bst-1"}
    withdrawn.clear()
    assert withdrawn.bursts == frozenset()


def test_the_ids_are_copied_when_they_are_read_only() -> None:
    withdrawn = WithdrawnSightings()
    first = withdrawn.bursts
    for number in range(3):
        withdrawn.apply(sighting(f"bst-{number}", 1))
    assert withdrawn.bursts is withdrawn.bursts
    assert (len(first), len(withdrawn.bursts)) == (0, 3)


def test_a_long_topic_of_withdrawals_is_read_in_time_that_grows_with_its_length() -> None:
    withdrawn = WithdrawnSightings()
    one = sighting("bst", 1)
    # With a copy for each withdrawal this takes many minutes.
    for number in range(100_000):
        withdrawn.apply(one.model_copy(update={"burst_id": f"bst-{number}"}))
    assert len(withdrawn.bursts) == 100_000
