"""Renders the figures of `benchmarks.serving` as tables of docs/benchmarks.md. Pure, except for writing the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.markdown_section import replace_section, table

BEGIN, END = "<!-- serving: written by `python -m benchmarks.serving --docs` -->", "<!-- end of serving -->"

_REQUESTS = {
    "no_op_small": "no-op model, 3 bytes",
    "no_op_frame": "no-op model, one frame (430 KB)",
    "real": "`species_classifier`",
}
_IMPORTED = {
    "graph": "ONNX Runtime on the user's graph, input already preprocessed",
    "graph_prepared": "the same, including preprocessing with NumPy",
    "wrapped": "ONNX Runtime on the wrapped graph: preprocessing, graph, softmax",
    "served": "the wrapped graph served by Triton, over gRPC",
}


def tables(results: Mapping[str, str | int | float]) -> str:
    """All tables, as Markdown."""
    lines = [
        table(
            ("sequential requests", "HTTP p50", "p99", "gRPC p50", "p99"),
            [
                [name]
                + [f"{results[f'serving_{key}_{way}_{p}_ms']} ms" for way in ("http", "grpc") for p in ("p50", "p99")]
                for key, name in _REQUESTS.items()
            ],
        ),
        "",
        table(
            ("imported classifier of 224 x 224, one image", "median"),
            [[name, f"{results[f'serving_import_{key}_ms']} ms"] for key, name in _IMPORTED.items()],
        ),
    ]
    figures = {key.removeprefix("serving_"): value for key, value in results.items()}
    lines += [
        "",
        f"A version was installed ({figures['install_s']} s), promoted ({figures['promote_s']} s) and rolled back "
        f"({figures['roll_back_s']} s; each including the start of its command) under the load of four clients: "
        f"{figures['switch_requests']} requests, {figures['switch_by_second']} of them answered by the new version, "
        f"**{figures['switch_failed']} failed**. p99 was {figures['quiet_p99_ms']} ms before, and "
        f"{figures['switch_p99_ms']} ms from the installation on; the slowest request took "
        f"{figures['switch_worst_ms']} ms.",
    ]
    return "\n".join(lines)


def write_table(
    path: Path, results: Mapping[str, str | int | float], machine: Mapping[str, Any], arguments: str
) -> None:
    """Replace the section between the markers. Raises `ValueError` when the markers are missing."""
    intro = (
        f"By `python -m benchmarks.serving {arguments}`, at {machine['commit']}, on {machine['machine_cpu']}, "
        f"{machine['machine_cores']} cores; load average {machine['load']:.1f} before it started."
    )
    path.write_text(replace_section(path, BEGIN, END, f"{intro}\n\n{tables(results)}"), encoding="utf-8")
