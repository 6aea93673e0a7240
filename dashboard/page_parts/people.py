"""What is hidden in the pictures of a page that is written as a file, by the events on the topics."""

import getpass
from collections.abc import Iterable

from uncia.audit import AuditLog, audit_file_of_process
from uncia.camtrap.hidden_people import BurstEvidence, HiddenPeople, PersonBox, evidence_of, hidden_people
from uncia.dashboard.page_parts.thumbnails import HiddenIn
from uncia.errors import PermanentError
from uncia.events import (
    BurstCategory,
    BurstResolved,
    DetectionCategory,
    ImagePredicted,
    ObservationReviewed,
)
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, IMAGE_PREDICTED, OBSERVATION_REVIEWED

__all__ = ["PEOPLE_TOPICS", "PeopleOnTopics", "hidden_on_page"]

PEOPLE_TOPICS = (IMAGE_PREDICTED, BURST_RESOLVED, OBSERVATION_REVIEWED)


class PeopleOnTopics:
    """Collects messages of `PEOPLE_TOPICS` in any order; others, and invalid ones, are disregarded."""

    def __init__(self, messages: Iterable[Message], settings: Settings) -> None:
        self._threshold = settings.person_threshold
        self._bursts: dict[str, BurstResolved] = {}
        self._predicted: dict[str, list[PersonBox]] = {}
        self._reviews: dict[str, ObservationReviewed] = {}
        names = {topic.full_name(settings): topic for topic in PEOPLE_TOPICS}
        for message in messages:
            topic = names.get(message.topic)
            if topic is not None and message.value is not None:
                try:
                    self._add(topic.name, message.value)
                except PermanentError:
                    continue
        replaced = {review.supersedes for review in self._reviews.values()}
        counting: dict[str, list[ObservationReviewed]] = {}
        for review in self._reviews.values():
            if review.review_id not in replaced:
                counting.setdefault(review.burst_id, []).append(review)
        self._of_image: dict[str, list[BurstEvidence]] = {}
        for burst in self._bursts.values():
            evidence = _evidence(burst, counting.get(burst.burst_id, ()))
            for frame in burst.frames:
                self._of_image.setdefault(frame.image_id, []).append(evidence)

    def __call__(self, image_id: str) -> HiddenPeople | None:
        """What of a photograph is hidden; None: no person is known in it or its burst."""
        own = BurstEvidence(boxes=tuple(self._predicted.get(image_id, ())))
        return hidden_people(image_id, (*self._of_image.get(image_id, ()), own), self._threshold)

    def _add(self, topic: str, value: bytes) -> None:
        if topic == BURST_RESOLVED.name:
            burst = BurstResolved.from_bytes(value)
            known = self._bursts.get(burst.burst_id)
            if known is None or burst.revision >= known.revision:
                self._bursts[burst.burst_id] = burst
        elif topic == OBSERVATION_REVIEWED.name:
            review = ObservationReviewed.from_bytes(value)
            self._reviews[review.review_id] = review
        else:
            event = ImagePredicted.from_bytes(value)
            for found in event.detection.detections if event.detection else ():
                if found.category is DetectionCategory.PERSON:
                    boxes = self._predicted.setdefault(event.image_id, [])
                    boxes.append(PersonBox(event.image_id, found.box, found.score))


def _evidence(burst: BurstResolved, reviews: Iterable[ObservationReviewed]) -> BurstEvidence:
    evidence = evidence_of(burst)
    persons = [seen for each in reviews for seen in each.observations if seen.category is BurstCategory.PERSON]
    drawn = [PersonBox(box.image_id, box.box) for seen in persons for box in seen.boxes]
    return BurstEvidence(evidence.says_person or bool(persons), (*evidence.boxes, *drawn))


def hidden_on_page(settings: Settings, page: str, *, with_people: bool) -> HiddenIn:
    """What is hidden in the pictures of a page that a command writes; with `with_people` nothing, which is recorded.

    `page` describes it in the audit log. Raises `DependencyDown`.
    """
    if with_people:
        audit = AuditLog(audit_file_of_process(settings.data_dir))
        audit.record("people_exported", getpass.getuser(), page)
        return lambda image_id: None
    messages = read_topics(settings, PEOPLE_TOPICS, from_beginning=True, until_end=True)
    return PeopleOnTopics(messages, settings)
