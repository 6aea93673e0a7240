"""The pages can be read on a phone, on paper, and by people with weak eyesight."""

import re
from pathlib import Path

import pytest

from tests.paths import ROOT

TEMPLATES = sorted(ROOT.glob("dashboard/*/*.html.j2")) + sorted(ROOT.glob("training/*/*.html.j2"))
WITH_COLOURS = [path for path in TEMPLATES if ":root" in path.read_text(encoding="utf-8")]
TEXT_COLOURS = ("text", "soft", "focus", "sure", "unsure", "bad")
MINIMUM_CONTRAST = 4.5
"""WCAG 2.2, level AA."""


def luminance(colour: str) -> float:
    """Relative luminance of `#rgb` or `#rrggbb`, as WCAG defines it."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_all_templates_are_found() -> None:
    assert len(TEMPLATES) >= 6
    assert len(WITH_COLOURS) == 2


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_table_scrolls_and_every_picture_has_an_alternative_text(path: Path) -> None:
    template = path.read_text(encoding="utf-8")
    assert template.count("<table") == len(re.findall(r'<div class="scroll" tabindex="0"><table[^>]*>', template))
    assert template.count("</table>") == template.count("</table></div>")
    assert template.count("<img ") == len(re.findall(r'<img src="[^"]*" alt="[^"]+"', template))


@pytest.mark.parametrize("path", WITH_COLOURS, ids=lambda path: path.name)
def test_text_is_legible_on_screen_and_on_paper(path: Path) -> None:
    palettes = re.findall(r":root \{([^}]*)\}", path.read_text(encoding="utf-8"))
    assert len(palettes) == 2
    for palette in palettes:
        colours: dict[str, str] = dict(re.findall(r"--(\w+):(#\w+)", palette))
        for name in TEXT_COLOURS:
            for ground in ("ground", "panel"):
                assert contrast(colours.get(name, colours["text"]), colours[ground]) >= MINIMUM_CONTRAST, (name, ground)
