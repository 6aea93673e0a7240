"""Keeps the sections of a page whose steps have no stored results, so that one step can be run and written alone."""

import re

SECTIONS = (
    "Data",
    "Training methods",
    "Ablation",
    "Retained classes of the published network",
    "Animal or not",
    "Thresholds",
    "Ensembles",
    "Proposed boxes",
    "Fine-tuned detector",
    "Animal, person, vehicle or blank",
    "Sample photographs",
    "Stages of a verdict",
    "Second looks",
    "Serving",
)
"""All sections in their order."""

_HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
_MEASURED = re.compile(r"Measured: [^.]+\.")


def with_kept_sections(new: str, old: str) -> str:
    """`new` with the sections of `old` that it lacks, and with when these were measured, as `old` says it.

    Both are Markdown: an introduction, then sections that begin with `### `.
    """
    (start, written), (before, present) = _sections(new), _sections(old)
    kept = [title for title in present if title not in written]
    if not kept:
        return new
    titles = sorted({*written, *present}, key=lambda title: SECTIONS.index(title) if title in SECTIONS else -1)
    measured = _MEASURED.findall(before)
    note = f"Kept from an earlier run: {', '.join(title for title in titles if title in kept)}. {' '.join(measured)}"
    return "\n\n".join([start, note.strip(), *((written.get(title) or present[title]) for title in titles)])


def _sections(text: str) -> tuple[str, dict[str, str]]:
    """The introduction, and the sections by title, heading included."""
    places = [match.start() for match in _HEADING.finditer(text)]
    parts = [text[begin:end].strip() for begin, end in zip([0, *places], [*places, len(text)], strict=True)]
    return parts[0], {part.partition("\n")[0].removeprefix("### "): part for part in parts[1:]}
