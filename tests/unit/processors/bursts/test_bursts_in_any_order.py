"""Invariants over all sets of frames, orders of arrival and repetitions."""

import os
import random
from datetime import timedelta
from functools import lru_cache
from itertools import accumulate
from math import prod

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.processors.bursts.builders import (
    LOG,
    Camera,
    Found,
    Photo,
    frame_record,
    images,
    make_config,
    predicted,
    sessioniser,
    settled,
)
from uncia.events import BurstResolved, BurstStatus, DetectionCategory, Trigger
from uncia.processors.bursts.camera_bodies import CameraSource, merge_sources
from uncia.processors.bursts.clock_jumps import correct_times
from uncia.processors.bursts.config import BurstConfig, BurstOverrides
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.grouping import split_into_bursts
from uncia.processors.bursts.state import CameraState, track_of_body
from uncia.processors.bursts.versions import merge_repeated, select_visible, stored_by

EXAMPLES = settings(max_examples=int(os.environ.get("UNCIA_TEST_EXAMPLES", "500")))
SHARP = make_config(gap=timedelta(seconds=3), max_frames=4)
ROOMY = make_config(gap=timedelta(seconds=3))


TAKEN = [*range(30), 100, 101, 5000, 40_000_000]
SEQUENCES = [(None, None)] * 3 + [(1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (3, 3)]
EVENTS = [None, None, 1, 2]
TRIGGERS = [Trigger.MOTION, Trigger.MOTION, Trigger.UNKNOWN, Trigger.TIME_LAPSE]
RESULTS = [
    {"scores": (0.6, 0.2, 0.1, 0.0)},
    {"scores": (0.1, 0.7, 0.3, 0.02), "focus": 0.01},
    {"scores": (0.3, 0.31, 0.2, 0.0), "focus": 0.5},
    {"rejected": True},
]
PERSON, VEHICLE = DetectionCategory.PERSON, DetectionCategory.VEHICLE
DETECTED = [
    {},
    {"boxes": ()},
    {"boxes": (Found(0.9, classes=(0.7, 0.1, 0.1, 0.0)), Found(0.3, (0.6, 0.1, 0.2, 0.2))), "grey": 90},
    {"boxes": (Found(0.2), Found(0.8, (0.1, 0.1, 0.2, 0.6), PERSON)), "grey": 60},
    {"boxes": (Found(0.5, (0.5, 0.5, 0.4, 0.3), VEHICLE), Found(0.6, (0.9, 0.9, 0.5, 0.5)))},
    {"boxes": (Found(0.4, (3, 3, 1, 1)), Found(0.4, classes=(0.2, 0.2, 0.5, 0.1)))},
]
OWN = [{}, {}, {"make": "CUDDEBACK"}, {"overrides": BurstOverrides(gap_s=8)}]
EVERY = [TAKEN, SEQUENCES, EVENTS, TRIGGERS, RESULTS, OWN, DETECTED]


@lru_cache(maxsize=10_000)
def photo(code: int) -> Photo:
    """The photograph of a number: close to others in time, with and without sequence, event and trigger."""
    parts, left = [], code
    for choices in EVERY:
        left, place = divmod(left, len(choices))
        parts.append(choices[place])
    taken, (sequence, length), event, trigger, result, own, found = parts
    return Photo(
        f"{code:06}", taken, sequence=sequence, length=length, event=event, trigger=trigger, **result, **own, **found
    )


CODES = st.integers(0, prod(len(choices) for choices in EVERY) - 1)


def arrivals(most_s: int = 40) -> st.SearchStrategy[list[tuple[Photo, float]]]:
    """Photographs with the log time at which they come: in any order, some repeated, with silences between."""

    def log(drawn: tuple[list[tuple[int, int]], list[int]]) -> list[tuple[Photo, float]]:
        steps, repeats = drawn
        for repeat in repeats:
            steps = [*steps, steps[repeat % len(steps)]]
        waits = accumulate(wait for _, wait in steps)
        return [(photo(code), float(at)) for (code, _), at in zip(steps, waits, strict=True)]

    steps = st.lists(st.tuples(CODES, st.integers(0, most_s)), min_size=1, max_size=14)
    return st.tuples(steps, st.lists(st.integers(0, 13), max_size=4)).map(log)


def played(log: list[tuple[Photo, float]], config: BurstConfig) -> Camera:
    camera = Camera(config)
    for photo, at in log:
        camera.apply(photo, at)
    camera.tick(log[-1][1] + 100)
    return camera


def outcome(camera: Camera) -> dict[tuple[str, ...], tuple[object, ...]]:
    """By photographs: an id that was superseded on the way never comes back, so ids may differ."""
    return {
        tuple(images(event)): (
            *(event.verdict, event.taxa, event.frames, event.trigger, event.unreadable),
            *(event.category, event.animal_probability, event.count, event.best_crop, event.crops_withheld),
        )
        for event in camera.settled().values()
    }


def expected_bursts(
    log: list[tuple[Photo, float]], config: BurstConfig, *, moved_show_minutes: bool = True
) -> list[list[str]]:
    """The bursts that the pure functions give for all photographs at once.

    `moved_show_minutes`: a photograph that moved away counts as one of two that share a full minute. Whether it does
    depends on which came first, the photograph or its move.
    """
    versions: dict[str, FrameRecord] = {}
    sources: dict[str, CameraSource] = {}
    went = [photo for photo, _ in log if photo.reason == "object-moved"]
    for photo in (photo for photo, _ in log if photo.reason == "image-truncated"):
        new = frame_record(photo)
        versions[new.upload_id] = merge_repeated(versions.get(new.upload_id, new), new)
        source = sources.setdefault(new.source, CameraSource(new.captured_at, new.captured_at))
        source.first, source.last = min(source.first, new.captured_at), max(source.last, new.captured_at)
        source.seconds = source.seconds or not new.full_minute
        source.twins = source.twins or any(
            other.source == new.source
            and other.captured_at == new.captured_at
            and new.full_minute
            and Trigger.TIME_LAPSE not in (other.trigger, new.trigger)
            and other.image_id != new.image_id
            and other.key != new.key
            and (other.size_group is None or other.size_group != new.size_group)
            and (moved_show_minutes or not went)
            for other in versions.values()
        )
    gone = [predicted(photo) for photo in went]
    counted = select_visible(
        [
            version
            for version in versions.values()
            if not any(version.key == moved.key and stored_by(version, moved.uploaded_at) for moved in gone)
        ]
    )
    placed: list[FrameRecord] = []
    for name in {frame.sequence_link for frame in counted}:
        members = [frame for frame in counted if frame.sequence_link == name]
        at = correct_times(members) if name else {}
        placed += [frame.with_changes(placed_at=at.get(frame.upload_id)) for frame in members]
    bodies = merge_sources(sources)
    tracks: dict[str, list[FrameRecord]] = {}
    for frame in placed:
        body = bodies.body_of.get(frame.source)
        own = frame.with_changes(to_the_minute=body in bodies.without_seconds)
        tracks.setdefault(track_of_body(frame.trigger, body, bodies.main), []).append(own)
    groups = [
        burst
        for track in tracks.values()
        for burst in split_into_bursts(sorted(track, key=lambda frame: frame.sort_key), config.gap, config.max_frames)
    ]
    return sorted([frame.image_id.removeprefix("img-") for frame in group] for group in groups)


@EXAMPLES
@given(arrivals(), st.randoms(use_true_random=False), st.sampled_from([SHARP, ROOMY]))
def test_arrival_order_and_repetition_do_not_matter(
    log: list[tuple[Photo, float]], chance: random.Random, config: BurstConfig
) -> None:
    """Within lateness the bursts are those that follow from the frames alone, in any order of arrival."""
    quiet = list({photo.name: photo for photo, _ in log}.values())
    found = outcome(played(log, config))
    assert sorted(map(list, found)) == expected_bursts(log, config)

    chance.shuffle(quiet)
    assert found == outcome(played([(photo, 0.0) for photo in quiet], config))


@EXAMPLES
@given(arrivals(most_s=1500), st.sampled_from([SHARP, ROOMY]))
def test_however_late_every_frame_ends_in_one_closed_burst_and_revisions_only_rise(
    log: list[tuple[Photo, float]], config: BurstConfig
) -> None:
    camera = played(log, config)
    held = [image for event in camera.settled().values() for image in images(event)]
    assert sorted(held) == sorted({photo.name for photo, _ in log})
    assert all(event.closed_at is not None for event in camera.settled().values())
    last: dict[str, int] = {}
    retired: set[str] = set()
    for event in camera.events:
        assert event.burst_id not in retired, "a superseded id came back"
        if event.status is BurstStatus.SUPERSEDED:
            retired.add(event.burst_id)
        assert event.revision == last.get(event.burst_id, 0) + 1
        last[event.burst_id] = event.revision
        assert (event.superseded_by is not None) == (event.status is BurstStatus.SUPERSEDED)
        assert event.burst_id not in event.supersedes


@EXAMPLES
@given(arrivals(most_s=600), st.data())
def test_ticks_show_earlier_what_the_frames_alone_would_show(
    log: list[tuple[Photo, float]], data: st.DataObject
) -> None:
    end = log[-1][1] + 2000
    quiet, ticked = Camera(ROOMY), Camera(ROOMY)
    for photo, at in log:
        # Legal ticks: none is later than a frame that is yet to be read. They may themselves come in any order.
        for now in data.draw(st.lists(st.floats(0, at, allow_nan=False), max_size=3)):
            ticked.tick(now)
        ticked.apply(photo, at)
        quiet.apply(photo, at)
    for now in sorted(data.draw(st.lists(st.floats(0, end, allow_nan=False), max_size=3))):
        ticked.tick(now)
    ticked.tick(end)
    quiet.tick(end)
    assert [event.to_bytes() for event in ticked.events] == [event.to_bytes() for event in quiet.events]


@EXAMPLES
@given(st.lists(CODES.map(photo), min_size=3, max_size=10, unique=True), st.data())
def test_merging_is_associative(photos: list[Photo], data: st.DataObject) -> None:
    """Three sets of frames, joined as (one and two) and three, or one and (two and three)."""
    first, second = sorted(data.draw(st.tuples(st.integers(0, len(photos)), st.integers(0, len(photos)))))
    one, two, three = photos[:first], photos[first:second], photos[second:]
    left = played([(photo, 0.0) for photo in [*one, *two, *three]], ROOMY)
    right = played([(photo, 0.0) for photo in [*two, *three, *one]], ROOMY)
    assert outcome(left) == outcome(right)


def test_a_replay_gives_the_same_bytes() -> None:
    log = [(Photo(f"{n}", (n * 7) % 40, sequence=1 + n % 3, length=3), n * 9.0) for n in range(40)]
    once, again = played(log, ROOMY), played(log, ROOMY)
    assert [event.to_bytes() for event in once.events] == [event.to_bytes() for event in again.events]


def test_one_state_per_camera_is_all_that_a_sessioniser_uses() -> None:
    shared = sessioniser(ROOMY)
    one, two = CameraState("a/1"), CameraState("a/2")
    events: list[BurstResolved] = []
    for state in (one, two):
        events += shared.apply_frame(state, "a", frame_record(Photo("x", 0)), LOG).events
    assert len({event.burst_id for event in events}) == 2
    assert len(settled(events)) == 2


NUMBERED = [None, (1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]
CHANGING = st.builds(
    lambda content, key, uploaded, taken, number, serial, model, size, kind: Photo(
        f"{content}@{key}@{taken}@{number}@{serial}@{model}@{size}@{kind == 'half'}",
        taken,
        sequence=number[0] if number else None,
        length=number[1] if number else None,
        event=5 if number else None,
        serial=serial,
        make="ACME" if model else None,
        camera_model=model,
        size=size,
        image=f"{content}-{taken}-{number}-{serial}-{model}-{size}-{kind == 'half'}",
        file=key,
        uploaded=uploaded,
        rejected=kind != "whole",
        reason="object-moved" if kind == "moved" else "image-truncated",
    ),
    content=st.integers(0, 1),
    key=st.sampled_from(["A0001.JPG", "A0002.JPG", "A0003.JPG", "b/A0001.JPG", "b/A0002.JPG", "x.JPG"]),
    uploaded=st.integers(0, 3),
    taken=st.sampled_from([0, 1, 2, 30, 60, -3600, -3599, 7300, -230_000_000]),
    number=st.sampled_from(NUMBERED),
    serial=st.sampled_from([None, "S1", "S1", "S2"]),
    model=st.sampled_from([None, "M1", "m 1", "M2"]),
    size=st.sampled_from([None, (320, 240), (640, 480), (640, 360)]),
    kind=st.sampled_from(["whole", "whole", "whole", "half", "moved"]),
)
"""Photographs that replace each other: few keys, few contents, stored at different moments, of one or two cameras."""


@EXAMPLES
@given(st.lists(CHANGING, min_size=1, max_size=9), st.randoms(use_true_random=False), st.sampled_from([SHARP, ROOMY]))
def test_replaced_moved_renumbered_and_resized_photographs_end_the_same_in_any_order(
    photos: list[Photo], chance: random.Random, config: BurstConfig
) -> None:
    log = [(photo, 0.0) for photo in photos]
    assume(expected_bursts(log, config) == expected_bursts(log, config, moved_show_minutes=False))
    found = outcome(played(log, config))
    assert sorted(map(list, found)) == expected_bursts(log, config)
    shuffled = [*log, *chance.sample(log, len(log) // 2)]
    chance.shuffle(shuffled)
    assert set(outcome(played(shuffled, config))) == set(found)


@EXAMPLES
@given(st.lists(st.tuples(CHANGING, st.integers(0, 1500)), min_size=1, max_size=9))
def test_replaced_photographs_leave_no_burst_open_and_bring_no_superseded_id_back(
    steps: list[tuple[Photo, int]],
) -> None:
    waits = accumulate(wait for _, wait in steps)
    camera = played([(photo, float(at)) for (photo, _), at in zip(steps, waits, strict=True)], ROOMY)
    retired: set[str] = set()
    for event in camera.events:
        assert event.burst_id not in retired
        if event.status is BurstStatus.SUPERSEDED:
            retired.add(event.burst_id)
        else:
            assert event.frames
    assert all(event.closed_at is not None for event in camera.settled().values())
    held = [image for event in camera.settled().values() for image in images(event)]
    assert set(camera.state.images) <= {f"img-{image}" for image in held}
