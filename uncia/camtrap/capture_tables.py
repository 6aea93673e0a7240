"""Files of capture histories for programs of spatial capture-recapture, as text by name. Pure.

- `secr` (Efford): `captures.txt` and `traps.txt`, as `read.capthist(..., fmt="trapID", binary.usage=FALSE)` reads them;
- `oscr` (Sutherland, Royle, Linden): `edf.csv` and `tdf.csv`, as `data2oscr` takes them;
- `camtrapr` (Niedballa et al.): `records.csv` and `stations.csv`, as `spatialDetectionHistory` takes them;
- `counts`: minimum number alive, moves between stations, and individuals that stations share.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from uncia.camtrap.capture_histories import (
    Capture,
    Detector,
    Occasions,
    captures_of,
    minimum_alive,
    moves_of,
    planar,
    shared_individuals,
)
from uncia.camtrap.csv_cells import escape_formula
from uncia.camtrap.individuals import Individual

__all__ = ["CaptureFormat", "capture_tables"]


class CaptureFormat(StrEnum):
    """Formats of capture histories."""

    SECR = "secr"
    OSCR = "oscr"
    CAMTRAPR = "camtrapr"
    COUNTS = "counts"


def capture_tables(
    kind: CaptureFormat, individuals: Sequence[Individual], detectors: Sequence[Detector], occasions: Occasions
) -> tuple[dict[str, str], int]:
    """The files by name, and the number of sightings that are left out: outside the survey, or of other stations."""
    captures, left_out = captures_of(individuals, occasions, [each.station for each in detectors])
    places = {each.station: (each.latitude, each.longitude) for each in detectors}
    system, plane = planar(places)
    if kind is CaptureFormat.SECR:
        return _secr(captures, detectors, occasions, plane, system), left_out
    if kind is CaptureFormat.OSCR:
        return _oscr(captures, detectors, occasions, plane), left_out
    if kind is CaptureFormat.CAMTRAPR:
        return _camtrapr(captures, detectors, plane), left_out
    return _counts(individuals, places), left_out


def _secr(
    captures: Sequence[Capture],
    detectors: Sequence[Detector],
    occasions: Occasions,
    plane: Mapping[str, tuple[float, float]],
    system: str,
) -> dict[str, str]:
    words = _words([each.individual for each in captures] + [each.station for each in detectors])
    rows = [
        f"# {occasions.count} occasions of {occasions.days} days from {occasions.first_day}",
        "# Session ID Occasion Detector",
    ]
    for each in captures:
        # secr counts the rows of a detector of the type `count`.
        rows += [f"1 {words[each.individual]} {each.occasion} {words[each.station]}"] * each.count
    traps = [f"# Detector X Y / days of operation in each occasion; metres, {system}"]
    for one in detectors:
        x, y = plane[one.station]
        usage = " ".join(map(str, one.usage(occasions)))
        traps.append(f"{words[one.station]} {x:.1f} {y:.1f} / {usage}")
    return {"captures.txt": "\n".join(rows) + "\n", "traps.txt": "\n".join(traps) + "\n"}


def _oscr(
    captures: Sequence[Capture],
    detectors: Sequence[Detector],
    occasions: Occasions,
    plane: Mapping[str, tuple[float, float]],
) -> dict[str, str]:
    words = _words([each.individual for each in captures] + [each.station for each in detectors])
    found = (
        (1, words[each.individual], each.occasion, words[each.station]) for each in captures for _ in range(each.count)
    )
    traps = (
        (
            words[one.station],
            *(f"{value:.1f}" for value in plane[one.station]),
            *(min(1, days) for days in one.usage(occasions)),
        )
        for one in detectors
    )
    columns = [str(number) for number in range(1, occasions.count + 1)]
    return {
        "edf.csv": _csv(["session", "individual", "occasion", "trap"], found),
        "tdf.csv": _csv(["trap", "X", "Y", *columns], traps),
    }


def _camtrapr(
    captures: Sequence[Capture], detectors: Sequence[Detector], plane: Mapping[str, tuple[float, float]]
) -> dict[str, str]:
    records = sorted(
        (each.station, each.taxon, each.individual, f"{time:%Y-%m-%d %H:%M:%S}")
        for each in captures
        for time in each.times
    )
    stations = []
    for one in detectors:
        first = min(begin for begin, _ in one.periods)
        ends = [end for _, end in one.periods]
        last = None if None in ends else max(end for end in ends if end)
        stations.append((one.station, *(f"{value:.1f}" for value in plane[one.station]), first, last or ""))
    return {
        "records.csv": _csv(["Station", "Species", "Individual", "DateTimeOriginal"], records),
        "stations.csv": _csv(["Station", "utm_x", "utm_y", "Setup_date", "Retrieval_date"], stations),
    }


def _counts(individuals: Sequence[Individual], places: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    alive = ((each.period, each.seen, each.minimum_alive) for each in minimum_alive(individuals))
    moves = (
        (
            each.individual,
            each.source,
            each.target,
            each.left_at.isoformat(),
            each.arrived_at.isoformat(),
            "" if each.metres is None else f"{each.metres / 1000:.1f}",
        )
        for each in moves_of(individuals, places)
    )
    shared = (
        (each.station, each.other, each.individuals, each.other_individuals, each.shared, f"{each.turnover:.3f}")
        for each in shared_individuals(individuals)
    )
    return {
        "alive.csv": _csv(["month", "seen", "minimum_alive"], alive),
        "moves.csv": _csv(["individual", "from", "to", "left_at", "arrived_at", "km"], moves),
        "turnover.csv": _csv(["station", "other", "individuals", "other_individuals", "shared", "turnover"], shared),
    }


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([escape_formula(cell) for cell in row] for row in rows)
    return file.getvalue()


def _words(names: Iterable[str]) -> dict[str, str]:
    """Each name as one word for tables that are separated by blanks; different names stay different."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        base = word = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII) or "_"
        number = 1
        while word in taken:
            number += 1
            word = f"{base}_{number}"
        taken.add(word)
        found[name] = word
    return found
