"""The loop of a channel's pictures: the best one, tried again, given up at last, and no message waits for it."""

import functools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.processors.delivery.examples import TAXA, alert, channel, deployment
from tests.unit.processors.delivery.http_receiver import Answer, Request, receiving
from tests.unit.processors.delivery.picture_examples import crop, jpeg, jpeg_with_exif, withdrawn
from tests.unit.processors.delivery.test_attachments import FilesOfAnEvent, source
from tests.unit.processors.delivery.test_channel_sender import Clock
from tests.unit.processors.delivery.test_earthranger import Site, earthranger
from tests.unit.processors.delivery.test_outbox_pictures import queue, send
from tests.waiting import wait_until
from uncia.errors import DependencyDown
from uncia.events import AlertState
from uncia.imaging.metadata_removal import without_metadata
from uncia.processors.delivery.channel_sender import ChannelSender
from uncia.processors.delivery.channels import Channel, Rate
from uncia.processors.delivery.earthranger import EarthRangerSender
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.message import message_of
from uncia.processors.delivery.outbox import Outbox
from uncia.processors.delivery.outbox_pictures import PictureOutbox
from uncia.processors.delivery.picture_queue import CropReference
from uncia.processors.delivery.picture_sender import PictureSender
from uncia.processors.delivery.pictures import Picture
from uncia.storage.object_store import ObjectMissing

UPDATED = AlertState.UPDATED
NO_ANSWER = SendFailed("no answer", may_have_arrived=True)


class Script:
    """A receiver of pictures with written results, and a store: None succeeds, an exception fails."""

    def __init__(self, *results: Exception | None) -> None:
        self.results = list(results)
        self.attached: list[tuple[str, str, bool]] = []
        self.stored: list[Exception | None] = []
        self.reads: list[str] = []

    def attach(self, remote_id: str, picture: Picture, reached: bool) -> None:
        self.attached.append((remote_id, picture.name, reached))
        result = self.results.pop(0) if self.results else None
        if result is not None:
            raise result

    def read(self, one: CropReference) -> bytes:
        self.reads.append(one.crop_id)
        result = self.stored.pop(0) if self.stored else None
        if result is not None:
            raise result
        return jpeg()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite") as opened:
        yield opened


@pytest.fixture
def pictures(box: Outbox) -> PictureOutbox:
    return PictureOutbox(box)


def runner(pictures: PictureOutbox, script: Script, clock: Clock, one: Channel | None = None) -> PictureSender:
    return PictureSender(one or channel("er", picture=True), script, pictures, script.read, clock)


def run(sender: PictureSender, clock: Clock, seconds: float) -> None:
    end = clock.now + seconds
    while clock.now < end:
        clock.now += min(max(sender.step(), 0.0), end - clock.now) or 0.001


def test_the_best_crop_of_those_that_come_together_is_attached(box: Outbox, pictures: PictureOutbox) -> None:
    clock, script = Clock(), Script()
    sender = runner(pictures, script, clock)
    send(box, alert())
    pictures.store_crops([crop("crp-1", score=0.4)], {})
    run(sender, clock, 3)
    pictures.store_crops([crop("crp-2", score=0.8)], {})
    run(sender, clock, 3)
    assert script.attached == []
    run(sender, clock, 60)
    assert script.reads == ["crp-2"]
    assert script.attached == [("event-of-alr-1", "uncia-alr-1.jpg", False)]


def test_a_picture_is_tried_again_later_and_later_and_given_up_at_last(box: Outbox, pictures: PictureOutbox) -> None:
    clock, script = Clock(), Script(*[NO_ANSWER] * 5)
    sender = runner(pictures, script, clock, channel("er", picture=True, tries=4))
    send(box, alert())
    pictures.store_crops([crop()], {})
    with capture_logs() as logs:
        run(sender, clock, 3600)
    assert [reached for _, _, reached in script.attached] == [False, True, True, True]
    (given_up,) = [one for one in logs if one["event"] == "picture_not_attached"]
    assert given_up["alert_id"] == "alr-1" and "given up after 4 tries" in given_up["reason"]
    assert pictures.next("er") is None
    assert box.counts()["er"].dead == 0


def test_a_refusal_for_good_ends_it_at_once(box: Outbox, pictures: PictureOutbox) -> None:
    clock, script = Clock(), Script(RefusedForGood("HTTP 404 Not Found"))
    sender = runner(pictures, script, clock)
    send(box, alert())
    pictures.store_crops([crop()], {})
    with capture_logs() as logs:
        run(sender, clock, 3600)
    assert len(script.attached) == 1
    assert [one["reason"] for one in logs if one["event"] == "picture_not_attached"] == ["HTTP 404 Not Found"]


def test_a_store_that_is_down_costs_no_try(box: Outbox, pictures: PictureOutbox) -> None:
    clock, script = Clock(), Script()
    script.stored = [DependencyDown("the store does not answer")] * 8
    sender = runner(pictures, script, clock, channel("er", picture=True, tries=2))
    send(box, alert())
    pictures.store_crops([crop()], {})
    with capture_logs() as logs:
        run(sender, clock, 3600)
    assert len(script.attached) == 1
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["pictures_wait"]


def test_a_crop_that_is_gone_gives_way_to_the_next_best(box: Outbox, pictures: PictureOutbox) -> None:
    clock, script = Clock(), Script()
    script.stored = [ObjectMissing("object-missing", "not in the store")]
    sender = runner(pictures, script, clock)
    send(box, alert())
    pictures.store_crops([crop("crp-1", score=0.9), crop("crp-2", score=0.5)], {})
    run(sender, clock, 60)
    assert script.reads == ["crp-1", "crp-2"]
    assert len(script.attached) == 1


def test_a_crop_that_is_withdrawn_while_it_is_read_is_not_sent(box: Outbox, pictures: PictureOutbox) -> None:
    clock, script = Clock(), Script()
    sender = runner(pictures, script, clock)
    send(box, alert())
    pictures.store_crops([crop()], {})

    def read(one: CropReference) -> bytes:
        pictures.store_crops([withdrawn(crop())], {})
        return jpeg()

    script.read = read  # type: ignore[method-assign]
    run(PictureSender(sender.channel, script, pictures, read, clock), clock, 60)
    assert script.attached == []


def test_pictures_keep_the_rate_of_their_channel(box: Outbox, pictures: PictureOutbox) -> None:
    clock, script = Clock(), Script()
    sender = runner(pictures, script, clock, channel("er", picture=True, rate=Rate(1, 60)))
    for number in range(3):
        send(box, alert(f"alr-{number}"))
    pictures.store_crops([crop()], {})
    run(sender, clock, 100)
    assert len(script.attached) == 2
    run(sender, clock, 60)
    assert len(script.attached) == 3


def test_a_mistake_about_one_picture_ends_no_thread(box: Outbox, pictures: PictureOutbox) -> None:
    clock, script = Clock(), Script(ValueError("a mistake of the program"))
    sender = runner(pictures, script, clock)
    for number in range(2):
        send(box, alert(f"alr-{number}"))
    pictures.store_crops([crop()], {})
    run(sender, clock, 11)
    assert {identity for identity, *_ in script.attached} == {"event-of-alr-0", "event-of-alr-1"}


@pytest.mark.parametrize("stuck", [Answer(hang=True), Answer(drop=True), Answer(503), Answer(429), Answer(403)])
def test_no_message_waits_for_a_picture(box: Outbox, pictures: PictureOutbox, tmp_path: Path, stuck: Answer) -> None:
    """A site whose events work and whose files do not."""
    site, uploads = Site(), threading.Event()

    def respond(request: Request) -> Answer:
        if request.path.endswith("/files/"):
            uploads.set()
            return stuck
        return site.respond(request)

    def delivered(messages: int) -> bool:
        return box.counts()["er"].delivered == messages

    with receiving(respond=respond) as receiver:
        one = replace(earthranger(receiver, tmp_path, picture=True), timeout_s=30.0)
        clock = Clock()
        messages = ChannelSender(
            one,
            EarthRangerSender(one),
            box,
            lambda event, its: message_of(event, its, deployment(), None, TAXA),
        )
        attaching = PictureSender(one, EarthRangerSender(one), pictures, lambda _: jpeg(), clock)
        queue(box, alert())
        pictures.store_crops([crop()], {})
        messages.start()
        try:
            wait_until(functools.partial(delivered, 1), limit_s=20)
            attaching.step()
            clock.now += 60
            attaching.start()
            assert uploads.wait(20)
            for revision in range(2, 6):
                queue(box, alert(revision=revision, state=UPDATED))
                messages.wake()
                wait_until(functools.partial(delivered, revision), limit_s=20)
        finally:
            attaching.stop()
            messages.stop()
            receiver.ended.set()
            assert messages.join(30) and attaching.join(60)
    assert len(site.events) == 1


def test_the_event_gets_the_picture_of_the_store_without_its_metadata(
    box: Outbox, pictures: PictureOutbox, tmp_path: Path
) -> None:
    site, files = Site(), FilesOfAnEvent(Answer(drop=True))
    data = jpeg_with_exif()

    def respond(request: Request) -> Answer:
        return files.respond(request) if request.path.partition("?")[0].endswith("/files/") else site.respond(request)

    with receiving(respond=respond) as receiver, receiving(Answer(200, body=data)) as store:
        one, clock = earthranger(receiver, tmp_path, picture=True), Clock()
        messages = ChannelSender(
            one,
            EarthRangerSender(one),
            box,
            lambda event, its: message_of(event, its, deployment(), None, TAXA),
        )
        attaching = PictureSender(one, EarthRangerSender(one), pictures, source(store).read, clock)
        queue(box, alert())
        pictures.store_crops([crop(content=data)], {})
        run(attaching, clock, 30)
        assert receiver.requests == []
        messages.step()
        run(attaching, clock, 60)
    # Its answer was lost, and it was not attached again.
    assert files.files == {"uncia-alr-1.jpg": without_metadata(data)}
    assert files.uploads == 1
    assert pictures.next("er") is None
