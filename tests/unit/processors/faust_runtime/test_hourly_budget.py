"""The limit on what a worker requests by itself."""

import pytest

from uncia.processors.faust_runtime.hourly_budget import HourlyBudget


def test_the_budget_allows_so_many_requests_in_any_hour() -> None:
    now = 0.0
    budget = HourlyBudget(2, 1, lambda: now)
    assert [budget.take({0}) for _ in range(3)] == [True, True, False]
    now = 3599.0
    assert not budget.take({0})
    now = 3600.0
    assert [budget.take({0}) for _ in range(3)] == [True, True, False]
    assert not HourlyBudget(0, 1, lambda: now).take({0})


@pytest.mark.parametrize("assignments", [[{0, 1, 2, 3}], [{0, 3}, {1, 2}], [{0}, {1}, {2}, {3}]])
@pytest.mark.parametrize("per_hour", [1, 6, 20])
def test_several_processes_together_make_as_many_requests_as_one(per_hour: int, assignments: list[set[int]]) -> None:
    budgets = [(HourlyBudget(per_hour, 4, lambda: 0.0), assigned) for assigned in assignments]
    assert sum(budget.take(assigned) for budget, assigned in budgets for _ in range(per_hour + 1)) == per_hour


def test_a_process_without_partitions_makes_no_requests() -> None:
    assert not HourlyBudget(20, 4, lambda: 0.0).take(set())
