"""Renders results as one flat JSON object and as the tables of `docs/benchmarks.md`. Pure, except for writing files."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.markdown_section import replace_section, table
from benchmarks.report_lanes import bursts, lanes

Results = dict[str, str | int | float]

BEGIN, END = "<!-- results: written by `make bench ARGS=--docs` -->", "<!-- end of results -->"

_QUIET = 0.2
"""Largest CPU share of other programs at which rates are still representative."""

_PARTS = {
    "kafka": "Kafka",
    "seaweedfs": "SeaweedFS",
    "triton": "Triton, the server",
    "triton-stub": "Triton's Python process (the model)",
    "triton-stub-species_classifier": "Triton's process of `species_classifier`",
    "triton-stub-animal_detector": "Triton's process of `animal_detector`",
    "triton-keeper": "worker triton-keeper",
    "auditor": "auditor",
    "intake": "worker intake",
    "predict": "worker predict",
    "predict-backfill": "worker predict-backfill",
    "explain": "worker explain",
    "second-look": "worker second-look",
    "crops": "worker crops",
    "clocks": "worker clocks",
    "bursts": "worker bursts",
    "reconcile": "reconcile",
    "supervisord": "supervisord",
    "load-generator": "load generator and subscriber",
    "others": "everything else on the machine",
}


def write_results(path: Path, results: Results) -> None:
    """Write the results as a flat JSON object."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def write_docs(path: Path, results: Results) -> None:
    """Replace the section between the markers. Raises `ValueError` when the markers are missing."""
    path.write_text(replace_section(path, BEGIN, END, tables(results)), encoding="utf-8")


def tables(results: Results) -> str:
    """All tables, as Markdown."""
    blocks = [_machine(results), _speed(results), _latency(results), _stages(results), _cpu(results), _memory(results)]
    blocks += [_startup(results), bursts(results), lanes(results), _profile(results)]
    return "\n".join(block for block in blocks if block)


def _machine(results: Results) -> str:
    lines = [
        f"Measured {results['measured_at']} at {results['commit']} by `{results['command']}` on "
        f"{results['machine_cpu']}, {results['machine_cores']} cores, {results['machine_memory_gb']} GB, "
        f"{results['machine_system']}. Other programs used "
        f"{float(results['others_share_of_machine']):.0%} of the machine meanwhile.",
        "",
        "Versions: " + ", ".join(f"{n.removeprefix('version_')} {v}" for n, v in results.items() if "version_" in n),
    ]
    return "\n".join(lines) + "\n"


def _speed(results: Results) -> str:
    def row(name: str, key: str) -> list[str]:
        rate, least, most = (float(results[f"{key}_images_per_s{end}"]) for end in ("", "_least", "_most"))
        return [name, f"{rate:.1f}", f"{least:.1f} to {most:.1f}", f"{float(results[f'{key}_cpu_ms_per_image']):.1f}"]

    rows = [
        row("(a) classifier alone, one frame per core", "model_batch_1"),
        row("(a) classifier alone, batches of 8 on all cores", "model_batch_8"),
        *([row("(a) detector alone, one frame per core", "detector")] if "detector_images_per_s" in results else []),
        row(f"(b) decoding and models, no stream ({results['in_process_way']})", "in_process"),
        row("(c) PUT to final burst verdict", "end_to_end"),
    ]
    disturbed = float(results["others_share_of_machine"]) > _QUIET
    ratio = (
        f"\n(c)/(b) = {_strong(results['end_to_end_ratio'], not disturbed)} (median of {results['rounds']} interleaved "
        f"rounds, {results['end_to_end_ratio_least']} to {results['end_to_end_ratio_most']}); up to the last "
        f"prediction {results['answers_ratio']}; with (b) measured before the stack was up "
        f"{results['end_to_end_ratio_to_empty_machine']}; by CPU seconds per image "
        f"{_strong(results['end_to_end_cpu_ratio'], disturbed)}.\n"
    )
    if disturbed:
        ratio += (
            "\n**The machine was not quiet**: other programs affected all rates, ratios, latencies and start times; do "
            "not quote them. CPU seconds and memory are valid.\n"
        )
    return "### Throughput\n\n" + _table(("", "images/s", "range", "CPU ms per image"), rows) + ratio


def _strong(value: object, strong: bool) -> str:
    return f"**{value}**" if strong else str(value)


def _latency(results: Results) -> str:
    def row(name: str, kind: str) -> list[str]:
        return [name] + [f"{float(results[f'{kind}_{mark}_ms']):.0f} ms" for mark in ("p50", "p95", "p99", "max")]

    rows = [row("PUT to prediction", "latency"), row("last frame's PUT to final verdict", "verdict_latency")]
    intro = (
        f"At {results['latency_rate_per_s']} images/s, 30 % of (c), for {results['latency_seconds']} s: "
        f"{results['latency_images']} photographs. Latency counts from the time at which the PUT was due.\n\n"
    )
    return "### Latency\n\n" + intro + _table(("", "p50", "p95", "p99", "max"), rows)


def _stages(results: Results) -> str:
    """CPU by stage; empty when not measured."""
    prefix = "stage_cpu_ms_"
    times = {name.removeprefix(prefix): float(value) for name, value in results.items() if name.startswith(prefix)}
    if not times:
        return ""
    rest = times.pop("rest")
    rows = [[name, f"{value:.2f}"] for name, value in sorted(times.items(), key=lambda item: -item[1])]
    rows.append(["the rest: Kafka, store, Triton, transport, bursts", f"{rest:.2f}"])
    note = (
        f"\nCrops: {results['crops_per_image']} boxes per photograph are classified, one by one after the detector.\n"
    )
    if "bursts_movement_ms_per_frame" in results:
        note += (
            f"Within the rest, `bursts` evaluates detections in {results['bursts_detections_ms_per_frame']} ms of CPU "
            f"per frame, {results['bursts_movement_ms_per_frame']} of them for movement.\n"
        )
    return "### CPU by stage\n\n" + _table(("one photograph", "CPU ms"), rows) + note


def _cpu(results: Results) -> str:
    parts = _by_part(results, "cpu_ms_per_image_", lambda value: f"{value:.2f}")
    rows = [[name, cell] for name, cell in parts.items()]
    rows.append(["all of Uncia", f"{float(results['cpu_ms_per_image_total']):.2f}"])
    idle = f"\nThe idle stack uses {float(results['idle_share_of_machine']):.1%} of the machine.\n"
    return "### CPU by process, end to end\n\n" + _table(("", "CPU ms per image"), rows) + idle


def _memory(results: Results) -> str:
    at_start = _by_part(results, "memory_begin_mb_", lambda value: f"{value:.0f}")
    at_end = _by_part(results, "memory_end_mb_", lambda value: f"{value:.0f}")
    rows = [[name, at_start.get(name, ""), cell] for name, cell in at_end.items()]
    header = ["resident MB", "at the start", f"after {results['images_in_all']} photographs"]
    if "soak_images" in results:
        growth = _by_part(results, "soak_growth_mb_per_1000_", lambda value: f"{value:+.2f}")
        rows = [[*row, growth.get(row[0], "")] for row in rows]
        header.append(f"growth per 1,000 of {results['soak_images']}")
    total = f"\nTotal, with shared pages counted once: {float(results['memory_end_total_mb']):.0f} MB.\n"
    return "### Memory\n\n" + _table(header, rows) + total


def _startup(results: Results) -> str:
    cold = _by_part(results, "startup_cold_s_", lambda value: f"{value:.1f} s")
    warm = _by_part(results, "startup_warm_s_", lambda value: f"{value:.1f} s")
    rows = [[name, cell, warm.get(name, "")] for name, cell in cold.items()]
    rows.append(["all", f"{results['startup_cold_s']} s", f"{results['startup_warm_s']} s"])
    header = ("time until ready", "first start", "later start")
    return "### Start\n\n" + _table(header, rows) + f"\nStopping takes {results['stop_s']} s.\n"


def _profile(results: Results) -> str:
    if "profile_part" not in results:
        return ""

    def rows(prefix: str) -> list[list[str]]:
        entries = [str(value).rpartition(" ") for name, value in results.items() if name.startswith(prefix)]
        return [[f"`{function}`", share] for function, _, share in entries]

    title = f"### CPU profile of `{results['profile_part']}`\n\n"
    ours = _table(("innermost function of Uncia", "share"), rows("profile_ours_"))
    return title + ours + "\n" + _table(("running function", "share"), rows("profile_own_"))


def _by_part(
    results: Mapping[str, str | int | float], prefix: str, format_value: Callable[[float], str]
) -> dict[str, str]:
    """Formatted figures with this prefix, by the display name of the part."""
    found = {name.removeprefix(prefix): value for name, value in results.items() if name.startswith(prefix)}
    return {label: format_value(float(found[part])) for part, label in _PARTS.items() if part in found}


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table(header, rows) + "\n"
