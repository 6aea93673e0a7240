"""A separate stack for the failure tests, and the round without a fault that they are compared with."""

from collections.abc import Callable, Iterator

import pytest

from tests.recovery.faults import Fault, FaultContext
from tests.recovery.observer import Observer
from tests.recovery.rounds import Outcome, Round
from tests.recovery.running_stack import running_stack
from tests.recovery.scenario import Scenario
from uncia.events import DetectionCategory

Play = Callable[[Fault | None], Outcome]


@pytest.fixture(scope="session")
def recovery_stack() -> Iterator[tuple[FaultContext, Observer]]:
    """A stack with all parts, any of which a test may make fail."""
    with running_stack() as (context, observer):
        yield context, observer


@pytest.fixture(scope="session")
def play(recovery_stack: tuple[FaultContext, Observer]) -> Play:
    """Runs a round of 39 photographs with one fault and compares it with a round without a fault."""
    context, observer = recovery_stack
    scenario = Scenario(series=1)
    reference = Round(context, observer, scenario, seed=0).play(None)
    assert not reference.problems, reference.problems
    if DetectionCategory.PERSON in context.detector_categories():
        # Without it, any animal may be a person, and all crops and explanations are withheld.
        assert reference.crops > 0
        assert reference.explained > 0
        assert reference.sighted > 0

    def round_of(fault: Fault | None) -> Outcome:
        if fault is not None and (reason := fault.skip_reason()):
            pytest.skip(reason)
        return Round(context, observer, scenario, seed=1).play(fault, reference.results)

    return round_of
