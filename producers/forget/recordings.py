"""What was heard in the sound recordings of a plan, and the messages by which all parts forget it. Pure.

The catalogue knows a recording as an upload, and nothing of what was heard in it: that is on the topics of `listen`,
whose earlier messages stay until they expire. A run that was killed therefore finds everything again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from uncia import ids
from uncia.camtrap.audubon_core import current_results, latest_results
from uncia.events import IMAGE_FORGOTTEN, BurstCategory, RecordingAnalysed, Rejection, SoundHeard
from uncia.kafka.sound_events import SoundEvents
from uncia.producers.forget.plan import ForgetPlan, PlannedPhotograph
from uncia.storage.object_keys import spectrogram_prefix
from uncia.storage.recording_names import is_recording_name

__all__ = [
    "HeardRecordings",
    "heard_recordings",
    "planned_recordings",
    "still_heard",
    "uploads_of_recordings",
    "uploads_with_voice",
    "withdrawn_results",
]


@dataclass(frozen=True)
class HeardRecordings:
    """What was heard in the recordings of a plan of which no copy stays."""

    calls: tuple[SoundHeard, ...] = ()
    """By every model version, superseded ones too; each once."""
    spectrograms: tuple[str, ...] = ()
    """Prefixes in the store of which everything is of these recordings."""
    unheard: bool = False
    """Whether a recording of the plan has no result yet: `listen` may be reading it."""

    def withdrawn_calls(self, at: datetime) -> list[SoundHeard]:
        """The withdrawals of the calls."""
        update = {"spectrogram": None, "withdrawn": IMAGE_FORGOTTEN, "heard_at": at}
        return [call.model_copy(update=update) for call in self.calls]


def planned_recordings(plan: ForgetPlan) -> list[PlannedPhotograph]:
    """The uploads of a plan that are sound recordings, by their names."""
    return [one for one in plan.photographs if is_recording_name(one.key)]


def heard_recordings(plan: ForgetPlan, events: SoundEvents) -> HeardRecordings:
    """What was heard in the recordings of a plan. What belongs to a recording of which a copy stays is not in it."""
    uploads = {one.upload_id for one in planned_recordings(plan)}
    heard = {(camera, name) for name, upload, camera in _identities(events) if upload in uploads}
    kept = {
        one.recording_id
        for one in latest_results(events.results)
        if one.rejection is None and one.upload_id not in uploads
    }
    gone = {name for _, name in heard} - kept
    calls = {call.call_id: call for call in events.calls if call.recording_id in gone}
    drawn = {call.spectrogram.key for call in calls.values() if call.spectrogram is not None}
    folders = {spectrogram_prefix(camera, name) for camera, name in heard if name in gone}
    # Those of a call whose event was lost with a killed process are below the folder, too.
    others = {key for key in drawn if not key.startswith(tuple(folders))}
    return HeardRecordings(
        tuple(calls[name] for name in sorted(calls)),
        tuple(sorted(folders | others)),
        bool(uploads - {one.upload_id for one in events.results}),
    )


def still_heard(plan: ForgetPlan, events: SoundEvents) -> list[str]:
    """What of a plan's recordings still counts on the topics, in words; empty: nothing."""
    uploads = {one.upload_id for one in planned_recordings(plan)}
    gone = {call.call_id for call in heard_recordings(plan, events).calls}
    _, calls = current_results(events.results, events.calls)
    found = [f"result of {one.key}" for one in latest_results(events.results) if one.upload_id in uploads]
    return found + [f"call {call.call_id}" for call in calls if call.upload_id in uploads or call.call_id in gone]


def uploads_of_recordings(events: SoundEvents, names: Iterable[str]) -> dict[str, set[str]]:
    """By the id of a recording, `rec-...`, the ids of all its uploads; empty where none is known."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for name, upload, _ in _identities(events):
        if name in found:
            found[name].add(upload)
    return found


def uploads_with_voice(events: SoundEvents) -> frozenset[str]:
    """The uploads of recordings in which any model version heard a person."""
    voices = {call.recording_id for call in events.calls if call.category is BurstCategory.PERSON}
    return frozenset().union(*uploads_of_recordings(events, voices).values())


def withdrawn_results(plan: ForgetPlan, events: SoundEvents, at: datetime) -> list[RecordingAnalysed]:
    """The rejections of a plan's recordings."""
    names = {one.upload_id: one.recording_id for one in events.results}
    return [_withdrawn_result(one, names.get(one.upload_id), at) for one in planned_recordings(plan)]


def _identities(events: SoundEvents) -> Iterator[tuple[str, str, str]]:
    """Recording, upload and camera of each event."""
    for result in events.results:
        yield result.recording_id, result.upload_id, result.camera
    for call in events.calls:
        yield call.recording_id, call.upload_id, call.camera


def _withdrawn_result(recording: PlannedPhotograph, recording_id: str | None, at: datetime) -> RecordingAnalysed:
    """The rejection of a recording; nothing of its content, its time or its length is in it."""
    return RecordingAnalysed(
        # That of a recording whose content could not be read, where it was not analysed.
        recording_id=recording_id or ids.recording_id(recording.camera, recording.upload_id),
        upload_id=recording.upload_id,
        station=recording.station,
        camera=recording.camera,
        bucket=recording.bucket,
        key=recording.key,
        etag=recording.etag,
        version_id=recording.version_id,
        size=recording.size,
        uploaded_at=recording.uploaded_at,
        analysed_at=at,
        recorded_at=recording.uploaded_at.astimezone(UTC).replace(tzinfo=None),
        time_origin="upload",
        rejection=Rejection(reason=IMAGE_FORGOTTEN, message="removed by `uncia forget`"),
    )
