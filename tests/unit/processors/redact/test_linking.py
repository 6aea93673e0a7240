"""Who has the private log finds the burst of a public event no more often than by chance, within a cell, day and taxon.

A year of five cameras in one cell is published as the worker does it. The attacker knows every private verdict with its
camera and time, and every public event with the order and the hour of its publication, and matches the events of each
group (cell, period, taxon) with the bursts of it. Of n bursts that are alike, any guess that the public bytes do not
support is right once a group on average, whatever n. The number of right guesses is therefore compared with the number
of groups; over g groups its variance is at most g (that of the fixed points of a random permutation is 1).
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from tests.unit.processors.redact.simulated import cell_of_cameras, known, simulated_year
from uncia.camtrap.public_view import public_view
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.events import BurstResolved, PublicBurstResolved
from uncia.processors.redact.outbox import changed, earliest_due, is_due, published

CAMERAS = cell_of_cameras(5)
DEPLOYMENTS, TAXA = known(*CAMERAS), SensitiveTaxa.load()
HOUR, DAY = 3600.0, 86_400.0
DEVIATIONS = 4.0
"""Of the number of right guesses, in standard deviations: chance is beyond it once in 15,000 runs."""

Public = tuple[float, int, bytes]
"""Hour of publication, place in the order, and the bytes without the id."""
Groups = dict[bytes, tuple[list[BurstResolved], list[tuple[Public, str]]]]
"""By public bytes: the bursts that look so, in the order of the log, and the events with the burst that each is of."""


def logged(one: BurstResolved) -> float:
    assert one.closed_at is not None
    return one.closed_at.timestamp()


def view(burst: BurstResolved) -> PublicBurstResolved | None:
    return public_view(burst, DEPLOYMENTS, TAXA)


def year(seed: int, due: Callable[[str, float, random.Random], float]) -> Groups:
    """A year of bursts and their public events, in groups with more than one burst."""
    chance = random.Random(seed)
    entries = []
    for burst in sorted(simulated_year(CAMERAS, seed), key=logged):
        entry = changed(
            None,
            burst,
            0,
            logged(burst),
            view,
            lambda: f"{chance.getrandbits(128):032x}",
            lambda p, at: due(p, at, chance),
        )
        assert entry is not None
        entries.append(entry)
    hours = defaultdict(list)
    for entry in entries:
        assert entry.due is not None
        hours[entry.due // HOUR + 1].append(entry)
    groups: Groups = defaultdict(lambda: ([], []))
    order = 0
    for hour, waiting in sorted(hours.items()):
        chance.shuffle(waiting)
        for entry in waiting:
            assert is_due(entry, hour * HOUR)
            event = entry.event(view)
            assert event is not None
            after = published(entry, event, hour * HOUR, view, str, lambda p, at: due(p, at, chance))
            assert after is not None and after.due is None
            seen = event.model_copy(update={"public_id": ""}).to_bytes()
            groups[seen][1].append(((hour, order, seen), entry.burst.burst_id))
            order += 1
    for entry in entries:
        event = view(entry.burst)
        assert event is not None
        groups[event.to_bytes()][0].append(entry.burst)
    return {name: group for name, group in groups.items() if len(group[0]) > 1}


def right_by_order(groups: Groups) -> int:
    """The first event of a group is of its first burst, and so on."""
    return sum(
        burst.burst_id == truth
        for bursts, events in groups.values()
        for burst, (_, truth) in zip(sorted(bursts, key=logged), sorted(events), strict=True)
    )


def right_by_camera(groups: Groups) -> int:
    """The events of a group are of its bursts in the order of how busy their cameras are."""
    busy = Counter(burst.camera for bursts, _ in groups.values() for burst in bursts)
    return sum(
        burst.burst_id == truth
        for bursts, events in groups.values()
        for burst, (_, truth) in zip(
            sorted(bursts, key=lambda each: (-busy[each.camera], logged(each))), sorted(events), strict=True
        )
    )


def right_by_hour(groups: Groups) -> int:
    """The event that was published at the earliest hour of its day is of the burst at the earliest hour of its day."""
    return sum(
        burst.burst_id == truth
        for bursts, events in groups.values()
        for burst, (_, truth) in zip(
            sorted(bursts, key=lambda each: logged(each) % DAY),
            sorted(events, key=lambda each: (each[0][0] * HOUR % DAY, each[0][1])),
            strict=True,
        )
    )


def draw(period: str, at: float, chance: random.Random) -> float:
    """As the worker draws it."""
    return earliest_due(period, at) + chance.uniform(DAY, 7 * DAY)


@pytest.mark.parametrize("attack", [right_by_order, right_by_camera, right_by_hour])
def test_a_year_cannot_be_linked_better_than_by_chance(attack: Callable[[Groups], int]) -> None:
    years = [year(seed, draw) for seed in range(3)]
    groups, right = sum(map(len, years)), sum(map(attack, years))
    assert groups > 300
    assert right <= groups + DEVIATIONS * groups**0.5


def test_the_attack_by_order_works_where_the_order_is_kept() -> None:
    found = year(1, lambda period, at, chance: at)
    right = right_by_order(found)
    assert right > len(found) + 8 * len(found) ** 0.5


def test_the_delay_of_all_bursts_of_a_day_counts_from_the_same_moment() -> None:
    starts = {
        (p, earliest_due(p, 1_767_225_600.0 + hour * HOUR)) for p in ("2026-01-02", "2026-W01") for hour in range(62)
    }
    assert len(starts) == 2
