"""The tables about the sessioniser and about the two lanes. Pure."""

from collections.abc import Mapping

Results = Mapping[str, str | int | float]

_WHEN = {
    "alone": "alone",
    "uploaded": "while the card is uploaded",
    "announced": "while the rest of it is announced, all at once",
    "waiting": "while it waits to be answered",
}


def sessioniser(results: Results) -> str:
    """Frames a second, and how fast a table is there again; empty where it was not measured."""
    if "bursts_pure_frames_per_s" not in results:
        return ""
    rows = [
        ("frames into bursts, in one process", f"{results['bursts_pure_frames_per_s']} frames/s"),
        (
            "the same from bytes, with every record encoded",
            f"{results['bursts_pure_with_bytes_frames_per_s']} frames/s",
        ),
        ("the worker on Faust and Kafka", f"{results['bursts_faust_frames_per_s']} frames/s"),
        ("CPU of the worker", f"{results['bursts_faust_cpu_ms_per_frame']} ms a frame"),
        ("start with a table of 24 cameras", f"{results['bursts_start_small_table_s']} s"),
        (
            f"start with a table of {results['bursts_table_cameras']} cameras",
            f"{results['bursts_start_full_table_s']} s",
        ),
        ("`kill -9` to the next verdict, with that table", f"{results['bursts_kill_to_verdict_full_table_s']} s"),
    ]
    lines = ["| bursts |  |", "| --- | ---: |", *(f"| {name} | {value} |" for name, value in rows)]
    said = (
        f"\n{results['bursts_faust_frames']} frames of {results['bursts_prediction_bytes']} bytes, bursts of ten from "
        f"24 cameras; other programs took {float(results['bursts_faust_others_share']):.0%} of the machine meanwhile. "
        f"{results['bursts_changelog_messages']} messages were written to the changelog before the last start.\n"
    )
    return "### The sessioniser\n\n" + "\n".join(lines) + "\n" + said


def lanes(results: Results) -> str:
    """What live photographs wait beside a backlog; empty where it was not measured."""
    if "lanes_old" not in results:
        return ""
    lines = [
        "|  | photographs | p50 | p95 | p99 | verdict p95 | added at p95 | other programs |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, label in _WHEN.items():
        if f"lanes_{name}_photographs" not in results:
            continue
        marks = ("predicted_p50", "predicted_p95", "predicted_p99", "verdict_p95", "added_p95")
        cells = [f"{float(results[f'lanes_{name}_{mark}_ms']):,.0f} ms" for mark in marks]
        others = f"{float(results[f'lanes_{name}_others_share_of_machine']):.0%}"
        lines.append(f"| {' | '.join([label, str(results[f'lanes_{name}_photographs']), *cells, others])} |")
    told = (
        f"\n{results['lanes_old']} old photographs, {results['lanes_stored']} of them uploaded (at "
        f"{results['lanes_uploaded_per_s']} a second), the others announcements of these over again; "
        f"{results['lanes_answered_per_s']} answers a second, {results['lanes_left_at_the_end']} left at the end. "
        f"Model: {results['lanes_model']}."
    )
    if float(results["lanes_left_at_the_end"]) <= 0:
        told += " **The backlog ended before the measurement did: the last row is none.**"
    if "lanes_announced_per_s" in results:
        told += (
            f" Intake read {results['lanes_announced_per_s']} notifications a second, for "
            f"{results['lanes_intake_cpu_ms']} ms of CPU each."
        )
    return "### Live beside backfill\n\n" + "\n".join(lines) + "\n" + told + "\n"
