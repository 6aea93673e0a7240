"""Renders what `uncia replay diff` found as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.page_parts.rendering import render_page
from uncia.dashboard.page_parts.thumbnails import LoadThumbnail, Thumbnail

CHANGES_SHOWN = 100
FRAMES_SHOWN = 12
ROWS_SHOWN = 60

_TONES = {
    "relabelled": "focus",
    "reread": "certain",
    "gained": "certain",
    "lost": "unread",
}
"""Colour by kind of change; the other kinds, which are regroupings, are `uncertain`."""


@dataclass(frozen=True)
class ChangeSide:
    """One burst of one side: its verdict, and how it was made."""

    verdict: str
    score: str
    facts: str


@dataclass(frozen=True)
class ChangeFrame:
    """One photograph, and the best class of each side for it."""

    picture: str | None
    missing: str
    """The reason why there is no picture."""
    caption: str
    live: str
    replay: str
    differs: bool


@dataclass(frozen=True)
class ChangeView:
    """One change as the page shows it."""

    kind: str
    tone: str
    camera: str
    when: str
    held: str | None
    live: tuple[ChangeSide, ...]
    replay: tuple[ChangeSide, ...]
    frames: tuple[ChangeFrame, ...]
    hidden: int
    """Photographs that are not shown."""


def render(comparison: Mapping[str, Any], load: LoadThumbnail) -> str:
    """The page as HTML. `comparison` is the object that `uncia replay diff --json` prints."""
    changes, confusion = comparison["changes"], comparison["confusion"]
    return render_page(
        Path(__file__).parent,
        title=f"Replay {comparison['replay']}",
        plan=comparison["plan"],
        complete=comparison["complete"],
        kinds={kind: count for kind, count in comparison["kinds"].items() if count},
        to_promote=comparison["to_promote"],
        held=comparison["held"],
        confusion=[{**row, "share": _share(row, confusion)} for row in confusion[:ROWS_SHOWN]],
        rows_left_out=max(0, len(confusion) - ROWS_SHOWN),
        rejections=comparison["rejections"][:ROWS_SHOWN],
        changes=[change_view(change, load) for change in changes[:CHANGES_SHOWN]],
        changes_left_out=max(0, len(changes) - CHANGES_SHOWN),
    )


def change_view(change: Mapping[str, Any], load: LoadThumbnail) -> ChangeView:
    """Lay out one change with at most `FRAMES_SHOWN` pictures; photographs with different predictions come first."""
    live, replay = _frames_by_upload(change["live"]), _frames_by_upload(change["replay"])
    uploads = sorted({*live, *replay}, key=lambda upload: (live.get(upload) or replay[upload])["captured_at"])
    different = [upload for upload in uploads if _best_class(live.get(upload)) != _best_class(replay.get(upload))]
    chosen = set([*different, *(upload for upload in uploads if upload not in different)][:FRAMES_SHOWN])
    bursts = change["live"] or change["replay"]
    return ChangeView(
        kind=change["kind"],
        tone=_TONES.get(change["kind"], "uncertain"),
        camera=change["camera"],
        when=f"{datetime.fromisoformat(min(burst['started_at'] for burst in bursts)):%d %b %Y %H:%M:%S}",
        held=change["held"],
        live=tuple(_side(burst) for burst in change["live"]),
        replay=tuple(_side(burst) for burst in change["replay"]),
        frames=tuple(
            _frame(change["camera"], live.get(upload), replay.get(upload), load)
            for upload in uploads
            if upload in chosen
        ),
        hidden=len(uploads) - len(chosen),
    )


def _frames_by_upload(bursts: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {frame["upload_id"]: frame for burst in bursts for frame in burst["frames"]}


def _side(burst: Mapping[str, Any]) -> ChangeSide:
    count = f"{len(burst['frames'])} frame{'' if len(burst['frames']) == 1 else 's'}"
    unread = f", {burst['unreadable']} unreadable" if burst.get("unreadable") else ""
    facts = f"{count}{unread} · {', '.join(burst.get('models', ())) or 'no model'} · {burst['rule']}"
    verdict, category = burst.get("verdict"), burst.get("category")
    if verdict is None:
        return ChangeSide(category or "nothing could be read", "", facts)
    label = verdict["label"] + ("" if verdict["certain"] else "?")
    shown = label if category in (None, "animal", verdict["label"]) else f"{category}: {label}"
    return ChangeSide(shown, f"{verdict['score']:.2f}", facts)


def _frame(
    camera: str, live: Mapping[str, Any] | None, replay: Mapping[str, Any] | None, load: LoadThumbnail
) -> ChangeFrame:
    shown = live or replay or {}
    thumbnail = _thumbnail(camera, live, replay, load)
    return ChangeFrame(
        picture=thumbnail.url,
        missing=thumbnail.missing,
        caption=f"{datetime.fromisoformat(shown['captured_at']):%H:%M:%S}",
        live=_best_class(live),
        replay=_best_class(replay),
        differs=_best_class(live) != _best_class(replay),
    )


def _thumbnail(
    camera: str, live: Mapping[str, Any] | None, replay: Mapping[str, Any] | None, load: LoadThumbnail
) -> Thumbnail:
    """Of the content that either side predicted. A photograph that both sides rejected is not opened."""
    sides = [frame for frame in (live, replay) if frame]
    for frame in sides:
        if not frame.get("rejection"):
            location = (str(frame[name]) for name in ("bucket", "key", "upload_id", "image_id"))
            return load(AssessedContent(camera, *location))
    return Thumbnail(None, _best_class(sides[0]) if sides else "")


def _best_class(frame: Mapping[str, Any] | None) -> str:
    """The best class of one side, or the reason why it has none."""
    if frame is None:
        return "not in a burst"
    if frame.get("rejection"):
        return str(frame["rejection"]["reason"])
    top = frame.get("top")
    return str(top["label"]) if top else ""


def _share(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> float:
    """Per cent of the photographs with the live verdict of this row."""
    total = sum(int(other["frames"]) for other in rows if other["live"] == row["live"])
    return round(100 * int(row["frames"]) / total, 1) if total else 0.0
