"""What is left after photographs were forgotten, in words. Pure."""

from datetime import datetime, timedelta

from uncia.topics import (
    BURST_RESOLVED,
    CROP_PUBLISHED,
    DEAD_LETTER,
    FRAME_LATE,
    IMAGE_BACKFILLED,
    IMAGE_EXPLAINED,
    IMAGE_PREDICTED,
    IMAGE_UPLOADED,
    INDIVIDUAL_DECIDED,
    INDIVIDUAL_SIGHTED,
    RECORDING_ANALYSED,
    SECOND_LOOK_COMPLETED,
    SOUND_HEARD,
    STORAGE_CHANGED,
    Topic,
)

__all__ = ["what_remains"]

_WITH_PHOTOGRAPHS: tuple[Topic, ...] = (
    STORAGE_CHANGED,
    IMAGE_UPLOADED,
    IMAGE_BACKFILLED,
    IMAGE_PREDICTED,
    FRAME_LATE,
    CROP_PUBLISHED,
    IMAGE_EXPLAINED,
    SECOND_LOOK_COMPLETED,
    SOUND_HEARD,
    RECORDING_ANALYSED,
    DEAD_LETTER,
)
"""Topics whose messages name photographs or recordings and leave by their age."""


def what_remains(now: datetime) -> list[str]:
    """The sentences."""
    until: dict[str, list[str]] = {}
    for topic in _WITH_PHOTOGRAPHS:
        if topic.retention_days is not None:
            until.setdefault(f"{now + timedelta(days=topic.retention_days):%Y-%m-%d}", []).append(topic.name)
    return [
        *(
            f"messages without pictures (ids, file names, times, boxes) until {day} at the latest: {', '.join(names)}"
            for day, names in sorted(until.items())
        ),
        f"earlier revisions of the bursts on {BURST_RESOLVED.name}, until Kafka compacts its segments",
        "what reviewers decided, with ids of photographs and boxes, on camera.observation.reviewed.v1 and in the "
        "catalogue: it does not expire",
        f"what people decided about individuals, with ids of bursts and crops, keys of crops, times and cameras, on "
        f"{INDIVIDUAL_DECIDED.name}: it does not expire",
        f"sightings of individuals that are withdrawn: burst, camera, time and taxon, on {INDIVIDUAL_SIGHTED.name}, "
        "and their earlier revisions until Kafka compacts its segments",
        "alerts: which rule matched at which camera and when, on camera.alert.raised.v1 and in the catalogue",
        "messages of `uncia deliver` in its outbox and at the receivers, with pictures that were attached to events of "
        "EarthRanger or Gundi",
        "where a rule is about moved cameras: the pattern of grey values of a camera's view, in 32 by 19 cells, in the "
        "state of the alerts worker; where one is about drift: how the scores of a camera are distributed",
        "that the uploads were forgotten, with their keys, in the catalogue; eight bytes of each photograph's id in "
        "the state of the bursts worker",
        "backups, exports, pages and copies that left this system, and what subscribers stored",
        "files in the spools of gateways and on memory cards: uploaded again, they are new photographs",
    ]
