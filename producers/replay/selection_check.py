"""What a selection finds in live's log: capture times that live read, and whether anything is selected at all."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches

from uncia.errors import PermanentError, SettingsError
from uncia.events import CaptureTimeSource, ImagePredicted, ImageUploaded
from uncia.kafka.broker import Message, read_topics
from uncia.lanes import capture_time_in_key
from uncia.producers.replay.log_offsets import Place
from uncia.producers.replay.selection import Selection, fits, time_of
from uncia.settings import Settings
from uncia.topics import IMAGE_PREDICTED, UPLOAD_TOPICS

_NAMED = 8
"""So many cameras are listed in a refusal."""


def times_read(live: Settings, selection: Selection, ends: Mapping[Place, int]) -> dict[str, datetime]:
    """Capture times as live read them up to `ends`, by upload id; those that the object key tells too are left out.

    Empty where the selection does not ask for times. Without `ends`, as of a replay of an earlier version, too.
    """
    found: dict[str, datetime] = {}
    if not selection.timed or not ends:
        return found
    for message in read_topics(live, (IMAGE_PREDICTED,), from_beginning=True, until_end=True):
        if message.offset >= ends.get((message.topic, message.partition), 0):
            continue
        with contextlib.suppress(PermanentError):
            answer = ImagePredicted.from_bytes(message.value)
            taken = answer.capture.time.replace(tzinfo=None)
            told = answer.capture.time_source is not CaptureTimeSource.UPLOAD
            if told and taken != capture_time_in_key(answer.key):
                found[answer.upload_id] = taken
    return found


def must_select(live: Settings, selection: Selection, ends: Mapping[Place, int], times: Mapping[str, datetime]) -> None:
    """Raise `SettingsError` where live has no photograph that the selection takes, or none for one of its names.

    Reads as far as it must: to the first photograph that is taken, where every name has been met by then.
    """
    seen = _Seen(selection)
    for message in read_topics(live, UPLOAD_TOPICS, from_beginning=True, until_end=True):
        if message.offset < ends.get((message.topic, message.partition), 0) and seen.add(message, times):
            return
    raise SettingsError(seen.refusal())


class _Seen:
    """What was met in the log so far."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._unmet = {*selection.cameras, *(f"{station}/*" for station in selection.stations)}
        self._cameras: set[str] = set()
        self._taken: list[datetime] = []
        self._any = False

    def add(self, message: Message, times: Mapping[str, datetime]) -> bool:
        """Note one message; True once nothing more needs to be known."""
        try:
            upload = ImageUploaded.from_bytes(message.value)
        except PermanentError:
            return False
        if upload.camera not in self._cameras:
            self._cameras.add(upload.camera)
            self._unmet -= {each for each in self._selection.cameras if fits(upload.camera, each)}
            self._unmet -= {f"{each}/*" for each in self._selection.stations if fits(upload.station, each)}
        if not self._any and self._selection.names(upload):
            taken = time_of(upload, times)
            self._any = self._selection.spans(taken)
            self._taken = [min([*self._taken[:1], taken]), max([*self._taken[1:], taken])]
        return self._any and not self._unmet

    def refusal(self) -> str:
        """Why nothing, or not everything that was named, is selected."""
        if not self._cameras:
            return "nothing to replay: no photograph has been uploaded yet"
        if self._unmet:
            name = min(self._unmet)
            return f"no photograph is of the camera {name}: {self._instead(name)}"
        first, last = self._taken
        return (
            f"nothing is selected by {self._selection.words()}: what was taken there is "
            f"from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}"
        )

    def _instead(self, name: str) -> str:
        known = sorted(self._cameras)
        alike = get_close_matches(name, [*known, *{f"{each.split('/')[0]}/*" for each in known}], 3)
        if alike:
            return f"did you mean {', '.join(alike)}?"
        more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
        return f"there are {', '.join(known[:_NAMED])}{more}"
