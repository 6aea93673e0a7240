"""Reads the predictions of two versions from the topics of the live system and of the versions' shadows."""

from collections.abc import Iterator

from uncia.errors import PermanentError, SettingsError
from uncia.events import ImagePredicted
from uncia.kafka.broker import existing_topics, read_topics
from uncia.serving.shadows import shadow_settings
from uncia.settings import Settings
from uncia.topics import IMAGE_PREDICTED


def read_predictions(first: str, second: str, live: Settings) -> Iterator[ImagePredicted]:
    """Yield all predictions of the live system, then those of the shadows of both versions, where they exist.

    `first` and `second` are written `model@version`; raises `SettingsError` for anything else. Events of a later
    schema version are skipped.
    """
    systems = [live, *(_shadow_of(name, live) for name in (first, second))]
    topics = existing_topics(live)
    for system in systems:
        if IMAGE_PREDICTED.full_name(system) not in topics:
            continue
        for message in read_topics(system, (IMAGE_PREDICTED,), from_beginning=True, until_end=True):
            try:
                yield ImagePredicted.from_bytes(message.value)
            except PermanentError:
                continue


def _shadow_of(name: str, live: Settings) -> Settings:
    model, at, version = name.partition("@")
    if not at or not version.isdecimal():
        raise SettingsError(f"{name}: write MODEL@VERSION")
    return shadow_settings(model, version, live)
