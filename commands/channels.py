"""`uncia channels`: check a file of channels, try one, and see what waits, was delivered or was given up."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from uncia.errors import SettingsError, UnciaError
from uncia.processors.delivery.channel_file import ChannelFile, read_channels
from uncia.processors.delivery.failures import RefusedForGood, SendFailed
from uncia.processors.delivery.message import trial_message
from uncia.processors.delivery.outbox import Outbox
from uncia.processors.delivery.secret_file import unusable
from uncia.processors.delivery.senders import sender_of
from uncia.processors.delivery.worker import outbox_path
from uncia.processors.yaml_positions import FileMistakes
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(no_args_is_help=True, help="Check and try channels of alerts, and see what was delivered.")

_PIPE_WIDTH = 200

ChannelsFile = Annotated[
    Path | None,
    typer.Option("--file", help="The file of channels (docs/delivery.md). Default: UNCIA_CHANNELS.", metavar="FILE"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AlertId = Annotated[str, typer.Option("--alert", help="Only those of this alert. Default: all of the channel.")]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The file of channels (docs/delivery.md).", metavar="FILE")],
) -> None:
    """Check a file of channels. Every mistake is named with its line and column; nothing is sent."""
    found = read_channels(file)
    _warn(file, found)
    if found.unusable:
        raise FileMistakes(str(file), list(found.unusable))
    count = len(found.channels)
    echo(f"{file}: {count} channel{'' if count == 1 else 's'}, no mistake")
    if count and not any(channel.default for channel in found.channels):
        echo("no channel has `default: true`: alerts of rules that name no channel are sent nowhere")


@app.command("test")
def send_test(
    name: Annotated[str, typer.Argument(help="Name of the channel.", metavar="NAME")], file: ChannelsFile = None
) -> None:
    """Send one test message by a channel, now and once. It names no camera of yours."""
    path = _file(file)
    found = read_channels(path)
    _warn(path, found)
    channel = next((one for one in found.channels if one.name == name), None)
    if channel is None:
        known = ", ".join(one.name for one in found.channels) or "none"
        raise UnciaError(f"{path} has no channel {name!r}; it has: {known}")
    try:
        remote_id = sender_of(channel).send(trial_message(channel, datetime.now(UTC)), None, False)
    except (SendFailed, RefusedForGood) as error:
        raise UnciaError(f"{name}: not delivered: {error.reason}") from error
    echo(f"{name}: delivered" + (f", as {remote_id}" if remote_id else ""))


@app.command("list")
def list_channels(file: ChannelsFile = None, as_json: Json = False) -> None:
    """Show for each channel how many messages wait, were delivered (of the last 10,000), held back, and are dead."""
    path = file or settings().channels
    channels = {one.name: one for one in read_channels(path).channels} if path is not None else {}
    with _outbox() as outbox:
        counts = outbox.counts()
    rows = []
    for name in dict.fromkeys((*channels, *counts)):
        found = counts.get(name)
        oldest = found.oldest_pending if found else None
        problem = unusable(channels[name]) if name in channels else None
        rows.append(
            {
                "channel": name,
                "in_file": name in channels,
                "usable": name in channels and problem is None,
                "pending": found.pending if found else 0,
                "delivered": found.delivered if found else 0,
                "dead": found.dead if found else 0,
                "oldest_pending": datetime.fromtimestamp(oldest, UTC).isoformat(timespec="seconds") if oldest else None,
                "held_back": found.muted if found else 0,
                "last_error": problem or (found.last_error if found else None),
            }
        )
    if as_json:
        echo_json(rows)
        return
    columns = ("channel", "pending", "delivered", "held back", "dead", "oldest pending")
    table = Table(*columns, Column("last error", overflow="fold"))
    for row in rows:
        shown = str(row["channel"]) + ("" if row["in_file"] else " (not in the file)")
        numbers = (row["pending"], row["delivered"], row["held_back"], row["dead"])
        values = (*numbers, row["oldest_pending"] or "", row["last_error"] or "")
        table.add_row(*(Text(str(value)) for value in (shown, *values)))
    _print(table)


@app.command()
def dead(
    name: Annotated[str, typer.Argument(help="Name of the channel. Default: all.", metavar="NAME")] = "",
    as_json: Json = False,
) -> None:
    """List the dead letters: messages that a channel refused, or did not take in all its tries."""
    with _outbox() as outbox:
        letters = outbox.dead_letters(name)
    if as_json:
        echo_json(
            [
                {
                    "channel": one.channel,
                    "alert_id": one.alert_id,
                    "revision": one.revision,
                    "state": one.alert.state.value if one.alert else None,
                    "summary": one.alert.summary if one.alert else None,
                    "reason": one.reason,
                    "attempts": one.attempts,
                    "ended_at": datetime.fromtimestamp(one.ended_at, UTC).isoformat(timespec="seconds"),
                }
                for one in letters
            ]
        )
        return
    if not letters:
        echo("no dead letter")
        return
    table = Table(
        "channel", Column("alert", no_wrap=True), "given up", Column("reason", overflow="fold"),
        Column("summary", overflow="fold"),
    )  # fmt: skip
    for one in letters:
        moment = f"{datetime.fromtimestamp(one.ended_at, UTC):%Y-%m-%d %H:%M}"
        summary = one.alert.summary if one.alert else ""
        values = (one.channel, f"{one.alert_id}:{one.revision}", moment, one.reason, summary)
        table.add_row(*(Text(value) for value in values))
    _print(table)


@app.command()
def retry(name: Annotated[str, typer.Argument(help="Name of the channel.")], alert_id: AlertId = "") -> None:
    """Queue the dead letters of a channel again. Those that a later revision of their alert followed stay dead."""
    with _outbox() as outbox:
        found = outbox.retry(name, alert_id)
    echo(f"{name}: {found.queued} dead letter{'' if found.queued == 1 else 's'} queued again")
    if found.unreadable:
        echo(f"{name}: {found.unreadable} cannot be read by this version of Uncia: update it, then retry them")


@app.command()
def drop(name: Annotated[str, typer.Argument(help="Name of the channel.")], alert_id: AlertId = "") -> None:
    """Remove the dead letters of a channel. The alerts stay on their topic."""
    with _outbox() as outbox:
        count = outbox.drop(name, alert_id)
    echo(f"{name}: {count} dead letter{'' if count == 1 else 's'} removed")


def _file(file: Path | None) -> Path:
    path = file or settings().channels
    if path is None:
        raise SettingsError("give the file of channels with --file, or set UNCIA_CHANNELS")
    return path


def _outbox() -> Outbox:
    return Outbox(outbox_path(settings()), create=False)


def _warn(file: Path, found: ChannelFile) -> None:
    for warning in found.warnings:
        plain_console(stderr=True, soft_wrap=True).print(Text(f"{file}, {warning}"))


def _print(table: Table) -> None:
    console = plain_console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(table)
