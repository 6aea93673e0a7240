"""A burst verdict in the words of one line; pure."""

from dataclasses import dataclass

from uncia.events import BurstResolved, BurstStatus


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    started: str
    camera: str
    frames: str
    verdict: str
    score: str
    status: str
    style: str


def row_of(burst: BurstResolved) -> Row:
    """The line that stands for the newest revision of a burst."""
    return Row(
        started=f"{burst.started_at:%Y-%m-%d %H:%M:%S}",
        camera=burst.camera,
        frames=_frames(burst),
        verdict=_verdict(burst),
        score=f"{burst.verdict.score:.2f}" if burst.verdict else "",
        status=_status(burst),
        style=_style(burst),
    )


def line_of(burst: BurstResolved) -> str:
    """The same as plain text, for output that is no terminal."""
    row = row_of(burst)
    frames = f"{row.frames} frame{'' if row.frames == '1' else 's'}" if row.frames else ""
    parts = (row.started, row.camera, frames, row.verdict, row.score, row.status)
    return "  ".join(part for part in parts if part)


def _frames(burst: BurstResolved) -> str:
    if burst.status is BurstStatus.SUPERSEDED:
        return ""
    count = str(burst.frame_count)
    if burst.expected_frames:
        count += f" of {burst.expected_frames}"
    return count + (f" ({burst.unreadable} unreadable)" if burst.unreadable else "")


def _verdict(burst: BurstResolved) -> str:
    if burst.status is BurstStatus.SUPERSEDED:
        return f"superseded by {burst.superseded_by}" if burst.superseded_by else "withdrawn"
    if burst.verdict is None:
        return "nothing could be read"
    return burst.verdict.label if burst.verdict.certain else f"{burst.verdict.label}?"


def _status(burst: BurstResolved) -> str:
    closed = f" by {burst.closed_by}" if burst.closed_by else ""
    return f"{burst.status}{closed}, revision {burst.revision}"


def _style(burst: BurstResolved) -> str:
    if burst.status is BurstStatus.SUPERSEDED:
        return "dim strike"
    if burst.verdict and burst.verdict.focus:
        return "bold bright_yellow"
    if burst.status is BurstStatus.PROVISIONAL:
        return "dim"
    return "" if burst.verdict and burst.verdict.certain else "cyan"
