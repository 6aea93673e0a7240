"""What must hold for every set of frames, every order of arrival and every repetition."""

import os
import random
from datetime import timedelta
from functools import lru_cache
from itertools import accumulate
from math import prod

from burst_making import LOG, Camera, Shot, frame, images, rules, sessions, settled
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.bursts.grouping import divide
from processors.bursts.rules import BurstRules, Overrides
from processors.bursts.state import CameraState, track_of
from uncia.events import BurstResolved, BurstStatus, Trigger

EXAMPLES = settings(max_examples=int(os.environ.get("UNCIA_TEST_EXAMPLES", "500")))
SHARP = rules(gap=timedelta(seconds=3), max_frames=4)
ROOMY = rules(gap=timedelta(seconds=3))


TAKEN = [*range(30), 100, 101, 5000, 40_000_000]
SEQUENCES = [(None, None)] * 3 + [(1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (3, 3)]
EVENTS = [None, None, 1, 2]
TRIGGERS = [Trigger.MOTION, Trigger.MOTION, Trigger.UNKNOWN, Trigger.TIME_LAPSE]
JUDGED = [
    {"scores": (0.6, 0.2, 0.1, 0.0)},
    {"scores": (0.1, 0.7, 0.3, 0.02), "focus": 0.01},
    {"scores": (0.3, 0.31, 0.2, 0.0), "focus": 0.5},
    {"rejected": True},
]
OWN = [{}, {}, {"make": "CUDDEBACK"}, {"overrides": Overrides(gap_s=8)}]
EVERY = [TAKEN, SEQUENCES, EVENTS, TRIGGERS, JUDGED, OWN]


@lru_cache(maxsize=10_000)
def shot(code: int) -> Shot:
    """The photograph of a number: close to others in time, with and without sequence, event and trigger."""
    parts, left = [], code
    for choices in EVERY:
        left, place = divmod(left, len(choices))
        parts.append(choices[place])
    taken, (sequence, length), event, trigger, judged, own = parts
    return Shot(f"{code:05}", taken, sequence=sequence, length=length, event=event, trigger=trigger, **judged, **own)


CODES = st.integers(0, prod(len(choices) for choices in EVERY) - 1)


def arrivals(most_s: int = 40) -> st.SearchStrategy[list[tuple[Shot, float]]]:
    """Photographs with the log time at which they come: in any order, some repeated, with silences between."""

    def log(drawn: tuple[list[tuple[int, int]], list[int]]) -> list[tuple[Shot, float]]:
        steps, repeats = drawn
        for repeat in repeats:
            steps = [*steps, steps[repeat % len(steps)]]
        waits = accumulate(wait for _, wait in steps)
        return [(shot(code), float(at)) for (code, _), at in zip(steps, waits, strict=True)]

    steps = st.lists(st.tuples(CODES, st.integers(0, most_s)), min_size=1, max_size=14)
    return st.tuples(steps, st.lists(st.integers(0, 13), max_size=4)).map(log)


def played(log: list[tuple[Shot, float]], with_rules: BurstRules) -> Camera:
    camera = Camera(with_rules)
    for shot, at in log:
        camera.take(shot, at)
    camera.tick(log[-1][1] + 100)
    return camera


def outcome(camera: Camera) -> dict[str, tuple[object, ...]]:
    return {
        name: (images(event), event.verdict, event.taxa, event.frames, event.trigger, event.unreadable)
        for name, event in camera.settled().items()
    }


@EXAMPLES
@given(arrivals(), st.randoms(use_true_random=False), st.sampled_from([SHARP, ROOMY]))
def test_arrival_order_and_repetition_do_not_matter(
    log: list[tuple[Shot, float]], chance: random.Random, with_rules: BurstRules
) -> None:
    """Within lateness: whatever the way they came, the bursts are those that the frames alone make."""
    quiet = list({shot.name: shot for shot, _ in log}.values())
    found = outcome(played(log, with_rules))
    frames = sorted((frame(shot) for shot in quiet), key=lambda each: each.order)
    expected = []
    for track in {track_of(each.trigger) for each in frames}:
        own = [each for each in frames if track_of(each.trigger) == track]
        expected += [[f.image_id for f in burst] for burst in divide(own, with_rules.gap, with_rules.max_frames)]
    assert sorted([f"img-{name}" for name in burst[0]] for burst in found.values()) == sorted(expected)

    chance.shuffle(quiet)
    assert found == outcome(played([(shot, 0.0) for shot in quiet], with_rules))


@EXAMPLES
@given(arrivals(most_s=1500), st.sampled_from([SHARP, ROOMY]))
def test_however_late_every_frame_ends_in_one_closed_burst_and_revisions_only_rise(
    log: list[tuple[Shot, float]], with_rules: BurstRules
) -> None:
    camera = played(log, with_rules)
    held = [image for event in camera.settled().values() for image in images(event)]
    assert sorted(held) == sorted({shot.name for shot, _ in log})
    assert all(event.closed_at is not None for event in camera.settled().values())
    last: dict[str, int] = {}
    for event in camera.events:
        assert event.revision == last.get(event.burst_id, 0) + 1
        last[event.burst_id] = event.revision
        assert (event.superseded_by is not None) == (event.status is BurstStatus.SUPERSEDED)
        assert event.burst_id not in event.supersedes


@EXAMPLES
@given(arrivals(most_s=600), st.data())
def test_ticks_show_earlier_what_the_frames_alone_would_show(
    log: list[tuple[Shot, float]], data: st.DataObject
) -> None:
    end = log[-1][1] + 2000
    quiet, ticked = Camera(ROOMY), Camera(ROOMY)
    for shot, at in log:
        # Legal ticks: none is later than a frame that is yet to be read. They may themselves come in any order.
        for now in data.draw(st.lists(st.floats(0, at, allow_nan=False), max_size=3)):
            ticked.tick(now)
        ticked.take(shot, at)
        quiet.take(shot, at)
    for now in sorted(data.draw(st.lists(st.floats(0, end, allow_nan=False), max_size=3))):
        ticked.tick(now)
    ticked.tick(end)
    quiet.tick(end)
    assert [event.to_bytes() for event in ticked.events] == [event.to_bytes() for event in quiet.events]


@EXAMPLES
@given(st.lists(CODES.map(shot), min_size=3, max_size=10, unique=True), st.data())
def test_merging_is_associative(every: list[Shot], data: st.DataObject) -> None:
    """Three sets of frames, joined as (one and two) and three, or one and (two and three)."""
    first, second = sorted(data.draw(st.tuples(st.integers(0, len(every)), st.integers(0, len(every)))))
    one, two, three = every[:first], every[first:second], every[second:]
    left = played([(each, 0.0) for each in [*one, *two, *three]], ROOMY)
    right = played([(each, 0.0) for each in [*two, *three, *one]], ROOMY)
    assert outcome(left) == outcome(right)


def test_a_replay_gives_the_same_bytes() -> None:
    log = [(Shot(f"{n}", (n * 7) % 40, sequence=1 + n % 3, length=3), n * 9.0) for n in range(40)]
    once, again = played(log, ROOMY), played(log, ROOMY)
    assert [event.to_bytes() for event in once.events] == [event.to_bytes() for event in again.events]


def test_one_state_per_camera_is_all_that_a_sessioniser_uses() -> None:
    shared = sessions(ROOMY)
    one, two = CameraState("a/1"), CameraState("a/2")
    events: list[BurstResolved] = []
    for state in (one, two):
        events += shared.frame(state, "a", frame(Shot("x", 0)), LOG).events
    assert len({event.burst_id for event in events}) == 2
    assert len(settled(events)) == 2
