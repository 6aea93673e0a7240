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
from uncia.processors.redact.outbox import Entry, begun, changed, ended, is_due, published
from uncia.processors.redact.state_store import from_bytes, to_bytes

TAXA = SensitiveTaxa.load()
DEPLOYMENTS = known(*cell_of_cameras(5))
DELAY = 100.0
LEAST = 50.0


def draw_due(_: str, logged_at: float) -> float:
    return logged_at + DELAY


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
        before = self._load(verdict.burst_id)
        after = changed(before, verdict, 2, logged_at, view, self._draw_id, draw_due)
        self._step()
        self._store(verdict.burst_id, before, after)
        self._step()

    def read_tombstone(self, name: str, logged_at: float) -> None:
        before = self._load(name)
        self._step()
        self._store(name, before, ended(before, logged_at))
        self._step()

    def _draw_id(self) -> str:
        return f"id-{next(self.drawn)}"

    def _load(self, name: str) -> Entry | None:
        raw = self.store.get(name)
        return from_bytes(name, raw) if raw else None

    def _store(self, name: str, before: Entry | None, after: Entry | None) -> None:
        if after is None:
            self.store.pop(name, None)
        elif after is not before:
            self.store[name] = to_bytes(after)

    def publish(self, now: float) -> None:
        for name, raw in list(self.store.items()):
            entry = from_bytes(name, raw)
            assert entry is not None
            if not is_due(entry, now):
                continue
            event = entry.due_event(view)
            self._step()
            if (after := begun(entry, event)) is not entry:
                self._store(name, entry, after)
                entry = after
                self._step()
            if entry.withdrawal or entry.begun is not None or event != entry.published:
                self.topic.append((now, entry.public_id, event))
            self._step()
            self._store(name, entry, published(entry, event, now, view, self._draw_id, draw_due))
            self._step()

    def run(self, actions: list[tuple[str, BurstResolved | None, float]]) -> None:
        """Everything in order; after a crash, again from the last verdict that was acknowledged."""
        for kind, verdict, at in actions:
            for _ in range(2):
                try:
                    if kind == "verdict" and verdict is not None:
                        self.read(verdict, at)
                    elif kind == "tombstone" and verdict is not None:
                        self.read_tombstone(verdict.burst_id, at)
                    else:
                        self.publish(at)
                    break
                except Crashed:
                    continue

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
            kind = "verdict"
            if revisions[name] > 1 and draw(st.integers(0, 4)) == 0:
                # The same photographs, uploaded again, count from one.
                kind, revisions[name] = "tombstone", 0
            actions.append((kind, verdict, now))
            if draw(st.booleans()):
                actions.append((kind, verdict, now))  # delivered again
        else:
            actions.append(("publish", None, now))
    # A withdrawal leaves first, and then what follows it.
    return [*actions, ("publish", None, now + 1000), ("publish", None, now + 2000)]


@given(histories())
def test_a_burst_has_one_id_and_nothing_is_published_twice_or_early(
    actions: list[tuple[str, BurstResolved | None, float]],
) -> None:
    simulation = Simulation()
    simulation.run(actions)
    entries = [from_bytes(name, raw) for name, raw in simulation.store.items()]
    ids = [entry.public_id for entry in entries if entry is not None]
    assert len(ids) == len(set(ids))
    assert set(simulation.seen()) <= set(ids)
    for name in {name for _, name, _ in simulation.topic}:
        events = [event for _, each, event in simulation.topic if each == name]
        assert all(before != after or after is None for before, after in pairwise(events))
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
        elif kind == "tombstone" and verdict is not None:
            known_before.discard(verdict.burst_id)
            last.pop(verdict.burst_id, None)
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
    assert set(crashed.seen()) <= stored


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


def public_events(simulation: Simulation) -> list[tuple[float, str | None]]:
    return [(at, event.taxon if event else None) for at, _, event in simulation.topic]


LEOPARD = review(ReviewDecision.CORRECT, "Panthera uncia")
FOX = review(ReviewDecision.CORRECT, "Vulpes vulpes")


def test_a_correction_after_a_withdrawal_waits_for_another_delay() -> None:
    simulation = Simulation()
    simulation.read(burst(), 1000)
    simulation.publish(1100)
    simulation.read(burst(revision=2, review=LEOPARD), 2000)
    simulation.read(burst(revision=3, review=FOX), 2010)
    simulation.publish(2020)
    simulation.publish(2020 + DELAY - 1)
    assert public_events(simulation) == [(1100, "Capra sibirica"), (2020, None)]
    simulation.publish(2020 + DELAY)
    assert public_events(simulation)[2:] == [(2020 + DELAY, "Vulpes vulpes")]


def test_a_withdrawal_follows_an_event_whose_state_was_lost_in_a_crash() -> None:
    simulation = Simulation()
    simulation.read(burst(), 1000)
    simulation.crash_at = next(simulation.steps) + 3
    with pytest.raises(Crashed):
        simulation.publish(1100)
    assert public_events(simulation) == [(1100, "Capra sibirica")]
    # The clock is an earlier one than before.
    simulation.read(burst(revision=2, review=LEOPARD), 1050)
    simulation.publish(1051)
    assert public_events(simulation)[1:] == [(1051, None)]


def test_a_tombstone_withdraws_a_burst_and_the_same_photographs_are_another_one() -> None:
    simulation = Simulation()
    simulation.read(burst(revision=4), 1000)
    simulation.publish(1100)
    simulation.read_tombstone("bst-1", 2000)
    simulation.publish(2001)
    assert simulation.store == {}
    simulation.read(burst(), 3000)
    simulation.publish(3000 + DELAY)
    assert public_events(simulation)[1:] == [(2001, None), (3000 + DELAY, "Capra sibirica")]
    assert len({name for _, name, _ in simulation.topic}) == 2


def test_photographs_that_are_uploaded_again_before_their_withdrawal_do_not_keep_it() -> None:
    simulation = Simulation()
    simulation.read(burst(revision=4), 1000)
    simulation.publish(1100)
    simulation.read_tombstone("bst-1", 2000)
    simulation.read(burst(), 2001)
    simulation.publish(2002)
    simulation.publish(2002 + DELAY)
    assert public_events(simulation)[1:] == [(2002, None), (2002 + DELAY, "Capra sibirica")]


def test_a_burst_that_is_removed_before_it_is_due_leaves_nothing() -> None:
    simulation = Simulation()
    simulation.read(burst(), 1000)
    simulation.read_tombstone("bst-1", 1001)
    simulation.publish(2000)
    assert simulation.store == {} and simulation.topic == []


def test_a_damaged_state_is_reported_and_publishes_nothing() -> None:
    assert from_bytes("bst-1", b"\x01damaged") is None


@pytest.mark.parametrize("due", [None, 12.5])
def test_a_state_is_read_as_it_was_written(due: float | None) -> None:
    simulation = Simulation()
    simulation.read(burst(), 1000)
    entry = from_bytes("bst-1", simulation.store["bst-1"])
    assert isinstance(entry, Entry)
    sent = begun(entry, entry.event(view))
    for after in (sent, published(sent, sent.begun, 2000, view, str, draw_due), ended(sent, 2000)):
        assert after is not None and from_bytes("bst-1", to_bytes(after)) == after
