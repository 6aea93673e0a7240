"""A line on standard error for a message of a topic that a command cannot read."""

from uncia.errors import PermanentError
from uncia.kafka.broker import Message
from uncia.terminal import plain_console

__all__ = ["report_skipped"]


def report_skipped(message: Message, error: PermanentError) -> None:
    """Name the message and what is wrong with it."""
    plain_console(stderr=True).print(f"skipped {message.topic} {message.partition}:{message.offset}: {error}")
