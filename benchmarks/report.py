"""Results as one flat object, and as the table in `docs/benchmarks.md`. Pure but for writing the files."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.marked_page import with_results
from benchmarks.report_lanes import lanes, sessioniser

Results = dict[str, str | int | float]

BEGIN, END = "<!-- results: written by `make bench ARGS=--docs` -->", "<!-- end of results -->"

_QUIET = 0.2
"""Above this share of the machine in other programs, rates are theirs as much as ours."""

_PARTS = {
    "kafka": "Kafka",
    "seaweedfs": "SeaweedFS",
    "triton": "Triton, the server",
    "triton-stub": "Triton's Python process (the model)",
    "triton-keeper": "worker triton-keeper",
    "intake": "worker intake",
    "predict": "worker predict",
    "predict-backfill": "worker predict-backfill",
    "clocks": "worker clocks",
    "bursts": "worker bursts",
    "reconcile": "reconcile",
    "supervisord": "supervisord",
    "load-generator": "load generator and subscriber",
    "others": "everything else on the machine",
}


def write_results(path: Path, results: Results) -> None:
    """Write the flat object."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def write_docs(path: Path, results: Results) -> None:
    """Replace what stands between the markers. Raises `ValueError` when they are not there."""
    path.write_text(with_results(path, BEGIN, END, tables(results)), encoding="utf-8")


def tables(results: Results) -> str:
    """All tables, Markdown."""
    blocks = [_machine(results), _speed(results), _latency(results), _cpu(results), _memory(results)]
    blocks += [_startup(results), sessioniser(results), lanes(results), _profile(results)]
    return "\n".join(block for block in blocks if block)


def _machine(results: Results) -> str:
    lines = [
        f"Measured {results['measured_at']} at {results['commit']} by `{results['command']}` on "
        f"{results['machine_cpu']}, {results['machine_cores']} cores, {results['machine_memory_gb']} GB, "
        f"{results['machine_system']}. Other programs took "
        f"{float(results['others_share_of_machine']):.0%} of the machine meanwhile.",
        "",
        "Versions: " + ", ".join(f"{n.removeprefix('version_')} {v}" for n, v in results.items() if "version_" in n),
    ]
    return "\n".join(lines) + "\n"


def _speed(results: Results) -> str:
    def row(name: str, key: str) -> tuple[str, ...]:
        rate, least, most = (float(results[f"{key}_images_per_s{end}"]) for end in ("", "_least", "_most"))
        return name, f"{rate:.1f}", f"{least:.1f} to {most:.1f}", f"{float(results[f'{key}_cpu_ms_per_image']):.1f}"

    rows = [
        row("(a) model alone, a frame on each core", "model_batch_1"),
        row("(a) model alone, batches of 8 on all cores", "model_batch_8"),
        row(f"(b) decode and model, no stream ({results['in_process_way']})", "in_process"),
        row("(c) PUT to final burst verdict", "end_to_end"),
    ]
    disturbed = float(results["others_share_of_machine"]) > _QUIET
    ratio = (
        f"\n(c)/(b) = {_strong(results['end_to_end_ratio'], not disturbed)} (median of {results['rounds']} interleaved "
        f"rounds, {results['end_to_end_ratio_least']} to {results['end_to_end_ratio_most']}); counted to the last "
        f"prediction {results['answers_ratio']}; with (b) measured before the stack was up "
        f"{results['end_to_end_ratio_to_empty_machine']}; by CPU seconds an image "
        f"{_strong(results['end_to_end_cpu_ratio'], disturbed)}.\n"
    )
    if disturbed:
        ratio += (
            "\n**The machine was not quiet**: rates, their quotients, latencies and start-up times above and below are "
            "those of other programs as much as ours, and no figures to quote. CPU seconds and memory are ours.\n"
        )
    return "### Speed\n\n" + _table(("", "images/s", "range", "CPU ms an image"), rows) + ratio


def _strong(value: object, strong: bool) -> str:
    return f"**{value}**" if strong else str(value)


def _latency(results: Results) -> str:
    def cells(kind: str) -> tuple[str, ...]:
        return tuple(f"{float(results[f'{kind}_{mark}_ms']):.0f} ms" for mark in ("p50", "p95", "p99", "max"))

    rows = [("PUT to prediction", *cells("latency")), ("last frame's PUT to final verdict", *cells("verdict_latency"))]
    said = (
        f"At {results['latency_rate_per_s']} images/s, 30 % of (c), for {results['latency_seconds']} s: "
        f"{results['latency_images']} photographs, counted from the moment at which each PUT was due.\n\n"
    )
    return "### Latency\n\n" + said + _table(("", "p50", "p95", "p99", "max"), rows)


def _cpu(results: Results) -> str:
    rows = _by_part(results, "cpu_ms_per_image_", lambda value: f"{value:.2f}")
    rows.append(("all of ours", f"{float(results['cpu_ms_per_image_total']):.2f}"))
    idle = f"\nThe idle stack takes {float(results['idle_share_of_machine']):.1%} of the machine.\n"
    return "### CPU by process, end to end\n\n" + _table(("", "CPU ms an image"), rows) + idle


def _memory(results: Results) -> str:
    begun = dict(_by_part(results, "memory_begin_mb_", lambda value: f"{value:.0f}"))
    rows = [
        [name, begun.get(name, ""), cell]
        for name, cell in _by_part(results, "memory_end_mb_", lambda value: f"{value:.0f}")
    ]
    header = ["resident MB", "at the beginning", f"after {results['images_in_all']} photographs"]
    if "soak_images" in results:
        growth = dict(_by_part(results, "soak_growth_mb_per_1000_", lambda value: f"{value:+.2f}"))
        rows = [[*row, growth.get(row[0], "")] for row in rows]
        header.append(f"growth per 1,000 of {results['soak_images']}")
    total = f"\nAll together, shared pages counted once: {float(results['memory_end_total_mb']):.0f} MB.\n"
    return "### Memory\n\n" + _table(header, rows) + total


def _startup(results: Results) -> str:
    cold = dict(_by_part(results, "startup_cold_s_", lambda value: f"{value:.1f} s"))
    warm = dict(_by_part(results, "startup_warm_s_", lambda value: f"{value:.1f} s"))
    rows = [(name, cell, warm.get(name, "")) for name, cell in cold.items()]
    rows.append(("all", f"{results['startup_cold_s']} s", f"{results['startup_warm_s']} s"))
    header = ("seconds until it answers", "first start", "later start")
    return "### Start\n\n" + _table(header, rows) + f"\nStopping takes {results['stop_s']} s.\n"


def _profile(results: Results) -> str:
    if "profile_part" not in results:
        return ""
    rows = [str(results[name]).rpartition(" ")[::2] for name in results if name.startswith("profile_own_")]
    ours = [str(results[name]).rpartition(" ")[::2] for name in results if name.startswith("profile_ours_")]
    title = f"### Where `{results['profile_part']}` spends its time\n\n"
    return (
        title
        + _table(("innermost function of ours", "share"), [(f"`{n}`", share) for n, share in ours])
        + "\n"
        + _table(("running function", "share"), [(f"`{n}`", share) for n, share in rows])
    )


def _by_part(
    results: Mapping[str, str | int | float], prefix: str, shown: Callable[[float], str]
) -> list[tuple[str, str]]:
    found = {name.removeprefix(prefix): value for name, value in results.items() if name.startswith(prefix)}
    return [(label, shown(float(found[part]))) for part, label in _PARTS.items() if part in found]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---" if place == 0 else "---:" for place in range(len(header))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
