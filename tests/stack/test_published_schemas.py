"""The events on the topics of a running stack are valid against the published schemas, including formats."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.stack.photographs import photograph
from tests.stack.result_consumer import messages_of_uncia
from tests.unit.uncia.events.test_schemas import validate
from uncia.events import BurstResolved, ClockJudged, ClockTicked, ImagePredicted, ImageUploaded
from uncia.settings import Settings
from uncia.topics import TOPICS


def test_every_event_on_every_topic_validates(
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    station: str,
    admin_settings: Settings,
) -> None:
    for number in range(3):
        taken = datetime(2026, 5, 1, 10) + timedelta(seconds=number)
        upload(f"{station}/north/IMG_{number}.JPG", photograph(810_000 + number, f"{taken:%Y:%m:%d %H:%M:%S}"))
    upload(f"{station}/north/IMG_9.JPG", b"no photograph at all")
    settled(f"{station}/north", 1, 120)
    topics = tuple(topic for topic in TOPICS if topic.event is not None)
    event_names = set()
    for message in messages_of_uncia(admin_settings, *topics):
        body = json.loads(message.value or b"")
        validate(body)
        event_names.add(body["event"])
    written_here = (ImageUploaded, ImagePredicted, BurstResolved, ClockTicked, ClockJudged)
    assert event_names >= {event.topic for event in written_here}
