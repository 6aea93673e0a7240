"""Renders the tables of the bursts worker and of the two lanes. Pure."""

from collections.abc import Mapping

from benchmarks.markdown_section import table

Results = Mapping[str, str | int | float]

_PHASES = {
    "alone": "without a backlog",
    "uploaded": "while the old photographs are uploaded",
    "announced": "while the rest of them is announced at once",
    "waiting": "while the backlog is processed",
}


def bursts(results: Results) -> str:
    """Throughput of the bursts worker and recovery time of its table; empty when not measured."""
    if "bursts_pure_frames_per_s" not in results:
        return ""
    rows = [
        ("burst engine alone, in one process", f"{results['bursts_pure_frames_per_s']} frames/s"),
        (
            "the same including decoding and state encoding",
            f"{results['bursts_pure_with_bytes_frames_per_s']} frames/s",
        ),
        ("the worker on Faust and Kafka", f"{results['bursts_faust_frames_per_s']} frames/s"),
        ("CPU of the worker", f"{results['bursts_faust_cpu_ms_per_frame']} ms per frame"),
        ("start with a table of 24 cameras", f"{results['bursts_start_small_table_s']} s"),
        (
            f"start with a table of {results['bursts_table_cameras']} cameras",
            f"{results['bursts_start_full_table_s']} s",
        ),
        ("`kill -9` to the next verdict, with that table", f"{results['bursts_kill_to_verdict_full_table_s']} s"),
    ]
    note = (
        f"\n{results['bursts_faust_frames']} frames of {results['bursts_prediction_bytes']} bytes, bursts of ten from "
        f"24 cameras; other programs used {float(results['bursts_faust_others_share']):.0%} of the machine meanwhile. "
        f"{results['bursts_changelog_messages']} messages were in the changelog at the last start.\n"
    )
    return "### Bursts worker\n\n" + table(("bursts", ""), rows) + "\n" + note


def lanes(results: Results) -> str:
    """Latency of live photographs with and without a backlog; empty when not measured."""
    if "lanes_old" not in results:
        return ""
    rows = []
    for name, label in _PHASES.items():
        if f"lanes_{name}_photographs" not in results:
            continue
        marks = ("predicted_p50", "predicted_p95", "predicted_p99", "verdict_p95", "added_p95")
        cells = [f"{float(results[f'lanes_{name}_{mark}_ms']):,.0f} ms" for mark in marks]
        others = f"{float(results[f'lanes_{name}_others_share_of_machine']):.0%}"
        rows.append([label, str(results[f"lanes_{name}_photographs"]), *cells, others])
    header = ("", "photographs", "p50", "p95", "p99", "verdict p95", "added at p95", "other programs")
    note = (
        f"\n{results['lanes_old']} old photographs: {results['lanes_stored']} uploaded (at "
        f"{results['lanes_uploaded_per_s']} per second), the rest repeated announcements of these; "
        f"{results['lanes_answered_per_s']} predictions per second, {results['lanes_left_at_the_end']} left over. "
        f"Model: {results['lanes_model']}."
    )
    if float(results["lanes_left_at_the_end"]) <= 0:
        note += " **The backlog ended before the measurement did, so the last row is invalid.**"
    if "lanes_announced_per_s" in results:
        note += (
            f" Intake processed {results['lanes_announced_per_s']} notifications per second, with "
            f"{results['lanes_intake_cpu_ms']} ms of CPU each."
        )
    return "### Live photographs during a backfill\n\n" + table(header, rows) + "\n" + note + "\n"
