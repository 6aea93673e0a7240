"""The senders of the file as it is now: a new file waits for no sender, and one bad channel for no other."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.processors.delivery.examples import alert, secret_file
from tests.unit.processors.delivery.http_receiver import Answer, receiving
from tests.waiting import wait_until
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.crop_reader import CropReader
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.outbox import Outbox, PartitionOffset
from uncia.processors.delivery.outbox_queue import Queued
from uncia.processors.delivery.picture_sender import PictureSender
from uncia.processors.delivery.senders import Sender, sender_of
from uncia.processors.delivery.team import Team
from uncia.settings import Settings

PLACE = ("camera.alert.raised.v1", 0)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite") as opened:
        yield opened


def queue(box: Outbox, *names: str, alert_id: str = "alr-1") -> None:
    box.apply([Queued(name, alert(alert_id)) for name in names], {PLACE: PartitionOffset("id", 1)})


def write(file: Path, *channels: str) -> None:
    file.write_text("channels:\n" + "".join(f"- {{{one}}}\n" for one in channels), encoding="utf-8")


def hook(name: str, url: str = "http://127.0.0.1:1/", secret: str = "secret", more: str = "") -> str:
    return f"name: {name}, type: webhook, address: '{url}', secret_file: {secret}{more}"


class Hanging:
    """A sender that hangs until it is let go, and notes how many of its kind send at once."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.sent: list[str] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def of(self, channel: Channel) -> Sender:
        outer = self

        class OfChannel:
            def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
                with outer._lock:
                    outer.sent.append(channel.name)
                    outer.at_once += 1
                    outer.most_at_once = max(outer.most_at_once, outer.at_once)
                outer.let_go.wait(300)
                with outer._lock:
                    outer.at_once -= 1
                return None

        return OfChannel()


def test_a_new_file_does_not_wait_for_a_sender_that_hangs(box: Outbox, tmp_path: Path) -> None:
    secret_file(tmp_path)
    file = tmp_path / "channels.yaml"
    write(file, hook("slow", more=", timeout: 5m"), hook("other"))
    hanging = Hanging()
    queue(box, "slow")
    team = Team(Settings(), file, box, hanging.of)
    team.start()
    try:
        wait_until(lambda: hanging.sent, limit_s=10)
        queue(box, "slow", alert_id="alr-2")
        write(file, hook("slow", more=", tries: 7"), hook("new"))
        before = time.monotonic()
        # A change is taken over at the second poll that finds it.
        team.refresh()
        team.refresh()
        team.start()
        assert time.monotonic() - before < 30
        assert set(team.channels) == {"slow", "new"}
        queue(box, "new")
        team.wake({"new"})
        wait_until(lambda: "new" in hanging.sent, limit_s=10)
        # Not before the earlier sender of the channel has ended, or the order of an alert's messages could change.
        assert hanging.sent.count("slow") == 1
        hanging.let_go.set()

        def sent_again() -> bool:
            team.start()
            return hanging.sent.count("slow") == 2

        wait_until(sent_again, limit_s=10)
        assert hanging.most_at_once == 2
    finally:
        hanging.let_go.set()
        team.stop()


def test_a_channel_without_its_secret_waits_and_the_others_send(box: Outbox, tmp_path: Path) -> None:
    secret_file(tmp_path)
    file = tmp_path / "channels.yaml"
    with receiving(Answer(204)) as receiver, capture_logs() as logs:
        write(file, hook("bare", receiver.url, "none"), hook("whole", receiver.url))
        team = Team(Settings(), file, box, sender_of)
        queue(box, "bare", "whole")
        team.start()
        try:
            wait_until(lambda: box.counts()["whole"].delivered == 1, limit_s=10)
            wait_until(
                lambda: (box.counts()["bare"].last_error or "").endswith("No such file or directory"), limit_s=10
            )
            secret = secret_file(tmp_path)
            secret.rename(tmp_path / "none")
            wait_until(lambda: box.counts()["bare"].delivered == 1, limit_s=60)
        finally:
            team.stop()
    (unusable,) = [one for one in logs if one["event"] == "channel_unusable"]
    assert "bare: " in unusable["at"] and "none cannot be read" in unusable["at"]


@pytest.mark.parametrize("without_people", [True, False])
def test_only_a_channel_with_pictures_has_crops_read_and_only_where_no_crop_shows_a_person(
    box: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_people: bool
) -> None:
    secret_file(tmp_path)
    started: list[str] = []
    monkeypatch.setattr(CropReader, "start", lambda _: started.append("crops"))
    monkeypatch.setattr(PictureSender, "start", lambda one: started.append(one.channel.name))
    monkeypatch.setattr(PictureSender, "join", lambda one, timeout_s: True)
    er = "name: %s, type: earthranger, address: 'http://127.0.0.1:1/', secret_file: secret, event_type: a%s"
    write(tmp_path / "channels.yaml", hook("hook"), er % ("plain", ""))
    settings = Settings(crops_withheld_by_person=without_people)
    team = Team(settings, tmp_path / "channels.yaml", box, sender_of)
    try:
        team.start()
        assert started == []
        write(tmp_path / "channels.yaml", hook("hook"), er % ("plain", ""), er % ("shown", ", picture: true"))
        with capture_logs() as logs:
            team.refresh()
            team.refresh()
        team.start()
        team.wake({"shown"})
    finally:
        team.stop()
    assert started == (["crops", "shown"] if without_people else [])
    assert ("pictures_off" in [one["event"] for one in logs]) != without_people
