"""How the stream fares, for people: two tables, and a line for whatever needs one of them."""

from rich.console import Console
from rich.table import Table

from uncia.infra.local.stream import RECENT_S, StreamStatus

_CAMERAS_NAMED = 5


def show_stream(console: Console, stream: StreamStatus) -> None:
    """Print it; one line where Kafka does not tell."""
    if stream.problem is not None:
        console.print(f"Stream: {stream.problem}", markup=False, highlight=False)
        return
    lag = Table("worker", "reads", "still to read")
    for one in stream.lag:
        lag.add_row(one.worker, one.topic, f"{one.messages:,}")
    if stream.lag:
        console.print(lag)
    if stream.latency:
        latency = Table("lane", "answers", "p50", "p95", "p99", "longest")
        for lane in stream.latency:
            seconds = (lane.p50_s, lane.p95_s, lane.p99_s, lane.longest_s)
            latency.add_row(lane.lane, f"{lane.answers:,}", *(_duration(value) for value in seconds))
        console.print(latency)
    else:
        console.print(f"No photograph was answered in the last {RECENT_S // 60} minutes.")
    for line in concerns(stream):
        console.print(line, markup=False, highlight=False)


def concerns(stream: StreamStatus) -> list[str]:
    """A sentence for each thing that a person should look at."""
    lines = []
    if stream.bucket_problem:
        lines.append(f"photographs cannot be read: {stream.bucket_problem}")
    if stream.dead_letters:
        lines.append(f"{stream.dead_letters:,} dead letters: messages that could not be processed")
    if stream.late_frames:
        lines.append(f"{stream.late_frames:,} frames came too late for their burst, and have one of their own")
    if stream.doubted_clocks:
        named = [f"{camera} ({verdict})" for camera, verdict in stream.doubted_clocks.items()]
        more = f" and {len(named) - _CAMERAS_NAMED:,} more" if len(named) > _CAMERAS_NAMED else ""
        lines.append(f"clocks to look at: {', '.join(named[:_CAMERAS_NAMED])}{more}")
    return lines


def _duration(seconds: float) -> str:
    """Milliseconds, seconds, minutes or hours, whichever reads best."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
