"""Lays the results out for the template, and renders it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from uncia.dashboard.contact_sheet.collect import Results
from uncia.dashboard.contact_sheet.thumbnails import JudgedContent, LoadPicture, Thumbnail
from uncia.errors import UnciaError
from uncia.events import BurstFrame, BurstResolved
from uncia.terminal import printable_in_html

FRAMES_SHOWN = 24
BURSTS_SHOWN = 150


@dataclass(frozen=True)
class FrameView:
    """One picture of the strip; the box in per cent of the picture."""

    picture: str | None
    missing: str
    """Why there is no picture."""
    caption: str
    note: str
    deciding: bool
    box: dict[str, float] | None


@dataclass(frozen=True)
class BurstView:
    """One burst as the page shows it."""

    anchor: str
    verdict: str
    tone: str
    score: str
    explanation: str
    camera: str
    when: str
    facts: tuple[str, ...]
    others: tuple[str, ...]
    frames: tuple[FrameView, ...]
    hidden: int


def render(results: Results, load: LoadPicture, *, title: str, summary: dict[str, Any]) -> str:
    """The page as HTML: no script, no outside address, pictures inside."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=printable_in_html,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    bursts = results.standing()
    return environment.get_template("page.html.j2").render(
        title=title,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        summary=summary,
        bursts=[view_of(burst, results, load) for burst in bursts[:BURSTS_SHOWN]],
        bursts_left_out=max(0, len(bursts) - BURSTS_SHOWN),
        rejected=sorted(results.rejected.values(), key=lambda file: file.key),
        dead=results.dead,
        unreadable=results.unreadable,
    )


def view_of(burst: BurstResolved, results: Results, load: LoadPicture) -> BurstView:
    """One burst. At most `FRAMES_SHOWN` pictures: the deciding ones, and others evenly between."""
    shown = _chosen(burst.frames)
    verdict = burst.verdict
    if verdict is None:
        name, tone, score, explanation = "Nothing could be read", "unread", "", "no frame of this burst is readable"
    elif verdict.focus:
        name, tone, score = verdict.label, "focus", f"{verdict.score:.2f}"
        explanation = f"best window {verdict.score:.3f}, decided at {verdict.threshold or 0:.3f} ({verdict.taxon})"
    else:
        name, tone, score = verdict.label, "certain" if verdict.certain else "uncertain", f"{verdict.score:.2f}"
        sure = "certain" if verdict.certain else "uncertain"
        explanation = ", ".join(word for word in (verdict.taxon, verdict.group, sure) if word)
    return BurstView(
        anchor=burst.burst_id,
        verdict=name,
        tone=tone,
        score=score,
        explanation=explanation,
        camera=burst.camera,
        when=_when(burst),
        facts=_facts(burst, results),
        others=tuple(f"{other.label} {other.score:.2f}" for other in burst.taxa[1:4]),
        frames=tuple(_frame_view(burst.camera, frame, load) for frame in shown),
        hidden=burst.frame_count - len(shown),
    )


def _chosen(frames: tuple[BurstFrame, ...]) -> list[BurstFrame]:
    if len(frames) <= FRAMES_SHOWN:
        return list(frames)
    step = len(frames) / FRAMES_SHOWN
    even = {int(index * step) for index in range(FRAMES_SHOWN)}
    deciding = [index for index, frame in enumerate(frames) if frame.deciding][: FRAMES_SHOWN // 2]
    wanted = set(deciding) | set(sorted(even - set(deciding))[: FRAMES_SHOWN - len(deciding)])
    return [frames[index] for index in sorted(wanted)]


def _when(burst: BurstResolved) -> str:
    seconds = (burst.ended_at - burst.started_at).total_seconds()
    return f"{burst.started_at:%d %b %Y %H:%M:%S}" + (f" + {seconds:.0f} s" if seconds else "")


def _facts(burst: BurstResolved, results: Results) -> tuple[str, ...]:
    count = f"{burst.frame_count} frame{'' if burst.frame_count == 1 else 's'}"
    if burst.expected_frames:
        count = f"{burst.frame_count} of {burst.expected_frames} frames"
    waits = [results.seconds[frame.upload_id] for frame in burst.frames if frame.upload_id in results.seconds]
    facts = [
        count,
        f"{burst.unreadable} unreadable" if burst.unreadable else "",
        str(burst.trigger) if burst.trigger != "unknown" else "",
        f"{burst.status}, revision {burst.revision}" + (f", closed by {burst.closed_by}" if burst.closed_by else ""),
        f"answered in {max(waits):.1f} s" if waits else "",
        f"rule {burst.rule}",
    ]
    return tuple(fact for fact in facts if fact)


def _frame_view(camera: str, frame: BurstFrame, load: LoadPicture) -> FrameView:
    box = None
    if frame.box is not None:
        left, top, width, height = (round(100 * share, 2) for share in frame.box)
        box = {"left": left, "top": top, "width": width, "height": height}
    note = ""
    if frame.rejection is not None:
        note = frame.rejection.reason
    elif frame.score is not None:
        note = f"{frame.score:.2f}"
    picture = _picture(camera, frame, load)
    return FrameView(
        picture=picture.url,
        missing=picture.missing,
        caption=f"{frame.captured_at:%H:%M:%S}" + (f" · {frame.sequence}" if frame.sequence else ""),
        note=note,
        deciding=frame.deciding,
        box=box,
    )


def _picture(camera: str, frame: BurstFrame, load: LoadPicture) -> Thumbnail:
    """Of a frame that was judged. What was rejected is not opened: no decoder gets a second try at it."""
    if frame.rejection is not None:
        return Thumbnail(None, frame.rejection.reason)
    return load(JudgedContent.of_frame(camera, frame))


def write_page(output: Path, page: str) -> None:
    """Write a page, its folder too. Raises `UnciaError` when that cannot be."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UnciaError(f"cannot write {output}: {error.strerror}; choose another place with --output") from error
