"""A stack of its own for the tests that make its parts fail, and the quiet day that they are compared with."""

from collections.abc import Callable, Iterator

import pytest

from tests.recovery.faults import Fault, Field
from tests.recovery.field_day import FieldDay
from tests.recovery.observer import Observer
from tests.recovery.rounds import Outcome, Round
from tests.recovery.standing import standing

Play = Callable[[Fault | None], Outcome]


@pytest.fixture(scope="session")
def mortal_stack() -> Iterator[tuple[Field, Observer]]:
    """All parts; a test may make any of them fail."""
    with standing() as (field, observer):
        yield field, observer


@pytest.fixture(scope="session")
def play(mortal_stack: tuple[Field, Observer]) -> Play:
    """Plays a day of 39 photographs with one fault, and compares it with a quiet one."""
    field, observer = mortal_stack
    day = FieldDay(series=1)
    quiet = Round(field, observer, day, seed=0).play(None)
    assert not quiet.problems, quiet.problems

    def round_of(fault: Fault | None) -> Outcome:
        if fault is not None and (reason := fault.why_not()):
            pytest.skip(reason)
        return Round(field, observer, day, seed=1).play(fault, quiet.verdicts)

    return round_of
