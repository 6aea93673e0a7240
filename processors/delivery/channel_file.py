"""The file of channels: YAML in, channels out, and every mistake with its line and column."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import yaml

from uncia.events import AlertState, Severity
from uncia.processors.delivery.channels import Channel, ChannelType, PositionDetail, Rate
from uncia.processors.delivery.http_client import check_url, is_loopback
from uncia.processors.delivery.quiet_hours import QuietHours
from uncia.processors.delivery.secret_file import is_readable_by_others, unreadable
from uncia.processors.yaml_positions import (
    FileMistakes,
    Mistake,
    Wrong,
    compose,
    count,
    duration,
    items,
    mapping,
    names,
    one_of,
    read_text,
    sequence,
    switch,
    text,
)

__all__ = ["ChannelFile", "parse_channels", "read_channels"]

MOST_BYTES = 1_048_576
_GUNDI = "https://sensors.api.gundiservice.org"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class ChannelFile:
    """What a file holds: the channels, in their order, and what is probably not meant."""

    channels: tuple[Channel, ...]
    warnings: tuple[Mistake, ...] = ()
    unusable: tuple[Mistake, ...] = ()
    """Files of secrets and certificates that cannot be read. The messages of their channels wait for them."""


def read_channels(path: Path) -> ChannelFile:
    """Read a file. Raises `FileMistakes` with every mistake, or `SettingsError` where it cannot be read.

    Paths in the file are relative to its folder.
    """
    return parse_channels(read_text(path, "the channels", MOST_BYTES), str(path), path.parent)


def parse_channels(content: str, name: str, folder: Path) -> ChannelFile:
    """Parse the text of a file called `name`. Raises `FileMistakes`."""
    reader = _Reader(folder)
    try:
        channels = reader.channels(compose(content))
    except Wrong as wrong:
        raise FileMistakes(name, [wrong.mistake]) from wrong
    if reader.mistakes:
        raise FileMistakes(name, sorted(reader.mistakes, key=lambda one: (one.line, one.column)))
    return ChannelFile(tuple(channels), tuple(reader.warnings), tuple(reader.unusable))


class _Reader:
    """Builds channels out of nodes, and collects mistakes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.mistakes: list[Mistake] = []
        self.warnings: list[Mistake] = []
        self.unusable: list[Mistake] = []

    def channels(self, root: yaml.Node | None) -> list[Channel]:
        if root is None:
            return []
        top = mapping(root, "the file", {"channels"})
        if "channels" not in top:
            raise Wrong(root.start_mark, "the file has no list `channels`")
        found: dict[str, Channel] = {}
        for node in sequence(top["channels"]):
            try:
                channel = self._channel(node)
                if channel is None:
                    continue
                if channel.name in found:
                    raise Wrong(node.start_mark, f"a second channel is called {channel.name!r}")
                found[channel.name] = channel
            except Wrong as wrong:
                self.mistakes.append(wrong.mistake)
        return list(found.values())

    def _channel(self, node: yaml.Node) -> Channel | None:
        fields = mapping(node, "a channel", {"name", "type", *_FIELDS, *_PATHS})
        for required in ("name", "type"):
            if required not in fields:
                raise Wrong(node.start_mark, f"the channel has no `{required}`")
        kind = one_of(ChannelType)(fields["type"])
        values: dict[str, Any] = {"name": _name(fields["name"]), "type": kind}
        allowed = {"name", "type", *_COMMON, *_REQUIRED[kind], *_OPTIONAL[kind]}
        before = len(self.mistakes)
        for key, value in fields.items():
            if key not in allowed:
                self._note(value, f"a channel of the type {kind} has no `{key}`")
            elif key not in ("name", "type"):
                try:
                    values[_ATTRIBUTES.get(key, key)] = _FIELDS[key](value) if key in _FIELDS else self._path(value)
                except Wrong as wrong:
                    self.mistakes.append(wrong.mistake)
        for required in _REQUIRED[kind]:
            if required not in fields:
                self._note(node, f"a channel of the type {kind} needs `{required}`")
        if len(self.mistakes) > before:
            return None
        if kind is ChannelType.GUNDI:
            values = {"address": _GUNDI, "rate": Rate(1, 60), **values}
        channel = Channel(**values)
        self._check(channel, fields, node)
        return channel

    def _check(self, channel: Channel, fields: Mapping[str, yaml.Node], node: yaml.Node) -> None:
        if channel.position is not PositionDetail.WITHHELD and not channel.trusted:
            raise Wrong(fields["position"].start_mark, "only a channel with `trusted: true` gets a position")
        if channel.type is ChannelType.GUNDI and channel.position is PositionDetail.WITHHELD:
            raise Wrong(
                node.start_mark, "Gundi requires a position: set `trusted: true` and `position: exact`, or `coarse`"
            )
        if problem := _ADDRESS_CHECKS[channel.type](channel.address):
            raise Wrong(fields.get("address", node).start_mark, problem)
        if channel.username and channel.secret_file is None:
            raise Wrong(fields["username"].start_mark, "a user name needs a `secret_file` with the password")
        if (channel.certfile is None) and channel.keyfile is not None:
            raise Wrong(fields["keyfile"].start_mark, "a key needs a `certfile`")
        for key in sorted(_PATHS & set(fields)):
            if problem := unreadable(getattr(channel, key)):
                self.unusable.append(Wrong(fields[key].start_mark, f"{channel.name}: {problem}").mistake)
        for key in ("secret_file", "keyfile"):
            path = getattr(channel, key)
            if path is not None and is_readable_by_others(path):
                self._warn(fields[key], f"{path} can be read by every user of this machine: chmod 600 {path}")

    def _path(self, node: yaml.Node) -> Path:
        return self._folder / Path(text(node)).expanduser()

    def _note(self, node: yaml.Node, problem: str) -> None:
        self.mistakes.append(Wrong(node.start_mark, problem).mistake)

    def _warn(self, node: yaml.Node, problem: str) -> None:
        self.warnings.append(Wrong(node.start_mark, problem).mistake)


def _name(node: yaml.Node) -> str:
    name = text(node)
    if not _NAME.fullmatch(name):
        raise Wrong(node.start_mark, "a name consists of letters, digits, `_`, `.` and `-`, at most 64 of them")
    return name


def _states(node: yaml.Node) -> frozenset[AlertState]:
    return frozenset(one_of(AlertState)(item) for item in items(node))


def _rate(node: yaml.Node) -> Rate:
    found = re.fullmatch(r"([1-9][0-9]{0,3})\s*/\s*([0-9]*\s*[smhd])", text(node))
    if not found:
        raise Wrong(node.start_mark, "a rate is a number of messages and a time: 1/m, 20/h or 5/10m")
    seconds = float(re.sub(r"\D", "", found[2]) or 1) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2][-1]]
    if not 0 < seconds <= 31 * 86400:
        raise Wrong(node.start_mark, "the time of a rate is from one second to 31 days")
    return Rate(int(found[1]), seconds)


def _quiet(node: yaml.Node) -> QuietHours:
    fields = mapping(node, "`quiet`", {"from", "until", "zone", "except"})
    for required in ("from", "until", "zone"):
        if required not in fields:
            raise Wrong(node.start_mark, f"`quiet` needs `{required}`")
    first, end = _minute(fields["from"]), _minute(fields["until"])
    if first == end:
        raise Wrong(fields["until"].start_mark, "the two times are the same")
    zone = text(fields["zone"])
    try:
        ZoneInfo(zone)
    except (ValueError, OSError) as error:
        raise Wrong(fields["zone"].start_mark, "no such time zone: use a name such as Asia/Bishkek") from error
    return QuietHours(first, end, zone, one_of(Severity)(fields["except"]) if "except" in fields else None)


def _minute(node: yaml.Node) -> int:
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text(node))
    if not found:
        raise Wrong(node.start_mark, "a time of the day is expected, such as 22:00")
    return int(found[1]) * 60 + int(found[2])


def _timeout(node: yaml.Node) -> float:
    seconds = duration(node).total_seconds()
    if not 1 <= seconds <= 300:
        raise Wrong(node.start_mark, "a limit from 1s to 5m is expected")
    return seconds


def _topic(node: yaml.Node) -> str:
    topic = text(node)
    fields = set(re.findall(r"\{([^{}]*)\}", topic))
    if unknown := fields - {"station", "camera", "rule", "severity", "alert_id"}:
        raise Wrong(
            node.start_mark, f"no {sorted(unknown)[0]!r} in topics: use station, camera, rule, severity, alert_id"
        )
    if re.search(r"[#+{}]", re.sub(r"\{[^{}]*\}", "", topic)):
        raise Wrong(node.start_mark, "a topic must not contain #, + or single braces")
    return topic


def _mail_address(node: yaml.Node) -> str:
    address = text(node)
    if not re.fullmatch(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+", address):
        raise Wrong(node.start_mark, "a mail address such as ranger@example.org is expected")
    return address


def _recipients(node: yaml.Node) -> tuple[str, ...]:
    return tuple(_mail_address(item) for item in items(node))


def _check_http(address: str) -> str | None:
    return check_url(address)


def _check_server(schemes: Mapping[str, bool], example: str) -> Callable[[str], str | None]:
    """`schemes`: those of the address, and whether they are encrypted."""

    def check(address: str) -> str | None:
        try:
            parts = urlsplit(address)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return f"not an address: use {example}"
        if parts.scheme not in schemes or not host or parts.path not in ("", "/") or parts.username is not None:
            return f"not an address: use {example}"
        if not schemes[parts.scheme] and not is_loopback(host):
            return f"{parts.scheme}:// is not encrypted, and only for servers on this machine: use {example}"
        return None

    return check


_COMMON = {
    "trusted",
    "position",
    "default",
    "minimum_severity",
    "stations",
    "states",
    "rate",
    "quiet",
    "tries",
    "timeout",
    "private_address",
    "cafile",
}
_REQUIRED: dict[ChannelType, tuple[str, ...]] = {
    ChannelType.WEBHOOK: ("address", "secret_file"),
    ChannelType.EMAIL: ("address", "sender", "recipients"),
    ChannelType.MQTT: ("address",),
    ChannelType.EARTHRANGER: ("address", "secret_file", "event_type"),
    ChannelType.GUNDI: ("secret_file", "event_type"),
    ChannelType.APPRISE: ("secret_file",),
}
_OPTIONAL: dict[ChannelType, tuple[str, ...]] = {
    ChannelType.WEBHOOK: (),
    ChannelType.EMAIL: ("username", "secret_file"),
    ChannelType.MQTT: ("username", "secret_file", "topic", "retain", "certfile", "keyfile"),
    ChannelType.EARTHRANGER: ("picture",),
    ChannelType.GUNDI: ("address", "picture"),
    ChannelType.APPRISE: (),
}
_FIELDS: dict[str, Callable[[yaml.Node], Any]] = {
    "address": text,
    "trusted": switch,
    "position": one_of(PositionDetail),
    "default": switch,
    "minimum_severity": one_of(Severity),
    "stations": names,
    "states": _states,
    "rate": _rate,
    "quiet": _quiet,
    "tries": count,
    "timeout": _timeout,
    "private_address": switch,
    "username": text,
    "sender": _mail_address,
    "recipients": _recipients,
    "topic": _topic,
    "retain": switch,
    "event_type": text,
    "picture": switch,
}
_PATHS = {"secret_file", "cafile", "certfile", "keyfile"}
_ATTRIBUTES = {"timeout": "timeout_s"}
_ADDRESS_CHECKS: dict[ChannelType, Callable[[str], str | None]] = {
    ChannelType.WEBHOOK: _check_http,
    ChannelType.EMAIL: _check_server(
        {"smtps": True, "smtp": True, "smtp+plain": False}, "smtp://host:587 (STARTTLS) or smtps://host:465"
    ),
    ChannelType.MQTT: _check_server({"mqtts": True, "mqtt": False}, "mqtts://host:8883"),
    ChannelType.EARTHRANGER: _check_http,
    ChannelType.GUNDI: _check_http,
    ChannelType.APPRISE: lambda address: None,
}
