"""However partitions move, and whichever worker is suspended or killed, a host gets requests at its polite rate."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from uncia.polite_http.rate_limit import DEFAULT_INTERVAL_S, FetchStopped
from uncia.processors.harvest.assignment import Assignment

HOST = "pictures.example.org"
SESSION_S = 6.0
WORKERS = st.integers(0, 2)
STEPS = st.sampled_from([0.01, 0.3, 0.5, 1.0, 2.5, 7.0])


class Worker:
    """A process: what it believes to own, and until when it may believe so."""

    def __init__(self) -> None:
        self.assignment: Assignment | None = None
        self.lease_until = float("-inf")


class PartitionOfOneHost(RuleBasedStateMachine):
    """Three workers and the coordinator of their group, which assigns the partition of one host.

    A worker whose session has expired does not know it: it is suspended, or its network is cut, and it believes it is
    the owner until its lease ends. The time of the coordinator's last heartbeat is that of the worker or later.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.workers = [Worker() for _ in range(3)]
        self.owner: int | None = None
        self.session_until = self.now
        self.starts: list[float] = []
        self.paused_until = float("-inf")
        self.broken_pauses = 0

    def _assign(self, number: int) -> None:
        worker = self.workers[number]
        if worker.assignment is not None:
            worker.assignment.stop.set()
        pauses = {HOST: self.paused_until - self.now} if self.paused_until > self.now else {}
        worker.assignment = Assignment(
            {0}, lambda: self.now < worker.lease_until, self._published, (), pauses, clock=lambda: self.now
        )
        worker.lease_until = self.session_until = self.now + SESSION_S
        self.owner = number

    def _published(self, host: str, seconds: float) -> None:
        self.paused_until = max(self.paused_until, self.now + seconds)
        for worker in self.workers:
            if worker.assignment is not None:
                worker.assignment.limiter.adopt_pause(host, seconds)

    @rule(seconds=STEPS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=WORKERS, delay_s=st.sampled_from([0.0, 0.4]))
    def heartbeat(self, number: int, delay_s: float) -> None:
        """The coordinator receives it some time after it was sent."""
        if number == self.owner and self.now + delay_s < self.session_until:
            self.workers[number].lease_until = self.now + SESSION_S
            self.now += delay_s
            self.session_until = self.now + SESSION_S

    @rule(number=WORKERS)
    def rebalance(self, number: int) -> None:
        """The owner gives the partition back before another one is assigned it."""
        if self.owner is not None:
            given_back = self.workers[self.owner].assignment
            assert given_back is not None
            given_back.stop.set()
        self._assign(number)

    @precondition(lambda self: self.now >= self.session_until)
    @rule(number=WORKERS)
    def session_expires(self, number: int) -> None:
        """The former owner was killed, or does not know."""
        self._assign(number)

    @rule(number=WORKERS)
    def ask(self, number: int) -> None:
        self._ask(number)

    @rule(number=WORKERS, seconds=st.sampled_from([2.0, 20.0]))
    def ask_a_busy_host(self, number: int, seconds: float) -> None:
        """The host answers 429 with `Retry-After`."""
        if self._ask(number):
            assignment = self.workers[number].assignment
            assert assignment is not None
            assignment.limiter.pause(HOST, seconds)

    def _ask(self, number: int) -> bool:
        assignment = self.workers[number].assignment
        if assignment is None:
            return False
        try:
            if assignment.limiter.take(HOST) > 0:
                return False
        except FetchStopped:
            return False
        self.broken_pauses += self.now < self.paused_until
        self.starts.append(self.now)
        return True

    @invariant()
    def requests_are_an_interval_apart(self) -> None:
        for first, second in zip(self.starts, self.starts[1:], strict=False):
            assert second - first >= DEFAULT_INTERVAL_S - 1e-9

    @invariant()
    def a_pause_holds_for_all(self) -> None:
        assert self.broken_pauses == 0


PartitionOfOneHost.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
test_a_host_is_asked_at_its_rate_by_all_workers_together = PartitionOfOneHost.TestCase


def test_a_new_owner_asks_after_an_interval_and_not_before() -> None:
    now = [0.0]
    assignment = Assignment({0}, lambda: True, lambda *_: None, (), {}, clock=lambda: now[0])
    assert assignment.limiter.take(HOST) == pytest.approx(DEFAULT_INTERVAL_S)
    now[0] = DEFAULT_INTERVAL_S
    assert assignment.limiter.take(HOST) == 0.0


@pytest.mark.parametrize("longer", [3.5, 60.0])
def test_an_interval_that_a_request_names_lengthens_that_of_its_host(longer: float) -> None:
    now = [0.0]
    assignment = Assignment({0}, lambda: True, lambda *_: None, (), {}, clock=lambda: now[0])
    assignment.limiter.lengthen(HOST, longer)
    assignment.limiter.lengthen(HOST, 0.001)
    assert assignment.limiter.wait_s(HOST) == longer
