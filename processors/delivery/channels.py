"""A channel, and which alerts it gets. Pure."""

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from uncia.events import AlertRaised, AlertState, Severity
from uncia.processors.delivery.quiet_hours import QuietHours, severity_rank

__all__ = ["Channel", "ChannelType", "PositionDetail", "Rate", "named_channels", "route", "unknown_names"]


class ChannelType(StrEnum):
    """What a channel speaks."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    MQTT = "mqtt"
    EARTHRANGER = "earthranger"
    GUNDI = "gundi"
    APPRISE = "apprise"


class PositionDetail(StrEnum):
    """Which position a trusted channel gets."""

    WITHHELD = "withheld"
    COARSE = "coarse"
    """As coarse as the sensitivity of the deployment and of the taxa requires; withheld at the strictest level."""
    EXACT = "exact"


@dataclass(frozen=True)
class Rate:
    """At most `messages` in any `seconds`."""

    messages: int
    seconds: float


@dataclass(frozen=True)
class Channel:
    """One channel of the file. `repr` shows no secret: secrets stay in their files, which are read for each message."""

    name: str
    type: ChannelType
    address: str = ""
    secret_file: Path | None = None
    trusted: bool = False
    """Gets positions and links. Others get neither."""
    position: PositionDetail = PositionDetail.WITHHELD
    default: bool = False
    """Gets the alerts of rules that name no channel."""
    minimum_severity: Severity = Severity.INFO
    stations: tuple[str, ...] = ()
    """Names, or patterns with `*`; empty: all."""
    states: frozenset[AlertState] = frozenset(AlertState)
    rate: Rate | None = None
    quiet: QuietHours | None = None
    tries: int = 100
    timeout_s: float = 10.0
    """Limit of one delivery, in seconds, connecting included."""
    private_address: bool = False
    """The address may be in a private network."""
    cafile: Path | None = None
    username: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    topic: str = "uncia/alerts/{camera}"
    retain: bool = False
    event_type: str = ""
    picture: bool = False
    """Attaches a picture to the events that it creates."""
    certfile: Path | None = field(default=None, repr=False)
    keyfile: Path | None = field(default=None, repr=False)

    def wants(self, alert: AlertRaised) -> bool:
        """Whether an alert that is routed to this channel is severe enough, and at one of its stations."""
        severe = severity_rank(alert.severity) >= severity_rank(self.minimum_severity)
        return severe and (
            not self.stations or any(fnmatch.fnmatchcase(alert.station, _literal(one)) for one in self.stations)
        )


def route(
    alert: AlertRaised, channels: Mapping[str, Channel], holding: Mapping[str, bool] | None = None
) -> tuple[Channel, ...]:
    """The channels that get this event of an alert.

    `holding`: names of the channels that have an earlier event of it; true: all of them were held back by a mute. These
    channels get the later events as well, although the rule may name other channels by now: otherwise they would show
    an alert that was withdrawn.
    """
    known = holding or {}
    named = named_channels(alert.channels, channels)
    chosen = []
    for channel in channels.values():
        if channel.name in known:
            # A withdrawal always: it cancels what was not sent yet, also where withdrawals are not wanted.
            wanted = alert.state is AlertState.WITHDRAWN or alert.state in channel.states
            # What comes after a mute is the first that the channel gets of the alert.
            wanted = wanted or (known[channel.name] and AlertState.RAISED in channel.states)
        else:
            first = alert.state is not AlertState.WITHDRAWN and alert.state in channel.states
            wanted = channel.name in named and first and channel.wants(alert)
        if wanted:
            chosen.append(channel)
    return tuple(chosen)


def named_channels(names: Iterable[str], channels: Mapping[str, Channel]) -> set[str]:
    """The channels that a rule names; without a known one the default channels."""
    named = {name for name in names if name in channels}
    # None is named, or all names are wrong: an alert that goes to the default channels is better than a lost one.
    return named or {channel.name for channel in channels.values() if channel.default}


def unknown_names(alert: AlertRaised, channels: Iterable[str]) -> tuple[str, ...]:
    """Channels that the rule of an alert names, and the file does not have."""
    known = set(channels)
    return tuple(name for name in alert.channels if name not in known)


def _literal(pattern: str) -> str:
    """A pattern in which only `*` is special."""
    return pattern.replace("[", "[[]").replace("?", "[?]")
