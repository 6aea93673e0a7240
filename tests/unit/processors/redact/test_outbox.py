"""Each burst is published at most once under one id and when it is due; corrections follow; crashes change nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.redact.simulated import burst, cell_of_cameras, known, review
from uncia.camtrap.public_view import public_view
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.events import BurstCategory, BurstResolved, BurstStatus, PublicBurstResolved, ReviewDecision
from uncia.processors.redact.outbox import Entry, announced, changed, is_due, is_seen, published
from uncia.processors.redact.state_store import from_bytes, to_bytes

TAXA = SensitiveTaxa.load()
DEPLOYMENTS = known(*cell_of_cameras(5))
DELAY = 100.0
LEAST = 50.0


def view(verdict: BurstResolved) -> PublicBurstResolved | None:
    return public_view(verdict, DEPLOYMENTS, TAXA)


class Crashed(Exception):
    """The worker was killed."""


@dataclass
class Simulation:
    """The worker's steps on a store and a topic that survive it. `crash_at`: the step at which it dies, once."""

    crash_at: int = -1
    store: dict[str, bytes] = field(default_factory=dict)
    topic: list[tuple[float, str, PublicBurstResolved | None]] = field(default_factory=list)
    steps: Iterator[int] = field(default_factory=count)
    drawn: Iterator[int] = field(default_factory=count)

    def _step(self) -> None:
        if next(self.steps) == self.crash_at:
            raise Crashed

    def read(self, verdict: BurstResolved, logged_at: float) -> None:
        raw = self.store.get(verdict.burst_id)
        before = from_bytes(verdict.burst_id, raw) if raw else None
        after = changed(before, verdict, 2, logged_at, view, lambda: f"id-{next(self.drawn)}", lambda _, at: at + DELAY)
        self._step()
        if after is not None and after is not before:
            self.store[verdict.burst_id] = to_bytes(after)
        self._step()

    def publish(self, now: float) -> None:
        for name, raw in list(self.store.items()):
            entry = from_bytes(name, raw)
            assert entry is not None
            if not is_due(entry, now):
                continue
            event = entry.event(view)
            self._step()
            if not is_seen(entry, event):
                if not entry.unconfirmed:
                    entry = announced(entry)
                    self.store[name] = to_bytes(entry)
                self._step()
                self.topic.append((now, entry.public_id, event))
            self._step()
            self.store[name] = to_bytes(published(entry, event))
            self._step()

    def run(self, actions: list[tuple[str, BurstResolved | None, float]]) -> None:
        """Everything in order; after a crash, again from the last verdict that was acknowledged.

        What was being published is published when it is the turn of the publications again: verdicts may come before.
        """
        for kind, verdict, at in actions:
            try:
                if kind == "verdict" and verdict is not None:
                    self.read(verdict, at)
                else:
                    self.publish(at)
            except Crashed:
                if verdict is not None:
                    self.read(verdict, at)
        self.publish(actions[-1][2])

    def seen(self) -> dict[str, PublicBurstResolved]:
        """What a reader of the compacted topic has in the end, by id."""
        last = {name: event for _, name, event in self.topic}
        return {name: event for name, event in last.items() if event is not None}


VERDICTS = st.sampled_from(
    [
        {"taxon": "Capra sibirica"},
        {"taxon": "Vulpes vulpes"},
        {"taxon": "Panthera uncia"},
        {"taxon": "Sus scrofa", "certain": False},
        {"category": BurstCategory.PERSON},
        {"category": BurstCategory.BLANK, "taxon": None},
        {"status": BurstStatus.SUPERSEDED},
        {"review": review(ReviewDecision.CORRECT, "Vulpes vulpes")},
        {"review": review(ReviewDecision.CORRECT, "Panthera uncia")},
        {"review": review(ReviewDecision.BLANK, category=None)},
        {"status": BurstStatus.PROVISIONAL},
    ]
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, BurstResolved | None, float]]:
    """Verdicts on a few bursts, with publications in between, in the order of their times."""
    revisions: dict[str, int] = {}
    actions: list[tuple[str, BurstResolved | None, float]] = []
    now = 1000.0
    for _ in range(draw(st.integers(1, 12))):
        now += draw(st.sampled_from([1.0, 20.0, 150.0]))
        if draw(st.booleans()):
            name = draw(st.sampled_from(["bst-a", "bst-b"]))
            revisions[name] = revisions.get(name, 0) + 1
            verdict = burst(name, revision=revisions[name], **draw(VERDICTS))  # type: ignore[arg-type]
            actions.append(("verdict", verdict, now))
            if draw(st.booleans()):
                actions.append(("verdict", verdict, now))  # delivered again
        else:
            actions.append(("publish", None, now))
    return [*actions, ("publish", None, now + 1000)]


@given(histories())
def test_a_burst_has_one_id_and_nothing_is_published_twice_or_early(
    actions: list[tuple[str, BurstResolved | None, float]],
) -> None:
    simulation = Simulation()
    simulation.run(actions)
    entries = [from_bytes(name, raw) for name, raw in simulation.store.items()]
    ids = [entry.public_id for entry in entries if entry is not None]
    assert len(ids) == len(set(ids))
    assert {name for _, name, _ in simulation.topic} <= set(ids)
    for name in ids:
        events = [event for _, each, event in simulation.topic if each == name]
        assert all(before != after for before, after in pairwise(events))
        assert not events or events[0] is not None
    first = min((at for kind, _, at in actions if kind == "verdict"), default=0.0)
    assert all(at >= first + DELAY for at, _, event in simulation.topic if event is not None)


@given(histories())
def test_the_public_sees_the_last_verdict_in_the_end(actions: list[tuple[str, BurstResolved | None, float]]) -> None:
    simulation = Simulation()
    simulation.run(actions)
    last: dict[str, PublicBurstResolved | None] = {}
    known_before: set[str] = set()
    for kind, verdict, _ in actions:
        if kind == "verdict" and verdict is not None:
            name, seen = verdict.burst_id, view(verdict)
            if verdict.status is BurstStatus.PROVISIONAL and verdict.review is None and name in known_before:
                continue
            if seen is not None:
                known_before.add(name)
            last[name] = seen
    wanted = sorted(event.to_bytes() for event in last.values() if event is not None)
    shown = sorted(event.model_copy(update={"public_id": ""}).to_bytes() for event in simulation.seen().values())
    assert shown == wanted


@given(histories(), st.integers(0, 80))
def test_a_crash_at_any_point_gives_the_same_events_under_one_id_each(
    actions: list[tuple[str, BurstResolved | None, float]], crash_at: int
) -> None:
    calm, crashed = Simulation(), Simulation(crash_at)
    calm.run(actions)
    crashed.run(actions)

    def without_ids(simulation: Simulation) -> list[bytes]:
        return sorted(e.model_copy(update={"public_id": ""}).to_bytes() for e in simulation.seen().values())

    assert without_ids(crashed) == without_ids(calm)
    stored = {entry.public_id for name, raw in crashed.store.items() if (entry := from_bytes(name, raw))}
    assert {name for _, name, _ in crashed.topic} <= stored


def test_what_changes_before_it_is_due_changes_what_is_published_and_not_when() -> None:
    simulation = Simulation()
    simulation.read(burst(taxon="Vulpes vulpes"), 1000)
    simulation.read(burst(revision=2, taxon="Capra sibirica"), 1050)
    simulation.publish(1099)
    assert simulation.topic == []
    simulation.publish(1100)
    assert [event.taxon for _, _, event in simulation.topic if event] == ["Capra sibirica"]


def test_a_withdrawal_does_not_wait() -> None:
    simulation = Simulation()
    simulation.read(burst(), 1000)
    simulation.publish(1100)
    simulation.read(burst(revision=2, review=review(ReviewDecision.CORRECT, "Panthera uncia")), 2000)
    simulation.publish(2000)
    assert [event is None for _, _, event in simulation.topic] == [False, True]


@pytest.mark.parametrize("sent", [True, False])
def test_a_withdrawal_after_a_crash_in_a_publication_withdraws_what_may_have_been_sent(sent: bool) -> None:
    simulation = Simulation(crash_at=4 if sent else 3)
    secret = burst(revision=2, review=review(ReviewDecision.CORRECT, "Panthera uncia"))
    simulation.run(
        [
            ("verdict", burst(), 1000),
            ("publish", None, 1000 + DELAY),
            ("verdict", secret, 1001 + DELAY),
            ("publish", None, 1002 + DELAY),
        ]
    )
    assert [event is None for _, _, event in simulation.topic] == [False, True][0 if sent else 1 :]
    assert simulation.seen() == {}


def test_a_correction_waits_again() -> None:
    simulation = Simulation()
    simulation.read(burst(), 1000)
    simulation.publish(1100)
    simulation.read(burst(revision=2, taxon="Sus scrofa"), 2000)
    simulation.publish(2000 + DELAY - 1)
    assert len(simulation.topic) == 1
    simulation.publish(2000 + DELAY)
    assert len({name for _, name, _ in simulation.topic}) == 1
    assert [event.taxon for _, _, event in simulation.topic if event] == ["Capra sibirica", "Sus scrofa"]


def test_a_damaged_state_is_reported_and_publishes_nothing() -> None:
    assert from_bytes("bst-1", b"\x01damaged") is None


def test_a_state_is_read_as_it_was_written() -> None:
    simulation = Simulation()
    simulation.read(burst(), 1000)
    entry = from_bytes("bst-1", simulation.store["bst-1"])
    assert isinstance(entry, Entry)
    assert from_bytes("bst-1", to_bytes(announced(entry))) == announced(entry)
    assert from_bytes("bst-1", to_bytes(published(entry, entry.event(view)))) == published(entry, entry.event(view))
