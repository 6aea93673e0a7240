"""Secrets of channels: files of their own, which are read for each message, so that a new secret needs no restart."""

import stat
from pathlib import Path

from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.failures import SendFailed

__all__ = ["is_readable_by_others", "read_secret", "unreadable", "unusable"]

_MOST_BYTES = 16_384


def read_secret(channel: Channel) -> str:
    """The secret of a channel. Raises `SendFailed` where there is none: messages wait until the file is there."""
    if channel.secret_file is None:
        raise SendFailed("the channel has no `secret_file`", may_have_arrived=False, needs_operator=True)
    try:
        with channel.secret_file.open("rb") as file:
            secret = file.read(_MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        problem = f"the secret file {channel.secret_file} cannot be read: {reason}"
        raise SendFailed(problem, may_have_arrived=False, needs_operator=True) from error
    if not secret:
        raise SendFailed(f"the secret file {channel.secret_file} is empty", may_have_arrived=False, needs_operator=True)
    return secret


def unreadable(path: Path) -> str | None:
    """Why a file cannot be read; None: it can be."""
    try:
        with path.open("rb"):
            return None
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"


def unusable(channel: Channel) -> str | None:
    """Why the messages of a channel wait: one of its files cannot be read. None: all can be."""
    paths = (channel.secret_file, channel.cafile, channel.certfile, channel.keyfile)
    return next((problem for path in paths if path is not None and (problem := unreadable(path))), None)


def is_readable_by_others(path: Path) -> bool:
    """Whether users other than the owner and its group can read a file. False for one that does not exist."""
    try:
        return bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False
