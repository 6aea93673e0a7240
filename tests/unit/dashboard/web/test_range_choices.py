"""Ranges of Browse as links."""

from datetime import date
from urllib.parse import parse_qs, urlsplit

from uncia.dashboard.catalogue.rows import ConfidenceCount, RangeCounts
from uncia.dashboard.web.burst_query import BurstQuery
from uncia.dashboard.web.range_choices import confidence_choices, date_choices, hour_choices

HOURS = tuple(range(24))
RANGES = RangeCounts(
    month={date(2026, 2, 1): 3, date(2026, 12, 1): 4},
    hour=HOURS,
    confidence=(ConfidenceCount(0.9, 1.0, 7), ConfidenceCount(0.7, 0.9, 2)),
)


def query_of(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def test_months_are_listed_from_the_newest_with_their_last_day() -> None:
    choices = date_choices(BurstQuery(), RANGES)
    assert [(one.label, one.bursts) for one in choices] == [("2026-12", 4), ("2026-02", 3)]
    assert query_of(choices[1].address) == {"since": ["2026-02-01"], "until": ["2026-02-28"]}
    assert query_of(choices[0].address)["until"] == ["2026-12-31"]


def test_many_months_are_listed_as_years() -> None:
    months = {date(year, month, 1): 1 for year in (2024, 2025) for month in range(1, 13)}
    choices = date_choices(BurstQuery(), RangeCounts(month=months, hour=HOURS, confidence=()))
    assert [(one.label, one.bursts) for one in choices] == [("2025", 12), ("2024", 12)]
    assert query_of(choices[0].address) == {"since": ["2025-01-01"], "until": ["2025-12-31"]}


def test_the_parts_of_a_day_hold_every_hour_once() -> None:
    choices = hour_choices(BurstQuery(), RANGES)
    assert sum(one.bursts for one in choices) == sum(HOURS)
    assert query_of(choices[-1].address) == {"from": ["18:00"], "to": ["24:00"]}


def test_a_link_keeps_the_other_filters_and_begins_at_the_first_page() -> None:
    query = BurstQuery(taxon="Capra sibirica", after="x")
    (first, _) = confidence_choices(query, RANGES)
    assert query_of(first.address) == {
        "taxon": ["Capra sibirica"],
        "confidence_min": ["0.9"],
        "confidence_max": ["1.0"],
    }


def test_the_link_of_a_chosen_range_removes_it() -> None:
    query = BurstQuery.parse("taxon=Capra+sibirica&confidence_min=0.9&confidence_max=1")
    (first, second) = confidence_choices(query, RANGES)
    assert first.chosen
    assert not second.chosen
    assert query_of(first.address) == {"taxon": ["Capra sibirica"]}


def test_the_addresses_of_all_ranges_are_valid_queries() -> None:
    query = BurstQuery()
    for choice in [*date_choices(query, RANGES), *hour_choices(query, RANGES), *confidence_choices(query, RANGES)]:
        assert BurstQuery.parse(urlsplit(choice.address).query).is_limited
