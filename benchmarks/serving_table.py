"""The figures of `benchmarks.serving` as the tables of docs/benchmarks.md. Pure but for writing the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.marked_page import with_results
from benchmarks.report import Results

BEGIN, END = "<!-- serving: written by `python -m benchmarks.serving --docs` -->", "<!-- end of serving -->"

_ASKED = {
    "no_op_small": "a model that does nothing, 3 bytes",
    "no_op_frame": "a model that does nothing, a whole frame (430 KB)",
    "real": "`species_classifier`",
}
_IMPORTED = {
    "graph": "ONNX Runtime on the user's graph, its input ready",
    "graph_prepared": "the same, and preparing the input with numpy",
    "wrapped": "ONNX Runtime on the wrapped graph: preparation, graph, softmax",
    "served": "the wrapped graph by Triton, over gRPC",
}


def tables(results: Results) -> str:
    """Markdown."""
    lines = ["| one request after the other | HTTP p50 | p99 | gRPC p50 | p99 |", "| --- | ---: | ---: | ---: | ---: |"]
    for key, name in _ASKED.items():
        cells = [f"{results[f'serving_{key}_{way}_{p}_ms']} ms" for way in ("http", "grpc") for p in ("p50", "p99")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| an imported classifier of 224 x 224, one picture | median |", "| --- | ---: |"]
    lines += [f"| {name} | {results[f'serving_import_{key}_ms']} ms |" for key, name in _IMPORTED.items()]
    told = {key.removeprefix("serving_"): value for key, value in results.items()}
    lines += [
        "",
        f"A version was installed ({told['install_s']} s), promoted ({told['promote_s']} s) and rolled back "
        f"({told['roll_back_s']} s; each with the start of its command) while four clients asked without a pause: "
        f"{told['switch_requests']} requests, {told['switch_by_second']} of them answered by the new version, "
        f"**{told['switch_failed']} failed**. p99 was {told['quiet_p99_ms']} ms before, and "
        f"{told['switch_p99_ms']} ms from the installation on; the slowest took {told['switch_worst_ms']} ms.",
    ]
    return "\n".join(lines)


def write_table(path: Path, results: Results, machine: Mapping[str, Any], arguments: str) -> None:
    """Replace what stands between the markers. Raises `ValueError` when they are not there."""
    said = (
        f"By `python -m benchmarks.serving {arguments}`, at {machine['commit']}, on {machine['machine_cpu']}, "
        f"{machine['machine_cores']} cores; load average {machine['load']:.1f} when it began, its own not in it."
    )
    path.write_text(with_results(path, BEGIN, END, f"{said}\n\n{tables(results)}"), encoding="utf-8")
