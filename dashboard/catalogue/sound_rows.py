"""Which results of sound recordings count, and which calls: computed from the rows, in the transaction of a batch.

The rule is that of `uncia.camtrap.audubon_core.current_results`, with positions in the log for times:

- Of one object key the content that was uploaded last counts; a content that it replaced does not count again when the
  later one is forgotten.
- Copies under several keys are one recording: of those that count, the result that was published last.
- A call counts when it was heard by the model version and settings of that result, and was not withdrawn.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, not_, or_, select, tuple_, update

from uncia.dashboard.catalogue.burst_reviews import select_in
from uncia.dashboard.catalogue.tables import recordings, sound_calls

__all__ = ["recompute_counted"]

_CHUNK = 500
_Key = tuple[str, str]

_OF_RECORDING = sound_calls.c.recording_id == bindparam("the_recording")
_BY_MODEL = (sound_calls.c.model == bindparam("the_model"), sound_calls.c.settings == bindparam("the_settings"))
# Only rows that change: a recording of many hours has thousands of calls, which arrive in many batches.
_COUNT = (
    update(sound_calls)
    .where(_OF_RECORDING, *_BY_MODEL, sound_calls.c.withdrawn.is_(None), not_(sound_calls.c.counted))
    .values(counted=True)
)
_DISCOUNT = (
    update(sound_calls)
    .where(
        _OF_RECORDING,
        sound_calls.c.counted,
        or_(*map(not_, _BY_MODEL), sound_calls.c.withdrawn.is_not(None)),
    )
    .values(counted=False)
)


def recompute_counted(connection: Connection, names: Iterable[str], keys: Iterable[_Key]) -> None:
    """Set `counted` of these recordings and their calls, and of those that had, or have, one of these keys."""
    wanted = {*names, *(row["recording_id"] for row in _of_keys(connection, keys))}
    columns = [recordings.c[name] for name in ("upload_id", "recording_id", "bucket", "key", "state", "version")]
    rows = select_in(connection, select(*columns, *_RUN), recordings.c.recording_id, wanted)
    latest = _latest(_of_keys(connection, {(row["bucket"], row["key"]) for row in rows}))
    counted: dict[str, Mapping[Any, Any]] = {}
    for row in sorted(rows, key=lambda row: int(row["version"])):
        if row["state"] == "analysed" and latest[row["bucket"], row["key"]] == row["upload_id"]:
            counted[row["recording_id"]] = row
    for chunk in _chunks(sorted(wanted)):
        uploads = [counted[name]["upload_id"] for name in chunk if name in counted]
        own = update(recordings).where(recordings.c.recording_id.in_(chunk))
        connection.execute(own.values(counted=recordings.c.upload_id.in_(uploads)))
        gone = [name for name in chunk if name not in counted]
        calls = update(sound_calls).where(sound_calls.c.recording_id.in_(gone), sound_calls.c.counted)
        connection.execute(calls.values(counted=False))
    runs = [
        {"the_recording": name, "the_model": row["model"], "the_settings": row["settings"]}
        for name, row in sorted(counted.items())
    ]
    if runs:
        connection.execute(_COUNT, runs)
        connection.execute(_DISCOUNT, runs)


_RUN = (recordings.c.model, recordings.c.settings)
_PLACE = ("recording_id", "upload_id", "bucket", "key", "uploaded_at", "version")


def _of_keys(connection: Connection, keys: Iterable[_Key]) -> list[Mapping[Any, Any]]:
    """All results of these keys, forgotten ones included."""
    found: list[Mapping[Any, Any]] = []
    place = tuple_(recordings.c.bucket, recordings.c.key)
    for chunk in _chunks(sorted(set(keys))):
        statement = select(*(recordings.c[name] for name in _PLACE)).where(place.in_(chunk))
        found += connection.execute(statement).mappings()
    return found


def _latest(rows: Iterable[Mapping[Any, Any]]) -> dict[_Key, str]:
    """By key, the upload whose content it has."""
    ordered = sorted(rows, key=lambda row: (row["uploaded_at"], row["version"]))
    return {(row["bucket"], row["key"]): row["upload_id"] for row in ordered}


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
