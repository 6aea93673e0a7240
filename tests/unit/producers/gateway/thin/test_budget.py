"""The budget of a thin link, and the order of its transfers."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.thin.budget import DailyBudget, day_of, link_bytes, most_bytes, transfer_cost
from uncia.producers.gateway.thin.ledger import BudgetUsedUp, Ledger, Purpose
from uncia.producers.gateway.thin.plan import (
    POLL_SHARE,
    THUMBNAIL_SHARE,
    Spent,
    Transfer,
    Urgency,
    is_poll_due,
    most_for_photograph,
    next_transfer,
)

LIMIT = 1_000_000
BUDGET = DailyBudget(LIMIT)
DAY_S = 86_400
POLL = transfer_cost(0, tls=True)

TRANSFERS = st.lists(
    st.builds(Transfer, st.integers(1, 50), st.sampled_from(Urgency), st.integers(1, LIMIT)),
    max_size=12,
    unique_by=lambda one: one.file,
)
SPENT = st.builds(
    lambda thumbnails, others: Spent(thumbnails + others, thumbnails),
    st.integers(0, LIMIT // 2),
    st.integers(0, LIMIT // 2),
)


@given(asked=st.integers(0, 2 * LIMIT), spent=st.integers(0, LIMIT), repeated=st.booleans())
def test_a_grant_never_exceeds_the_budget(asked: int, spent: int, repeated: bool) -> None:
    granted = BUDGET.grant(asked, spent, repeated=repeated)
    assert 0 <= granted <= asked
    assert spent + granted <= LIMIT


@given(st.integers(0, 10_000_000))
def test_a_transfer_costs_more_than_its_bytes(size: int) -> None:
    assert size <= link_bytes(size) < transfer_cost(size, tls=False) < transfer_cost(size, tls=True)


@given(TRANSFERS, SPENT)
def test_a_chosen_transfer_fits_what_is_left_of_the_day(waiting: list[Transfer], spent: Spent) -> None:
    chosen = next_transfer(waiting, BUDGET, spent, POLL)
    assert chosen is None or chosen.cost <= BUDGET.left(spent.total)


@given(TRANSFERS, SPENT)
def test_no_whole_photograph_is_sent_while_a_thumbnail_waits(waiting: list[Transfer], spent: Spent) -> None:
    chosen = next_transfer(waiting, BUDGET, spent, POLL)
    if chosen is not None and any(one.urgency is Urgency.THUMBNAIL for one in waiting):
        assert chosen.urgency is Urgency.THUMBNAIL


@given(TRANSFERS, SPENT)
def test_whole_photographs_leave_their_share_to_thumbnails(waiting: list[Transfer], spent: Spent) -> None:
    chosen = next_transfer(waiting, BUDGET, spent, POLL)
    if chosen is not None and chosen.urgency is not Urgency.THUMBNAIL:
        kept = max(0, int(LIMIT * THUMBNAIL_SHARE) - spent.thumbnails)
        assert BUDGET.left(spent.total) - chosen.cost >= kept


@given(TRANSFERS)
def test_a_new_day_begins_with_the_most_urgent_and_oldest_that_can_be_sent_at_all(waiting: list[Transfer]) -> None:
    possible = [
        one for one in waiting if one.urgency is not Urgency.THUMBNAIL and one.cost <= most_for_photograph(BUDGET, POLL)
    ]
    others = [one for one in waiting if one.urgency is not Urgency.THUMBNAIL]
    expected = min(possible, key=lambda one: (one.urgency, one.file), default=None)
    assert next_transfer(others, BUDGET, Spent(), POLL) == expected


@given(spent=st.integers(0, LIMIT), cost=st.integers(1, LIMIT))
def test_polls_but_the_first_of_a_day_stay_within_their_share(spent: int, cost: int) -> None:
    if spent and is_poll_due(0, None, 60, cost, BUDGET, Spent(total=spent, polls=spent)):
        assert spent + cost <= LIMIT * POLL_SHARE


@given(TRANSFERS, SPENT, st.integers(50_000, LIMIT))
def test_what_was_sent_before_leaves_enough_for_a_poll_a_day(waiting: list[Transfer], spent: Spent, limit: int) -> None:
    budget, before = DailyBudget(limit), Spent(spent.total, spent.thumbnails)
    if budget.left(before.total) < POLL:
        return  # not reached: nothing was sent that left too little
    chosen = next_transfer(waiting, budget, before, POLL)
    after = before.total + (chosen.cost if chosen is not None else 0)
    assert is_poll_due(0, None, 60, POLL, budget, Spent(after, before.thumbnails))


@given(st.integers(0, 5_000_000), st.booleans())
def test_the_most_bytes_for_a_cost_are_those_that_cost_no_more(cost: int, tls: bool) -> None:
    most = most_bytes(cost, tls=tls)
    assert most < 0 or transfer_cost(most, tls=tls) <= cost
    assert transfer_cost(most + 1, tls=tls) > cost


@pytest.mark.parametrize(
    ("now", "due"), [(1059, False), (1060, True), (999, True)], ids=["too soon", "due", "clock set back"]
)
def test_polls_keep_their_interval(now: float, due: bool) -> None:
    assert is_poll_due(now, 1000, 60, 100, BUDGET, Spent()) is due


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "receive", "repeat", "settle", "crash", "begin", "time"]),
        st.integers(1, 40_000),
    ),
    max_size=60,
)


@settings(max_examples=30, deadline=None)
@given(STEPS, st.integers(20_000, 300_000))
def test_bytes_of_a_day_are_booked_before_they_move_and_never_exceed_its_budget(
    steps: list[tuple[str, int]], limit: int
) -> None:
    moved: dict[str, int] = {}
    clock = [1_800_000_000.0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spool.sqlite"
        spool = Spool(path)
        ledger = Ledger(spool, DailyBudget(limit), lambda: clock[0])
        for step, size in steps:
            day = day_of(clock[0])
            try:
                if step == "take":
                    ledger.take(size)
                    moved[day] = moved.get(day, 0) + size
                elif step == "receive":
                    ledger.take(size)
                    ledger.put_back(size // 3)
                    moved[day] = moved.get(day, 0) + size - size // 3
                elif step == "repeat":
                    ledger.take_repeated(size)
                    moved[day] = moved.get(day, 0) + size
            except BudgetUsedUp:
                pass
            if step == "settle":
                ledger.settle()
            elif step == "begin":
                ledger.begin(Purpose.THUMBNAIL)
            elif step == "time":
                clock[0] += size * 3
            elif step == "crash":
                spool.close()
                spool = Spool(path)
                ledger = Ledger(spool, DailyBudget(limit), lambda: clock[0])
            for each, count in moved.items():
                assert count <= ledger.spent(each).total <= limit
        spool.close()


def test_what_was_leased_and_not_used_is_given_back(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        ledger = Ledger(spool, DailyBudget(100_000), lambda: 0.0)
        ledger.begin(Purpose.THUMBNAIL)
        ledger.take(10)
        assert ledger.spent().total > 10
        ledger.settle()
        assert ledger.spent() == Spent(total=10, thumbnails=10)
