"""The section of `docs/benchmarks.md` about the other programs."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import spread
from benchmarks.markdown_section import replace_section, table
from benchmarks.rivals.measured_process import Measured

BEGIN = "<!-- rivals: written by `make bench-rivals ARGS=--docs` -->"
END = "<!-- end of rivals -->"

NAMES = {
    "uncia": "Uncia: PUT to final verdict",
    "spark": "SynapseML on Spark: files to Parquet",
    "bytewax": "Bytewax on the same store and Kafka: PUT to the mean",
    "loop": "plain loop, two processes: files to means",
}
_OURS = "uncia"


def tables(measured: Mapping[str, Sequence[Measured]], parts: Mapping[str, float]) -> str:
    """Rates and CPU times, ratios within rounds, and where Uncia's CPU time goes. `measured` has a value per round."""
    rows = []
    for name, runs in measured.items():
        median, least, most = spread([run.images_per_s for run in runs])
        cpu = statistics.median(run.cpu_ms_per_image for run in runs)
        row = [NAMES[name], f"{median:.1f}", f"{least:.1f} to {most:.1f}", f"{cpu:.1f}"]
        if _OURS in measured and name != _OURS:
            row += [f"{value:.2f}" for value in _ratios(measured[_OURS], runs)]
        else:
            row += ["", ""]
        rows.append(row)
    header = ("", "images/s", "range", "CPU ms per image", "Uncia's rate over it", "its CPU time over Uncia's")
    lines = [table(header, rows)]
    if parts:
        ordered = sorted(parts.items(), key=lambda part: -part[1])
        listed = ", ".join(f"{name.removeprefix('triton-stub-')} {ms:.1f}" for name, ms in ordered if ms >= 0.5)
        lines += ["", f"Uncia's CPU milliseconds by process: {listed}."]
    return "\n".join(lines)


def _ratios(ours: Sequence[Measured], theirs: Sequence[Measured]) -> tuple[float, float]:
    """Medians over the rounds: rate over rate, and their CPU time over ours."""
    pairs = list(zip(ours, theirs, strict=True))
    return (
        statistics.median(one.images_per_s / other.images_per_s for one, other in pairs),
        statistics.median(other.cpu_ms_per_image / one.cpu_ms_per_image for one, other in pairs),
    )


def write_table(page: Path, text: str, machine: Mapping[str, Any], rounds: int, photograph_bytes: float) -> None:
    """Replace the section between the markers. Raises `ValueError` when the markers are missing."""
    intro = (
        f"Measured at {machine['commit']} by `make bench-rivals` on {machine['machine_cpu']}, "
        f"{machine['machine_cores']} cores; medians of {rounds} rounds, in which all ran in turns; photographs of "
        f"{photograph_bytes / 1000:.0f} KB; load average {machine['load']:.1f} before."
    )
    page.write_text(replace_section(page, BEGIN, END, f"{intro}\n\n{text}"), encoding="utf-8")
