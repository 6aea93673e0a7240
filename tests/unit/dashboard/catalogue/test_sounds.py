"""Which calls in sound recordings the catalogue shows, by the topics, and how it lists them."""

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, make_url, select

from tests.unit.dashboard.catalogue.catalogue_data import Log
from tests.unit.dashboard.catalogue.contents import empty
from tests.unit.dashboard.catalogue.sound_data import BEGAN, analysed, call_in, forgotten, person_in, withdrawn
from uncia.camtrap.audubon_core import current_results
from uncia.dashboard.catalogue import tables
from uncia.dashboard.catalogue.cursors import BadCursor
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.forgetting import still_known
from uncia.dashboard.catalogue.rows import HeardClass
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.sounds import SoundFilter, Sounds
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.events import Event, RecordingAnalysed, SoundHeard

Fold = Callable[..., Sounds]


@pytest.fixture
def fold(engine: Engine) -> Fold:
    """Folds events into an empty catalogue, in the order of their topics; returns its queries."""
    log = Log()

    def fold_more(*events: Event) -> Sounds:
        _apply(engine, log, events)
        return Sounds(engine)

    return fold_more


def _apply(engine: Engine, log: Log, events: Sequence[Event]) -> None:
    store, messages = CatalogueStore(engine), [log.append(event) for event in events]
    known = store.partitions()
    store.set_partitions({place: state for place, state in log.partitions().items() if place not in known})
    store.apply(messages)


def listed(sounds: Sounds, **chosen: object) -> list[str]:
    return [row.call_id for row in sounds.page(SoundFilter(**chosen)).rows]  # type: ignore[arg-type]


def test_a_call_is_shown_with_the_result_of_its_recording(fold: Fold) -> None:
    recording = analysed()
    call = call_in(recording)
    assert listed(fold(call)) == []
    assert listed(fold(recording)) == [call.call_id]


def test_calls_of_the_latest_analysis_are_shown(fold: Fold) -> None:
    first, second = analysed(), analysed(model="audio_classifier@4")
    before, after = call_in(first), call_in(second)
    assert listed(fold(before, first, after, second)) == [after.call_id]


def test_calls_of_a_content_that_was_overwritten_are_not_shown_again(fold: Fold) -> None:
    replaced, instead = analysed(sha256="old"), analysed(sha256="new", after_minutes=5)
    before, after = call_in(replaced), call_in(instead)
    sounds = fold(before, replaced, after, instead)
    assert listed(sounds) == [after.call_id]
    assert listed(fold(forgotten(instead), withdrawn(after))) == []


def test_a_forgotten_recording_leaves_nothing_of_what_was_heard(fold: Fold, engine: Engine) -> None:
    recording = analysed()
    call = call_in(recording)
    sounds = fold(call, recording, forgotten(recording), withdrawn(call))
    assert (listed(sounds), sounds.classes(), sounds.recorders(), sounds.call(call.call_id)) == ([], [], [], None)
    with engine.begin() as connection:
        row = connection.execute(select(tables.sound_calls)).mappings().one()
        assert still_known(connection, (), [recording.upload_id]) == []
    content = ("start_s", "started_at", "category", "taxon", "label", "score", "spectrogram", "certain")
    assert {row[name] for name in content} == {None}
    assert row["withdrawn"] == "image-forgotten"


def test_a_recording_is_known_until_it_is_forgotten(fold: Fold, engine: Engine) -> None:
    recording = analysed()
    fold(call_in(recording), recording)
    with engine.begin() as connection:
        assert still_known(connection, (), [recording.upload_id]) == [f"recording {recording.recording_id}"]


def test_a_forgotten_recording_that_is_uploaded_again_is_shown_again(fold: Fold) -> None:
    recording = analysed()
    call = call_in(recording)
    assert listed(fold(call, recording, forgotten(recording), withdrawn(call), call, recording)) == [call.call_id]


def test_the_calls_of_a_copy_stay_when_the_other_copy_is_forgotten(fold: Fold) -> None:
    one, copy = analysed(sha256="same"), analysed(name="copy.wav", sha256="same", after_minutes=2)
    call = call_in(one)
    sounds = fold(call, one, copy, forgotten(copy))
    shown = sounds.call(call.call_id)
    assert shown is not None and shown.recording.key == one.key


def test_a_rejected_recording_has_no_calls(fold: Fold) -> None:
    recording = analysed()
    rejected = forgotten(recording).rejection
    assert rejected is not None
    unreadable = recording.model_copy(update={"rejection": rejected.model_copy(update={"reason": "recording-empty"})})
    assert listed(fold(call_in(recording), recording, unreadable)) == []


def _events(chance: random.Random) -> tuple[list[RecordingAnalysed], list[SoundHeard]]:
    """What `listen` and `uncia forget` could publish of two recorders: contents, copies, models, repetitions."""
    results: list[RecordingAnalysed] = []
    calls: list[SoundHeard] = []
    for minute in range(chance.randrange(2, 9)):
        gone = [one for one in results if one.rejection is None]
        if gone and chance.random() < 0.3:
            one = chance.choice(gone)
            # With everything that was heard in it, unless a copy stays.
            results.append(forgotten(one, minute * 10))
            kept = {other.recording_id for other in current_results(results, calls)[0]}
            if one.recording_id not in kept:
                heard = {call.call_id: call for call in calls if call.recording_id == one.recording_id}
                calls += [withdrawn(call, minute * 10) for call in heard.values()]
            continue
        camera = chance.choice(("ridge/audio-1", "pass/audio-1"))
        changes = {"sha256": chance.choice("abc"), "model": f"audio_classifier@{chance.randrange(2)}"}
        result = analysed(camera, chance.choice(("one.wav", "two.wav")), after_minutes=minute * 10, **changes)
        result = result.model_copy(update={"upload_id": f"{result.upload_id}-{minute}"})
        calls += [call_in(result, 3.0 * start) for start in range(chance.randrange(3))]
        results.append(result)
    return results, calls


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = open_database(make_url(f"sqlite:///{tmp_path_factory.mktemp('sounds')}/c.sqlite"))
    migrate(engine)
    return engine


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_page_shows_what_the_command_lists(scratch: Engine, seed: int) -> None:
    empty(scratch)
    chance, log = random.Random(seed), Log()
    results, calls = _events(chance)
    queues: list[list[Event]] = [list(results), list(calls)]
    while any(queues):
        queue = chance.choice([queue for queue in queues if queue])
        count = chance.randrange(1, 5)
        _apply(scratch, log, queue[:count])
        del queue[:count]
    expected = current_results(results, calls)
    sounds = Sounds(scratch)
    shown = {row.call_id for row in sounds.page(limit=500).rows}
    # A call stays with a copy of its recording, whichever of the copies its event names.
    stays = {one.recording_id for one in expected[0]}
    assert {call.call_id for call in expected[1]} <= shown
    assert {call.recording_id for call in calls if call.call_id in shown} <= stays
    with scratch.begin() as connection:
        counted = select(tables.recordings.c.recording_id).where(tables.recordings.c.counted)
        assert sorted(connection.execute(counted).scalars()) == sorted(stays)


def test_pages_follow_each_other_the_latest_first(fold: Fold) -> None:
    recording = analysed()
    calls = [call_in(recording, float(start)) for start in range(0, 50, 5)]
    sounds = fold(*calls, recording)
    found: list[str] = []
    after = None
    while True:
        page = sounds.page(limit=4, after=after)
        found += [row.call_id for row in page.rows]
        if page.after is None:
            break
        after = page.after
    assert found == [call.call_id for call in reversed(calls)]
    assert sounds.count() == len(calls)


@pytest.mark.parametrize("after", ["", "x", "W10", "WyIyMDI2LTA1LTE0VDA1OjE1OjAwKzAwOjAwIiwgImEiXQ"])
def test_a_position_that_no_page_returned_is_refused(fold: Fold, after: str) -> None:
    with pytest.raises(BadCursor):
        fold(analysed()).page(after=after)


def test_filters_choose_recorder_taxon_and_days(fold: Fold) -> None:
    one = analysed()
    later = analysed("pass/audio-1", recorded_at=BEGAN + timedelta(days=3))
    wolf, dog = call_in(one), call_in(later, 2.0, "dog", "")
    sounds = fold(wolf, dog, one, later)
    assert listed(sounds, cameras=("pass/audio-1",)) == [dog.call_id]
    assert listed(sounds, taxon="Canis lupus") == [wolf.call_id]
    assert listed(sounds, taxon="Carnivora") == [wolf.call_id]
    assert listed(sounds, taxon="dog") == [dog.call_id]
    assert listed(sounds, taxon="Vulpes vulpes") == []
    assert listed(sounds, until=BEGAN.date()) == [wolf.call_id]
    assert listed(sounds, since=BEGAN.date() + timedelta(days=1)) == [dog.call_id]
    assert listed(sounds, until=date.max) == [dog.call_id, wolf.call_id]


def test_names_are_counted_the_most_frequent_first(fold: Fold) -> None:
    recording = analysed()
    sounds = fold(call_in(recording, 1), call_in(recording, 9), call_in(recording, 20, "dog", ""), recording)
    assert sounds.classes() == [HeardClass("Canis lupus", "wolf", 2), HeardClass(None, "dog", 1)]


def test_nothing_of_other_stations_is_returned(fold: Fold) -> None:
    own, other = analysed(), analysed("pass/audio-1")
    seen, hidden = call_in(own), call_in(other)
    sounds = fold(seen, hidden, own, other)
    stations = ("ridge",)
    assert [row.call_id for row in sounds.page(stations=stations).rows] == [seen.call_id]
    assert sounds.call(hidden.call_id, stations) is None
    assert sounds.recorders(stations) == [own.camera]
    assert sounds.count(stations=stations) == sounds.classes(stations)[0].calls == 1


def test_a_voice_in_the_same_part_is_known_whichever_version_heard_it(fold: Fold) -> None:
    old = analysed(model="audio_classifier@1")
    recording = analysed()
    near, far = call_in(recording, 12.0), call_in(recording, 40.0)
    sounds = fold(person_in(old, 14.0), near, far, old, recording)
    voices = {call.call_id: found.voice for call in (near, far) if (found := sounds.call(call.call_id))}
    assert voices == {near.call_id: True, far.call_id: False}
