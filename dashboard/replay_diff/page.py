"""Lays a comparison out for the template, and renders it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from uncia.dashboard.contact_sheet.thumbnails import JudgedContent, LoadPicture, Thumbnail
from uncia.terminal import printable_in_html

CHANGES_SHOWN = 100
FRAMES_SHOWN = 12
ROWS_SHOWN = 60

TONES = {
    "relabelled": "focus",
    "reread": "certain",
    "gained": "certain",
    "lost": "unread",
}
"""The others were grouped differently: `uncertain`."""


@dataclass(frozen=True)
class SideView:
    """One burst of one side: its verdict, and from how many frames."""

    verdict: str
    score: str
    facts: str


@dataclass(frozen=True)
class FrameView:
    """One picture, and what each side sees in it."""

    picture: str | None
    missing: str
    """Why there is no picture."""
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
    live: tuple[SideView, ...]
    replay: tuple[SideView, ...]
    frames: tuple[FrameView, ...]
    hidden: int


def render(comparison: Mapping[str, Any], load: LoadPicture) -> str:
    """The page as HTML: no script, no outside address, pictures inside.

    `comparison` is what `uncia replay diff --json` prints.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=printable_in_html,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    changes, confusion = comparison["changes"], comparison["confusion"]
    return environment.get_template("page.html.j2").render(
        title=f"Replay {comparison['replay']}",
        plan=comparison["plan"],
        complete=comparison["complete"],
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        kinds={kind: count for kind, count in comparison["kinds"].items() if count},
        to_promote=comparison["to_promote"],
        held=comparison["held"],
        confusion=[{**row, "share": _share(row, confusion)} for row in confusion[:ROWS_SHOWN]],
        rows_left_out=max(0, len(confusion) - ROWS_SHOWN),
        rejections=comparison["rejections"][:ROWS_SHOWN],
        changes=[view_of(change, load) for change in changes[:CHANGES_SHOWN]],
        changes_left_out=max(0, len(changes) - CHANGES_SHOWN),
    )


def view_of(change: Mapping[str, Any], load: LoadPicture) -> ChangeView:
    """One change. At most `FRAMES_SHOWN` pictures, those first that the sides judge differently."""
    seen = (_frames(change["live"]), _frames(change["replay"]))
    names = sorted({*seen[0], *seen[1]}, key=lambda name: (seen[0].get(name) or seen[1][name])["captured_at"])
    ours = [name for name in names if _top(seen[0].get(name)) != _top(seen[1].get(name))]
    chosen = set([*ours, *(name for name in names if name not in ours)][:FRAMES_SHOWN])
    bursts = change["live"] or change["replay"]
    return ChangeView(
        kind=change["kind"],
        tone=TONES.get(change["kind"], "uncertain"),
        camera=change["camera"],
        when=f"{datetime.fromisoformat(min(burst['started_at'] for burst in bursts)):%d %b %Y %H:%M:%S}",
        held=change["held"],
        live=tuple(_side(burst) for burst in change["live"]),
        replay=tuple(_side(burst) for burst in change["replay"]),
        frames=tuple(
            _frame(change["camera"], seen[0].get(name), seen[1].get(name), load) for name in names if name in chosen
        ),
        hidden=len(names) - len(chosen),
    )


def _frames(bursts: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {frame["upload_id"]: frame for burst in bursts for frame in burst["frames"]}


def _side(burst: Mapping[str, Any]) -> SideView:
    count = f"{len(burst['frames'])} frame{'' if len(burst['frames']) == 1 else 's'}"
    unread = f", {burst['unreadable']} unreadable" if burst.get("unreadable") else ""
    facts = f"{count}{unread} · {', '.join(burst.get('models', ())) or 'no model'} · {burst['rule']}"
    verdict = burst.get("verdict")
    if verdict is None:
        return SideView("nothing could be read", "", facts)
    return SideView(verdict["label"] + ("" if verdict["certain"] else " ?"), f"{verdict['score']:.2f}", facts)


def _frame(
    camera: str, live: Mapping[str, Any] | None, replay: Mapping[str, Any] | None, load: LoadPicture
) -> FrameView:
    shown = live or replay or {}
    picture = _picture(camera, live, replay, load)
    return FrameView(
        picture=picture.url,
        missing=picture.missing,
        caption=f"{datetime.fromisoformat(shown['captured_at']):%H:%M:%S}",
        live=_top(live),
        replay=_top(replay),
        differs=_top(live) != _top(replay),
    )


def _picture(
    camera: str, live: Mapping[str, Any] | None, replay: Mapping[str, Any] | None, load: LoadPicture
) -> Thumbnail:
    """Of what either side has judged; what both have rejected is not opened."""
    sides = [frame for frame in (live, replay) if frame]
    for frame in sides:
        if not frame.get("rejection"):
            named = (str(frame[name]) for name in ("bucket", "key", "upload_id", "image_id"))
            return load(JudgedContent(camera, *named))
    return Thumbnail(None, _top(sides[0]) if sides else "")


def _top(frame: Mapping[str, Any] | None) -> str:
    """What one side sees in a photograph."""
    if frame is None:
        return "not in a burst"
    if frame.get("rejection"):
        return str(frame["rejection"]["reason"])
    top = frame.get("top")
    return str(top["label"]) if top else ""


def _share(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> float:
    """Of the photographs with live's verdict, in per cent."""
    whole = sum(int(other["frames"]) for other in rows if other["live"] == row["live"])
    return round(100 * int(row["frames"]) / whole, 1) if whole else 0.0
