"""Reads what was heard in sound recordings from its two topics, from their beginning."""

from dataclasses import dataclass

from uncia.errors import PermanentError
from uncia.events import RecordingAnalysed, SoundHeard
from uncia.kafka.broker import read_topics
from uncia.settings import Settings
from uncia.topics import RECORDING_ANALYSED, SOUND_HEARD

__all__ = ["SoundEvents", "read_sound_events"]


@dataclass(frozen=True)
class SoundEvents:
    """All events on both topics; those of one recorder in the order of each topic."""

    results: tuple[RecordingAnalysed, ...] = ()
    calls: tuple[SoundHeard, ...] = ()


def read_sound_events(settings: Settings) -> SoundEvents:
    """Events that cannot be decoded are skipped. Raises `DependencyDown`."""
    results: list[RecordingAnalysed] = []
    calls: list[SoundHeard] = []
    for message in read_topics(settings, (RECORDING_ANALYSED, SOUND_HEARD), from_beginning=True, until_end=True):
        try:
            if message.topic == RECORDING_ANALYSED.full_name(settings):
                results.append(RecordingAnalysed.from_bytes(message.value))
            else:
                calls.append(SoundHeard.from_bytes(message.value))
        except PermanentError:
            continue
    return SoundEvents(tuple(results), tuple(calls))
