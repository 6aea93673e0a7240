"""What every sender does, and the sender of a channel and of its pictures."""

from typing import Protocol

from uncia.processors.delivery.apprise_channel import AppriseSender
from uncia.processors.delivery.channels import Channel, ChannelType
from uncia.processors.delivery.earthranger import EarthRangerSender, GundiSender
from uncia.processors.delivery.mail import MailSender
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.mqtt import MqttSender
from uncia.processors.delivery.pictures import PictureReceiver
from uncia.processors.delivery.webhook import WebhookSender

__all__ = ["Sender", "picture_receiver_of", "sender_of"]


class Sender(Protocol):
    """Delivers messages to one channel, one at a time, each within the channel's limit of time."""

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        """Deliver a message. Returns what the receiver calls the alert, where it has a name of its own for it.

        `remote_id`: what an earlier event of the alert returned. `reached`: the receiver has an earlier event of the
        alert, or may have one, although it was never confirmed. Raises `SendFailed` or `RefusedForGood`.
        """
        ...


def sender_of(channel: Channel) -> Sender:
    """The sender for a channel. It imports a package that only its type needs when it sends."""
    match channel.type:
        case ChannelType.WEBHOOK:
            return WebhookSender(channel)
        case ChannelType.EMAIL:
            return MailSender(channel)
        case ChannelType.MQTT:
            return MqttSender(channel)
        case ChannelType.EARTHRANGER:
            return EarthRangerSender(channel)
        case ChannelType.GUNDI:
            return GundiSender(channel)
        case ChannelType.APPRISE:
            return AppriseSender(channel)


def picture_receiver_of(channel: Channel) -> PictureReceiver | None:
    """What attaches pictures to the events of a channel; None: it gets none."""
    if not channel.picture:
        return None
    match channel.type:
        case ChannelType.EARTHRANGER:
            return EarthRangerSender(channel)
        case ChannelType.GUNDI:
            return GundiSender(channel)
        case _:
            return None
