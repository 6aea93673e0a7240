"""What was heard in a forgotten recording is withdrawn, deleted, and no longer listed; copies and others stay."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from tests.paths import EVENT_SAMPLES
from tests.unit.producers.forget.test_events import NOW
from tests.unit.producers.forget.test_removal import BUCKET, removal
from tests.unit.producers.forget.versioned_store import VersionedStore
from uncia.camtrap.audubon_core import current_results
from uncia.errors import DependencyDown
from uncia.events import IMAGE_FORGOTTEN, RecordingAnalysed, SoundHeard
from uncia.kafka.sound_events import SoundEvents
from uncia.kafka.stream_status import Lag, StreamStatus
from uncia.producers.forget import run as module
from uncia.producers.forget.plan import ForgetPlan, PlannedPhotograph
from uncia.producers.forget.recordings import heard_recordings, still_heard, withdrawn_results
from uncia.producers.forget.run import Forgetting, Search
from uncia.settings import Settings
from uncia.topics import RECORDING_ANALYSED, SOUND_HEARD, Topic

CALL = SoundHeard.from_bytes((EVENT_SAMPLES / "camera.sound.heard.v1.json").read_bytes())
RESULT = RecordingAnalysed.from_bytes((EVENT_SAMPLES / "camera.recording.analysed.v1.json").read_bytes())
OTHER = RESULT.model_copy(update={"recording_id": "rec-other", "upload_id": "upl-other", "key": "ridge/audio-02/o.wav"})
OTHER_CALL = CALL.model_copy(
    update={"recording_id": "rec-other", "upload_id": "upl-other", "call_id": "cal-other", "key": OTHER.key}
)
COPY = RESULT.model_copy(update={"upload_id": "upl-copy", "key": "ridge/audio-02/copy.wav"})
FOLDER = f"spectrograms/{CALL.camera}/{CALL.recording_id}/"
assert CALL.spectrogram is not None


def upload(result: RecordingAnalysed) -> PlannedPhotograph:
    fields = PlannedPhotograph.model_fields.keys() - {"image_id", "bucket"}
    own = {name: getattr(result, name) for name in fields}
    return PlannedPhotograph(**own, image_id=f"img-{result.upload_id}", bucket=BUCKET)


PLAN = ForgetPlan(what="", made_at=NOW, photographs=(upload(RESULT),))


def withdrawn(plan: ForgetPlan, events: SoundEvents) -> SoundEvents:
    """The events, and after them the withdrawals."""
    at = max(event.analysed_at for event in events.results) + timedelta(days=1)
    return SoundEvents(
        (*events.results, *withdrawn_results(plan, events, at)),
        (*events.calls, *heard_recordings(plan, events).withdrawn_calls(at)),
    )


def test_calls_of_every_model_version_are_withdrawn() -> None:
    earlier = CALL.model_copy(update={"call_id": "cal-earlier", "model": "audio_classifier@1"})
    found = heard_recordings(PLAN, SoundEvents((RESULT, OTHER), (earlier, CALL, OTHER_CALL)))
    assert {call.call_id for call in found.withdrawn_calls(NOW)} == {"cal-earlier", CALL.call_id}


def test_a_withdrawn_call_names_no_spectrogram() -> None:
    (call,) = heard_recordings(PLAN, SoundEvents((RESULT,), (CALL,))).withdrawn_calls(NOW)
    assert (call.spectrogram, call.withdrawn) == (None, IMAGE_FORGOTTEN)


def test_the_withdrawn_result_says_nothing_of_the_recording() -> None:
    (result,) = withdrawn_results(PLAN, SoundEvents((RESULT,)), NOW)
    assert (result.sha256, result.duration_s, result.calls, result.warnings) == (None, None, None, ())
    assert result.recorded_at != RESULT.recorded_at


def test_withdrawn_calls_are_not_listed_and_others_are() -> None:
    events = withdrawn(PLAN, SoundEvents((RESULT, OTHER), (CALL, OTHER_CALL)))
    assert current_results(events.results, events.calls) == ([OTHER], [OTHER_CALL])
    assert still_heard(PLAN, events) == []


def test_what_is_not_withdrawn_is_named() -> None:
    assert still_heard(PLAN, SoundEvents((RESULT,), (CALL,))) == [f"result of {RESULT.key}", f"call {CALL.call_id}"]


def test_a_recording_that_is_uploaded_and_analysed_again_is_listed_again() -> None:
    events = withdrawn(PLAN, SoundEvents((RESULT,), (CALL,)))
    later = events.results[-1].analysed_at + timedelta(hours=1)
    result, call = RESULT.model_copy(update={"analysed_at": later}), CALL.model_copy(update={"heard_at": later})
    assert current_results((*events.results, result), (*events.calls, call)) == ([result], [call])


def test_an_earlier_content_of_the_key_does_not_return() -> None:
    replaced = RESULT.model_copy(
        update={"recording_id": "rec-new", "upload_id": "upl-new", "analysed_at": RESULT.analysed_at + timedelta(1)}
    )
    plan = ForgetPlan(what="", made_at=NOW, photographs=(upload(replaced),))
    events = withdrawn(plan, SoundEvents((RESULT, replaced), (CALL,)))
    assert current_results(events.results, events.calls) == ([], [])


def test_forgetting_an_overwritten_content_leaves_what_replaced_it() -> None:
    replaced = RESULT.model_copy(
        update={"recording_id": "rec-new", "upload_id": "upl-new", "analysed_at": RESULT.analysed_at + timedelta(1)}
    )
    call = CALL.model_copy(update={"recording_id": "rec-new", "upload_id": "upl-new", "call_id": "cal-new"})
    events = withdrawn(PLAN, SoundEvents((RESULT, replaced), (CALL, call)))
    assert current_results(events.results, events.calls) == ([replaced], [call])


def test_what_belongs_to_a_copy_that_stays_is_kept() -> None:
    copied = CALL.model_copy(update={"upload_id": COPY.upload_id, "key": COPY.key})
    events = SoundEvents((COPY, RESULT), (copied, CALL))
    found = heard_recordings(PLAN, events)
    assert (found.calls, found.spectrograms) == ((), ())
    after = withdrawn(PLAN, events)
    assert current_results(after.results, after.calls) == ([COPY], [copied])


def test_what_belongs_to_a_recording_goes_with_its_last_copy() -> None:
    both = PLAN.model_copy(update={"photographs": (upload(RESULT), upload(COPY))})
    found = heard_recordings(both, SoundEvents((COPY, RESULT), (CALL,)))
    assert found.spectrograms == (FOLDER,)


class Stage:
    """The parts around a run."""

    def __init__(self) -> None:
        self.results: list[RecordingAnalysed] = [RESULT, OTHER]
        self.calls: list[SoundHeard] = [CALL, OTHER_CALL]
        self.store = VersionedStore()

    def read(self, _: Settings) -> SoundEvents:
        return SoundEvents(tuple(self.results), tuple(self.calls))

    def take(self, messages: Iterable[tuple[Topic, str, bytes, bytes | None]]) -> None:
        for topic, _, _, value in messages:
            if topic is SOUND_HEARD:
                self.calls.append(SoundHeard.from_bytes(value))
            elif topic is RECORDING_ANALYSED:
                self.results.append(RecordingAnalysed.from_bytes(value))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()

    class Producer:
        def __init__(self, *_: Any, **__: Any) -> None:
            self.send = stage.take

        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(module, "CameraProducer", Producer)
    monkeypatch.setattr(module, "newest_bursts", lambda _: {})
    return stage


def forget(stage: Stage, status: StreamStatus | None = None) -> module.ForgetResult:
    return Forgetting(
        settings=Settings(_env_file=None),
        plan=PLAN,
        removal=removal(stage.store),
        begin=lambda: None,
        search=Search,
        wait_s=0,
        progress=lambda _: None,
        read_status=lambda _: status or StreamStatus(),
        read_sounds=stage.read,
    ).run()


def test_a_run_withdraws_the_calls_and_is_complete(stage: Stage) -> None:
    assert forget(stage).complete
    assert current_results(stage.results, stage.calls) == ([OTHER], [OTHER_CALL])


def test_every_version_of_the_spectrograms_is_deleted_and_no_other(stage: Stage) -> None:
    mine, lost = f"{FOLDER}{CALL.call_id}.png", f"{FOLDER}cal-without-event.png"
    other = f"spectrograms/{CALL.camera}/rec-other/cal-other.png"
    for key in (mine, mine, lost, other):
        stage.store.put(key, key.encode())
    forget(stage)
    assert {key for key, versions in stage.store.keys.items() if versions} == {other}


def test_a_spectrogram_that_is_left_makes_the_command_fail(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.store.put(f"{FOLDER}{CALL.call_id}.png", b"a spectrogram")
    monkeypatch.setattr(stage.store, "delete_version", lambda *_: None)
    result = forget(stage)
    assert not result.complete
    assert result.left_in_store[0].startswith(FOLDER)


BEHIND = (Lag("listen", "camera.image.uploaded.v1", 3),)


def test_nothing_is_begun_while_listen_may_read_the_recording(stage: Stage) -> None:
    stage.results, stage.calls = [], []
    with pytest.raises(DependencyDown, match="listen is 3 messages behind; nothing was begun"):
        forget(stage, StreamStatus(lag=BEHIND))


@pytest.mark.parametrize(
    ("analysed", "stopped"), [(True, ()), (False, ("listen",))], ids=["analysed already", "listen is stopped"]
)
def test_a_backlog_of_listen_that_cannot_matter_is_not_waited_for(
    stage: Stage, analysed: bool, stopped: tuple[str, ...]
) -> None:
    if not analysed:
        stage.results, stage.calls = [], []
    assert forget(stage, StreamStatus(lag=BEHIND, stopped=stopped)).complete
