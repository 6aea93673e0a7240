"""A burst verdict as one line of text or one row of a table; pure."""

from dataclasses import dataclass

from uncia.dashboard.page_parts.verdict_text import (
    describe_burst,
    describe_evidence,
    describe_status,
    describe_verdict,
    verdict_taxon,
)
from uncia.events import BurstCategory, BurstResolved, BurstStatus


@dataclass(frozen=True)
class VerdictRow:
    """One row of the table of `uncia watch`."""

    started: str
    camera: str
    frames: str
    verdict: str
    score: str
    status: str
    style: str


def to_row(burst: BurstResolved) -> VerdictRow:
    """The row of the newest revision of a burst."""
    return VerdictRow(
        started=f"{burst.started_at:%Y-%m-%d %H:%M:%S}",
        camera=burst.camera,
        frames=_frames(burst),
        verdict=describe_verdict(burst),
        score=describe_evidence(burst),
        status=_status(burst),
        style=_style(burst),
    )


def render_line(burst: BurstResolved) -> str:
    """The row as plain text, for output that is not a terminal."""
    row = to_row(burst)
    parts = (row.started, row.camera, _frames(burst, " frames"), describe_burst(burst), row.status)
    return "  ".join(part for part in parts if part)


def _frames(burst: BurstResolved, unit: str = "") -> str:
    if burst.status is BurstStatus.SUPERSEDED:
        return ""
    count = str(burst.frame_count)
    if burst.expected_frames:
        count += f" of {burst.expected_frames}"
    if count == "1":
        unit = unit.removesuffix("s")
    return count + unit + (f" ({burst.unreadable} unreadable)" if burst.unreadable else "")


def _status(burst: BurstResolved) -> str:
    return f"{describe_status(burst)}, revision {burst.revision}"


def _style(burst: BurstResolved) -> str:
    if burst.status is BurstStatus.SUPERSEDED:
        return "dim strike"
    if burst.verdict and burst.verdict.focus:
        return "bold bright_yellow"
    if burst.status is BurstStatus.PROVISIONAL:
        return "dim"
    if burst.category is BurstCategory.BLANK:
        return "dim"
    if burst.category is not None and verdict_taxon(burst) is None:
        return ""
    return "" if burst.verdict and burst.verdict.certain else "cyan"
