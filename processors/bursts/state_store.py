"""A camera's state as key and value records, safe against a crash between any two writes.

There is one record per burst, so that a frame costs the same whether ten or a thousand bursts are stored, and one
camera record. Several records cannot be written atomically, so the camera record is a write-ahead log of one entry:

1. `intent`: the camera record with the events to send (outbox) and the bursts that changed, all in one record;
2. `apply`: the records of those bursts, while the events are sent;
3. `clear`: the camera record again, without outbox and intent, once all of 2 is confirmed.

A crash before 1 leaves the old state, and the input is read again. After 1 the camera record holds everything: loading
applies the intent over the records, whether or not they were written, and the outbox is sent again. So whatever was
decided is published, with the same ids and revisions; readers use the highest revision, so a repetition is harmless.

A record begins with the version of its layout. One from a newer version is refused (`StateTooNew`) before anything
is written, and stays unchanged.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import TypeAdapter

from uncia.events.base import UtcTime
from uncia.processors.bursts.camera_bodies import CameraSource, source_of_serial
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.second_looks import StoredSecondLook
from uncia.processors.bursts.seen_images import is_chunk
from uncia.processors.bursts.state import Burst, CameraState, ExpiredBurst
from uncia.processors.bursts.static_objects import StaticObjects
from uncia.processors.faust_runtime.stored_state import pack_state, unpack_state

VERSION = 4
"""4 has records of second looks; records of 3 are read as they are."""

TABLE = "cameras"

_SEPARATOR = b"\0"
_HIDDEN = "hidden-"
_SECOND_LOOK = "second-look-"


@dataclass
class RecordChange:
    """One change of an intent: a burst and its track, a chunk of seen images, a hidden upload, or a second look; with
    none of these, a record to remove. Field names are stored."""

    id: str
    track: str = ""
    burst: Burst | None = None
    chunk: str | None = None
    hidden: FrameRecord | None = None
    second_look: StoredSecondLook | None = None

    @property
    def removes(self) -> bool:
        """Whether the record is to be removed."""
        return self.burst is None and self.chunk is None and self.hidden is None and self.second_look is None


@dataclass
class CameraRecord:
    """Everything of a camera that is not a burst. Field names are stored."""

    arrived_at: UtcTime | None = None
    forgotten: list[ExpiredBurst] = field(default_factory=list)
    serials: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """Layout 2: serial numbers and the capture times that they span. Now part of `sources`."""
    sources: dict[str, CameraSource] = field(default_factory=dict)
    moved: dict[str, UtcTime] = field(default_factory=dict)
    late: int = 0
    due: UtcTime | None = None
    """When the next burst closes or expires without a frame; the index of due cameras is built from it."""
    outbox: list[tuple[str, str]] = field(default_factory=list)
    late_outbox: list[str] = field(default_factory=list)
    static: str = ""
    """Static objects, as `StaticObjects.pack` writes them."""
    static_outbox: list[str] = field(default_factory=list)
    intent: list[RecordChange] = field(default_factory=list)


@dataclass
class _BurstRecord:
    track: str
    burst: Burst


_CAMERA_ADAPTER = TypeAdapter(CameraRecord)
_BURST_ADAPTER = TypeAdapter(_BurstRecord)
_FRAME_ADAPTER = TypeAdapter(FrameRecord)
_SECOND_LOOK_ADAPTER = TypeAdapter(StoredSecondLook)


def camera_key(camera: str) -> bytes:
    """The key of a camera record."""
    return camera.encode()


def burst_key(camera: str, burst_id: str) -> bytes:
    """The key of a burst record; chunks and hidden uploads have a name in place of the burst id."""
    return camera.encode() + _SEPARATOR + burst_id.encode()


def split_key(key: bytes) -> tuple[str, str | None]:
    """Camera, and burst id unless it is the key of a camera record."""
    camera, found, burst_id = key.partition(_SEPARATOR)
    return camera.decode(), burst_id.decode() if found else None


def hidden_name(upload_id: str) -> str:
    """The name that the key of a hidden upload has in place of a burst id."""
    return f"{_HIDDEN}{upload_id}"


def _is_hidden(name: str) -> bool:
    return name.startswith(_HIDDEN)


def second_look_name(image_id: str) -> str:
    """The name that the key of a second look has in place of a burst id."""
    return f"{_SECOND_LOOK}{image_id}"


def _is_second_look(name: str) -> bool:
    return name.startswith(_SECOND_LOOK)


def _encode(raw: bytes) -> bytes:
    return pack_state(VERSION, raw)


def _decode(key: bytes, value: bytes) -> bytes:
    return unpack_state(VERSION, value, f"the state of camera {split_key(key)[0]!r}")


def decode_camera_record(key: bytes, value: bytes) -> CameraRecord:
    """Decode a camera record. Raises `StateTooNew`."""
    return _CAMERA_ADAPTER.validate_json(_decode(key, value))


def load_state(camera: str, records: Mapping[bytes, bytes], names: Iterable[str]) -> CameraState:
    """Load the state of a camera, and apply an intent that was not carried out.

    `names`: the burst ids, chunks and hidden uploads that the camera may have records of. Raises `StateTooNew`.
    """
    key = camera_key(camera)
    stored = decode_camera_record(key, records[key]) if key in records else CameraRecord()
    state = CameraState(
        camera=camera,
        arrived_at=stored.arrived_at,
        expired=stored.forgotten,
        sources=stored.sources or _sources_of_layout_2(stored),
        moved=stored.moved,
        late_count=stored.late,
        outbox=[(burst_id, event.encode()) for burst_id, event in stored.outbox],
        late_outbox=[event.encode() for event in stored.late_outbox],
        static=StaticObjects.unpack(stored.static),
        static_outbox=[event.encode() for event in stored.static_outbox],
    )
    bursts: dict[str, tuple[str, Burst]] = {}
    hidden: dict[str, FrameRecord] = {}
    looks: dict[str, StoredSecondLook] = {}
    for name in names:
        record_key = burst_key(camera, name)
        if record_key not in records:
            continue
        raw = _decode(record_key, records[record_key])
        if is_chunk(name):
            state.seen.load(name, raw.decode())
        elif _is_hidden(name):
            hidden[name] = FrameRecord.model_validate_json(raw)
        elif _is_second_look(name):
            looks[name] = StoredSecondLook.model_validate_json(raw)
        else:
            record = _BURST_ADAPTER.validate_json(raw)
            bursts[name] = (record.track, record.burst)
    for change in stored.intent:
        _redo(change, state, bursts, hidden, looks)
    for track, burst in sorted(bursts.values(), key=lambda entry: entry[1].frames[0].sort_key):
        state.restore(track, burst)
    for version in hidden.values():
        state.hide(version)
    state.second_looks = {look.image_id: look for look in looks.values()}
    state.second_looks_changed = {
        change.second_look.image_id for change in stored.intent if change.second_look is not None
    }
    state.hidden_changed = {change.hidden.upload_id for change in stored.intent if change.hidden is not None}
    return state


def _sources_of_layout_2(stored: CameraRecord) -> dict[str, CameraSource]:
    return {source_of_serial(serial): CameraSource(*span) for serial, span in stored.serials.items()}


def _redo(
    change: RecordChange,
    state: CameraState,
    bursts: dict[str, tuple[str, Burst]],
    hidden: dict[str, FrameRecord],
    looks: dict[str, StoredSecondLook],
) -> None:
    """Apply one change of an intent over what was read from the records."""
    if change.chunk is not None:
        state.seen.load(change.id, change.chunk)
        state.seen.changed.add(change.id)
    elif is_chunk(change.id):
        state.seen.discard_chunk(change.id)
    elif change.hidden is not None:
        hidden[change.id] = change.hidden
    elif _is_hidden(change.id):
        hidden.pop(change.id, None)
    elif change.second_look is not None:
        looks[change.id] = change.second_look
    elif _is_second_look(change.id):
        looks.pop(change.id, None)
    elif change.burst is None:
        bursts.pop(change.id, None)
    else:
        bursts[change.id] = (change.track, change.burst)


@dataclass(frozen=True)
class PlannedWrites:
    """One change of a camera's state as records, to be written in this order; the value None removes a record."""

    intent: tuple[bytes, bytes]
    apply: dict[bytes, bytes | None]
    clear: tuple[bytes, bytes]


def plan_writes(state: CameraState, changed: set[str], removed: set[str], due: datetime | None) -> PlannedWrites:
    """The records of a state whose bursts `changed` or were `removed` since it was last written.

    `due`: `CameraState.next_due`. Marks seen images, hidden uploads and second looks of the state as written.
    """
    bursts = {burst_id: state.bursts_by_id[burst_id] for burst_id in sorted(changed)}
    chunks = {name: state.seen.dump(name) for name in sorted(state.seen.changed)}
    hidden = {hidden_name(upload_id): state.hidden[upload_id] for upload_id in sorted(state.hidden_changed)}
    looks = {second_look_name(image): state.second_looks[image] for image in sorted(state.second_looks_changed)}
    removed = removed | state.seen.removed | {hidden_name(upload_id) for upload_id in state.hidden_removed}
    removed |= {second_look_name(image) for image in state.second_looks_removed}
    intent = [
        *(RecordChange(burst_id, track, burst) for burst_id, (track, burst) in bursts.items()),
        *(RecordChange(name, chunk=chunk) for name, chunk in chunks.items()),
        *(RecordChange(name, hidden=version) for name, version in hidden.items()),
        *(RecordChange(name, second_look=look) for name, look in looks.items()),
        *(RecordChange(name) for name in sorted(removed)),
    ]
    cleared = CameraRecord(
        arrived_at=state.arrived_at,
        forgotten=state.expired,
        sources=state.sources,
        moved=state.moved,
        late=state.late_count,
        due=due,
        static=state.static.pack(),
    )
    logged = replace(
        cleared,
        outbox=[(burst_id, event.decode()) for burst_id, event in state.outbox],
        late_outbox=[event.decode() for event in state.late_outbox],
        static_outbox=[event.decode() for event in state.static_outbox],
        intent=intent,
    )
    values: dict[str, bytes | None] = {
        burst_id: _encode(_BURST_ADAPTER.dump_json(_BurstRecord(track, burst), exclude_defaults=True))
        for burst_id, (track, burst) in bursts.items()
    }
    values |= {name: _encode(chunk.encode()) for name, chunk in chunks.items()}
    values |= {
        name: _encode(_FRAME_ADAPTER.dump_json(version, exclude_defaults=True)) for name, version in hidden.items()
    }
    values |= {
        name: _encode(_SECOND_LOOK_ADAPTER.dump_json(look, exclude_defaults=True)) for name, look in looks.items()
    }
    values |= dict.fromkeys(sorted(removed))
    state.seen.changed, state.seen.removed = set(), set()
    state.hidden_changed, state.hidden_removed = set(), set()
    state.second_looks_changed, state.second_looks_removed = set(), set()
    key = camera_key(state.camera)
    return PlannedWrites(
        (key, _encode(_CAMERA_ADAPTER.dump_json(logged, exclude_defaults=True))),
        {burst_key(state.camera, name): value for name, value in values.items()},
        (key, _encode(_CAMERA_ADAPTER.dump_json(cleared, exclude_defaults=True))),
    )


def camera_records(records: Mapping[bytes, bytes]) -> Iterator[tuple[str, CameraRecord]]:
    """Every camera and its record. Raises `StateTooNew`."""
    for key, value in records.items():
        if _SEPARATOR not in key:
            yield key.decode(), decode_camera_record(key, value)
