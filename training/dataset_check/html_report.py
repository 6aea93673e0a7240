"""The check as a page for people: self-contained, with small pictures of what was found."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.terminal import printable_in_html
from uncia.training.dataset_check.findings import Findings
from uncia.training.datasets.image_decoding import OTHER_FORMATS, load_frame

MOST = 60
"""Of each kind so many are shown with pictures; the rest is counted, and told by `--json`."""

_SHOWN = FrameSpec(width=640, height=480, crop_top=0, crop_bottom=0, window=640)
_THUMBNAIL = (240, 180)


@dataclass(frozen=True)
class Shot:
    """One picture on the page."""

    name: str
    picture: str
    """A data URL; empty where there is none to show."""
    note: str = ""


def render_report(findings: Findings, root: Path) -> str:
    """The page. Names are shown as they lie under `root`."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, finalize=printable_in_html, trim_blocks=True
    )
    shown = _Shown(root)
    doubts = [
        (shown.shot(one.path, f"{one.probability:.0%}, {one.label} {one.own:.0%}"), one)
        for one in findings.doubts[:MOST]
    ]
    groups = [
        ([shown.shot(path) for path in group.paths[:6]], group, len(group.paths) - 6)
        for group in sorted(findings.duplicates, key=lambda group: (not group.contradict, len(group.sides) < 2))[:MOST]
    ]
    return environment.get_template("report.html.j2").render(
        findings=findings,
        largest=max((count.bursts for count in findings.classes), default=1),
        unreadable=[(shown.name(one.path), one) for one in findings.unreadable],
        groups=groups,
        doubts=doubts,
        most=MOST,
    )


class _Shown:
    def __init__(self, root: Path) -> None:
        self._root = root if root.is_dir() else root.parent

    def name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path)

    def shot(self, path: Path, note: str = "") -> Shot:
        return Shot(self.name(path), thumbnail(path), note)


def thumbnail(path: Path) -> str:
    """A small JPEG as a data URL, without the file's EXIF; empty where it cannot be read."""
    try:
        with Image.open(path, formats=("JPEG", *OTHER_FORMATS)) as image:
            wide, high = image.size
        spec = _SHOWN.model_copy(update={"height": max(1, round(_SHOWN.width * high / max(wide, 1)))})
        small = ImageOps.contain(Image.fromarray(np.asarray(load_frame(path, spec))), _THUMBNAIL)
    except (RejectedImage, OSError, ValueError, Image.DecompressionBombError):
        return ""
    out = io.BytesIO()
    small.save(out, "JPEG", quality=70)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def summary(findings: Findings) -> Sequence[tuple[str, int]]:
    """What the page and the terminal say first."""
    return (
        ("unreadable files", len(findings.unreadable)),
        ("groups of copies", len(findings.duplicates)),
        ("copies with contradicting labels", sum(group.contradict for group in findings.duplicates)),
        ("copies on two sides of a split", sum(len(group.sides) > 1 for group in findings.duplicates)),
        ("labels that look wrong", len(findings.doubts)),
    )
