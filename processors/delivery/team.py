"""The channels of the file as it is now, and their senders."""

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from uncia.camtrap.deployments import Deployments
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import SettingsError
from uncia.events import AlertRaised
from uncia.processors.delivery.channel_file import read_channels
from uncia.processors.delivery.channel_sender import ChannelSender
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.crop_reader import CropReader
from uncia.processors.delivery.message import AlertMessage, message_of
from uncia.processors.delivery.outbox import Outbox
from uncia.processors.delivery.outbox_pictures import PictureOutbox
from uncia.processors.delivery.picture_sender import PictureSender
from uncia.processors.delivery.pictures import PictureSource
from uncia.processors.delivery.sender_loop import SenderLoop
from uncia.processors.delivery.senders import Sender, picture_receiver_of
from uncia.processors.yaml_positions import refuse_emptied
from uncia.settings import Settings
from uncia.storage.file_stamp import file_stamp

__all__ = ["Team"]

_STOP_S = 12.0

log = structlog.get_logger("uncia")


class Team:
    """The channels of the file as it is now, and their senders. Nothing but `stop` waits for a sender."""

    def __init__(
        self, settings: Settings, file: Path, outbox: Outbox, make_sender: Callable[[Channel], Sender]
    ) -> None:
        """Raises `SettingsError` for a file that cannot be used."""
        self._file, self._outbox, self._make_sender = file, outbox, make_sender
        self._url = settings.dashboard_url
        self._taxa = SensitiveTaxa.load(settings.sensitive_taxa, Taxonomy.load(settings.taxonomy_file))
        self.deployments = Deployments()
        pictures = PictureOutbox(outbox)
        self._pictures, self._crops, self._source = pictures, CropReader(settings, pictures), PictureSource(settings)
        self._without_people = settings.crops_withheld_by_person
        # Of each channel that of its messages, and where it has pictures theirs.
        self._senders: dict[str, tuple[SenderLoop, ...]] = {}
        self._ending: list[SenderLoop] = []
        self.channels: dict[str, Channel] = {}
        self._seen = self._polled = file_stamp(file)
        self._replace()

    def refresh(self) -> None:
        """Take over the file where it changed. A mistake in a later version leaves the earlier one in force."""
        stamp, before = file_stamp(self._file), self._polled
        self._polled = stamp
        # A file that is being written differs between two polls.
        if stamp != self._seen and stamp == before:
            self._seen = stamp
            try:
                # To remove all channels, write `channels: []`.
                refuse_emptied(self._file)
                self._replace()
                log.info("channels_read", channels=len(self.channels))
            except SettingsError as error:
                log.error("channels_not_read", error=str(error))

    def start(self) -> None:
        """Start the senders that do not run yet. That of a changed channel follows when the earlier one has ended."""
        self._ending = [sender for sender in self._ending if not sender.join(0)]
        # Two senders of one channel could change the order of an alert's messages.
        busy = {sender.channel.name for sender in self._ending}
        for channel in self.channels.values():
            if channel.name not in self._senders and channel.name not in busy:
                self._senders[channel.name] = self._loops(channel)
                for sender in self._senders[channel.name]:
                    sender.start()

    def _loops(self, channel: Channel) -> tuple[SenderLoop, ...]:
        messages = ChannelSender(channel, self._make_sender(channel), self._outbox, self._render)
        receiver = picture_receiver_of(channel) if self._without_people else None
        if receiver is None:
            return (messages,)
        self._crops.start()
        return (messages, PictureSender(channel, receiver, self._pictures, self._source.read))

    def wake(self, names: set[str]) -> None:
        """Tell these channels that they have messages."""
        for name in names & set(self._senders):
            for sender in self._senders[name]:
                sender.wake()

    def stop(self) -> None:
        """End all senders. One that is still sending after some seconds is left: it ends with the process."""
        senders = [*(one for loops in self._senders.values() for one in loops), *self._ending]
        for sender in senders:
            sender.stop()
        deadline = time.monotonic() + _STOP_S
        for sender in senders:
            if not sender.join(max(0.0, deadline - time.monotonic())):
                log.warning("channel_still_sending", channel=sender.channel.name)
        self._crops.close()
        self._source.close()

    def _render(self, alert: AlertRaised, channel: Channel) -> AlertMessage:
        first = alert.matching or alert.bursts
        deployment = self.deployments.at(alert.camera, first[0].started_at if first else alert.raised_at)
        return message_of(alert, channel, deployment, self._url, self._taxa)

    def _replace(self) -> None:
        found = read_channels(self._file)
        for warning in found.warnings:
            log.warning("channel_doubtful", at=str(warning))
        for problem in found.unusable:
            log.error("channel_unusable", at=str(problem))
        self.channels = {channel.name: channel for channel in found.channels}
        if not self._without_people and any(channel.picture for channel in found.channels):
            log.error("pictures_off", reason="UNCIA_CROPS_WITHHELD_BY_PERSON=false: a crop could show a person")
        for name, loops in list(self._senders.items()):
            if self.channels.get(name) != loops[0].channel:
                for sender in loops:
                    sender.stop()
                self._ending += self._senders.pop(name)
