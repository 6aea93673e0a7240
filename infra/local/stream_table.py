"""Renders the stream's status for a terminal: a table of lag, a table of latency, and one line per warning."""

from rich.console import Console
from rich.table import Table

from uncia.kafka.stream_status import RECENT_S, StreamStatus

_CAMERAS_NAMED = 5


def show_stream(console: Console, stream: StreamStatus) -> None:
    """Print the status; a single line when Kafka could not be read."""
    if stream.problem is not None:
        console.print(f"Stream: {stream.problem}", markup=False, highlight=False)
        return
    lag_table = Table("worker", "topic", "lag")
    for lag in stream.lag:
        lag_table.add_row(lag.worker, lag.topic, f"{lag.messages:,}")
    if stream.lag:
        console.print(lag_table)
    if stream.latency:
        latency = Table("lane", "predictions", "p50", "p95", "p99", "longest")
        for lane in stream.latency:
            seconds = (lane.p50_s, lane.p95_s, lane.p99_s, lane.longest_s)
            latency.add_row(lane.lane, f"{lane.answers:,}", *(_duration(value) for value in seconds))
        console.print(latency)
    else:
        console.print(f"No predictions in the last {RECENT_S // 60} minutes.")
    for line in stream_warnings(stream):
        console.print(line, markup=False, highlight=False)


def stream_warnings(stream: StreamStatus) -> list[str]:
    """One sentence per condition that needs a person's attention."""
    lines = []
    if stream.bucket_problem:
        lines.append(f"photographs cannot be read: {stream.bucket_problem}")
    if stream.dead_letters:
        lines.append(
            f"{stream.dead_letters:,} dead letters (messages that could not be processed): `uncia dead-letters list`"
        )
    if stream.late_frames:
        lines.append(
            f"{stream.late_frames:,} late frames: they arrived after their burst was closed and have their own"
        )
    if stream.doubted_clocks:
        named = [f"{camera} ({verdict})" for camera, verdict in stream.doubted_clocks.items()]
        more = f" and {len(named) - _CAMERAS_NAMED:,} more" if len(named) > _CAMERAS_NAMED else ""
        lines.append(f"clocks to check: {', '.join(named[:_CAMERAS_NAMED])}{more} (`uncia clocks`)")
    return lines


def _duration(seconds: float) -> str:
    """Format a duration in milliseconds, seconds, minutes or hours, by magnitude."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
