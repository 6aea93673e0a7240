"""A camera's state as key and value records, safe against a crash between any two writes.

One record per burst, so that a frame costs the same whether ten or a thousand bursts are kept, and one head per
camera. Several records cannot be written at once, so the head is a write-ahead log of one entry:

1. `intent`: the head with the events to send (outbox) and the bursts that changed, all in one record;
2. `settle`: the records of those bursts, while the events are sent;
3. `clear`: the head again, empty of both, once all of 2 is confirmed.

A crash before 1 leaves the old state, and the input is read again. After 1 everything is in the head: reading
applies the intent over the records, whether or not they were written, and the outbox is sent again. So whatever was
decided is published, with the same ids and revisions; readers keep the highest revision, so a repetition is
harmless.

A record begins with the version of its layout. One from a newer version is refused (`StateTooNew`) before anything
is written, and stays as it is.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import TypeAdapter

from uncia.errors import UnciaError
from uncia.events.base import UtcTime
from uncia.processors.bursts.camera_bodies import Source, source_of_serial
from uncia.processors.bursts.frames import Frame
from uncia.processors.bursts.seen_images import is_chunk
from uncia.processors.bursts.state import Burst, CameraState, Forgotten
from uncia.topics import Topic

VERSION = 3

TABLE = "cameras"

CHANGELOG = Topic(
    name=f"uncia-bursts-{TABLE}-changelog",
    description="States of the cameras, as `processors/bursts/state_store.py` writes them; the name is Faust's.",
    key="camera; or camera and burst id",
    writers=("bursts",),
    readers=("bursts",),
    compacted=True,
    max_message_bytes=4 * 1_048_576,
    # It is read as a whole at every start, and only closed segments are compacted.
    broker_config=(
        ("segment.bytes", str(16 * 1_048_576)),
        ("segment.ms", "600000"),
        ("min.cleanable.dirty.ratio", "0.1"),
    ),
)

_SEPARATOR = b"\0"
_HIDDEN = "hidden-"


class StateTooNew(UnciaError):
    """A record was written by a newer Uncia."""

    exit_code = 78  # EX_CONFIG: starting again by itself would not help


@dataclass
class Change:
    """A burst that changed, and the track it is in; or a chunk of the memory, or a hidden upload; with none of these,
    a record that went."""

    id: str
    track: str = ""
    burst: Burst | None = None
    chunk: str | None = None
    hidden: Frame | None = None

    @property
    def removes(self) -> bool:
        """Its record is to go."""
        return self.burst is None and self.chunk is None and self.hidden is None


@dataclass
class Head:
    """Everything of a camera that is not a burst."""

    arrived_at: UtcTime | None = None
    forgotten: list[Forgotten] = field(default_factory=list)
    serials: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """Layout 2: serial numbers and the capture times that they span. Now part of `sources`."""
    sources: dict[str, Source] = field(default_factory=dict)
    moved: dict[str, UtcTime] = field(default_factory=dict)
    late: int = 0
    due: UtcTime | None = None
    """When the next thing happens by itself; what the index of waiting cameras is made of."""
    outbox: list[tuple[str, str]] = field(default_factory=list)
    late_outbox: list[str] = field(default_factory=list)
    intent: list[Change] = field(default_factory=list)


@dataclass
class _Record:
    track: str
    burst: Burst


_HEAD = TypeAdapter(Head)
_RECORD = TypeAdapter(_Record)
_FRAME_RECORD = TypeAdapter(Frame)


def head_key(camera: str) -> bytes:
    """The key of a camera's head."""
    return camera.encode()


def burst_key(camera: str, burst_id: str) -> bytes:
    """The key of one of its bursts."""
    return camera.encode() + _SEPARATOR + burst_id.encode()


def split_key(key: bytes) -> tuple[str, str | None]:
    """Camera, and burst id unless it is the key of a head."""
    camera, found, burst_id = key.partition(_SEPARATOR)
    return camera.decode(), burst_id.decode() if found else None


def hidden_name(upload_id: str) -> str:
    """What stands in place of a burst id in the key of a hidden upload."""
    return f"{_HIDDEN}{upload_id}"


def _is_hidden(name: str) -> bool:
    return name.startswith(_HIDDEN)


def _wrap(raw: bytes) -> bytes:
    return bytes([VERSION]) + zlib.compress(raw, 1)


def _unwrap(key: bytes, value: bytes) -> bytes:
    if value[0] > VERSION:
        raise StateTooNew(
            f"the state of camera {split_key(key)[0]!r} has layout {value[0]} and this worker reads up to {VERSION}: "
            "a newer Uncia wrote it, start that one again; nothing was overwritten"
        )
    return zlib.decompress(value[1:])


def read_head(key: bytes, value: bytes) -> Head:
    """Raises `StateTooNew`."""
    return _HEAD.validate_json(_unwrap(key, value))


def load(camera: str, records: Mapping[bytes, bytes], burst_ids: set[str]) -> CameraState:
    """The state of a camera, an intent that was not carried out included. Raises `StateTooNew`."""
    key = head_key(camera)
    head = read_head(key, records[key]) if key in records else Head()
    state = CameraState(
        camera=camera,
        arrived_at=head.arrived_at,
        forgotten=head.forgotten,
        sources=head.sources or {source_of_serial(each): Source(*span) for each, span in head.serials.items()},
        moved=head.moved,
        late=head.late,
        outbox=[(burst_id, event.encode()) for burst_id, event in head.outbox],
        late_outbox=[event.encode() for event in head.late_outbox],
    )
    kept: dict[str, tuple[str, Burst]] = {}
    hidden: dict[str, Frame] = {}
    for burst_id in burst_ids:
        burst_record = burst_key(camera, burst_id)
        if burst_record in records and is_chunk(burst_id):
            state.memory.load(burst_id, _unwrap(burst_record, records[burst_record]).decode())
        elif burst_record in records and _is_hidden(burst_id):
            hidden[burst_id] = Frame.model_validate_json(_unwrap(burst_record, records[burst_record]))
        elif burst_record in records:
            record = _RECORD.validate_json(_unwrap(burst_record, records[burst_record]))
            kept[burst_id] = (record.track, record.burst)
    for change in head.intent:
        if change.chunk is not None:
            state.memory.load(change.id, change.chunk)
            state.memory.changed.add(change.id)
        elif is_chunk(change.id):
            state.memory.forget(change.id)
        elif change.hidden is not None:
            hidden[change.id] = change.hidden
        elif _is_hidden(change.id):
            hidden.pop(change.id, None)
        elif change.burst is None:
            kept.pop(change.id, None)
        else:
            kept[change.id] = (change.track, change.burst)
    for track, burst in sorted(kept.values(), key=lambda each: each[1].frames[0].order):
        state.take_in(track, burst)
    for version in hidden.values():
        state.hide(version)
    state.hidden_changed = {change.hidden.upload_id for change in head.intent if change.hidden is not None}
    return state


@dataclass(frozen=True)
class Writes:
    """One change of a camera's state as records, to be written in this order; None removes."""

    intent: tuple[bytes, bytes]
    settle: dict[bytes, bytes | None]
    clear: tuple[bytes, bytes]


def writes(state: CameraState, changed: set[str], removed: set[str], due: datetime | None) -> Writes:
    """The records of a state whose bursts `changed` or were `removed` since it was written last."""
    bursts = {burst_id: state.held[burst_id] for burst_id in sorted(changed)}
    changes = [Change(burst_id, track, burst) for burst_id, (track, burst) in bursts.items()]
    chunks = {name: state.memory.dump(name) for name in sorted(state.memory.changed)}
    changes += [Change(name, chunk=chunk) for name, chunk in chunks.items()]
    hidden = {hidden_name(each): state.hidden[each] for each in sorted(state.hidden_changed)}
    changes += [Change(name, hidden=version) for name, version in hidden.items()]
    removed = removed | state.memory.removed | {hidden_name(each) for each in state.hidden_removed}
    changes += [Change(name) for name in sorted(removed)]
    key = head_key(state.camera)
    plain = Head(
        arrived_at=state.arrived_at,
        forgotten=state.forgotten,
        sources=state.sources,
        moved=state.moved,
        late=state.late,
        due=due,
    )
    full = replace(
        plain,
        outbox=[(burst_id, event.decode()) for burst_id, event in state.outbox],
        late_outbox=[event.decode() for event in state.late_outbox],
        intent=changes,
    )
    settle: dict[bytes, bytes | None] = {
        burst_key(state.camera, burst_id): _wrap(_RECORD.dump_json(_Record(track, burst), exclude_defaults=True))
        for burst_id, (track, burst) in bursts.items()
    }
    settle.update((burst_key(state.camera, name), _wrap(chunk.encode())) for name, chunk in chunks.items())
    settle.update(
        (burst_key(state.camera, name), _wrap(_FRAME_RECORD.dump_json(version, exclude_defaults=True)))
        for name, version in hidden.items()
    )
    settle.update((burst_key(state.camera, name), None) for name in sorted(removed))
    state.memory.changed, state.memory.removed = set(), set()
    state.hidden_changed, state.hidden_removed = set(), set()
    return Writes(
        (key, _wrap(_HEAD.dump_json(full, exclude_defaults=True))),
        settle,
        (key, _wrap(_HEAD.dump_json(plain, exclude_defaults=True))),
    )


def index(records: Mapping[bytes, bytes]) -> Iterator[tuple[str, Head]]:
    """Every camera and its head. Raises `StateTooNew`."""
    for key, value in records.items():
        if _SEPARATOR not in key:
            yield key.decode(), read_head(key, value)
