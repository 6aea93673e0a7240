"""A whole `deployments.csv`: its rows, what is wrong with them, and which of them contradict each other."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from uncia.camtrap.camtrap_dp import identify_table
from uncia.camtrap.table_reader import table_of
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged
from uncia.producers.deployments.rows import Columns, Defaults, read_row

_FAR, _NEAR = 20.0, 5.0
"""Degrees."""

REQUIRED = ("deploymentID", "latitude", "longitude", "deploymentStart")


@dataclass(frozen=True)
class Problem:
    """What is wrong with the row that begins in this line of the file (the header is line 1)."""

    line: int
    deployment_id: str
    sentence: str


@dataclass
class Sheet:
    """What was read: the good deployments by line, and the problems in the order of the lines."""

    deployments: dict[int, DeploymentChanged] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    rows: int = 0


def read_sheet(raw: bytes, columns: Columns, defaults: Defaults) -> Sheet:
    """Read and check the file alone. Raises `UnciaError` where it is no such table at all."""
    sheet = Sheet()
    table = table_of(raw, strict=True)
    _check(table.header, columns)
    for row in table:
        sheet.rows += 1
        # Where cells are not under their headings, what they seem to say would only mislead, or tell a position.
        if row.surplus:
            count = len(table.header)
            wrong = f"has {count + row.surplus} cells under {count} headings: is one with a separator in it not quoted?"
            deployment, problems = None, [wrong]
        else:
            deployment, problems = read_row(row.cells, columns, defaults, decimal_comma=table.form.decimal_comma)
        sheet.problems += [Problem(row.line, row.cells.get("deploymentID", ""), problem) for problem in problems]
        if deployment is not None:
            sheet.deployments[row.line] = deployment
    _take_out(sheet, [*_repeated(sheet.deployments), *_overlaps(sheet.deployments), *_exchanged(sheet.deployments)])
    return sheet


def check_against(sheet: Sheet, known: Iterable[DeploymentChanged]) -> None:
    """Take out what overlaps a deployment that was loaded before and is not in this file."""
    own = {deployment.message_key for deployment in sheet.deployments.values()}
    by_camera = defaultdict(list)
    for deployment in known:
        if deployment.message_key not in own:
            by_camera[deployment.camera].append(deployment)
    found = [
        Problem(
            line,
            new.deployment_id,
            f"overlaps the deployment {old.deployment_id!r} of the same camera {new.camera}, which was loaded before: "
            f"one camera stands in one place; `uncia deployments remove` takes a wrong one out",
        )
        for line, new in sheet.deployments.items()
        for old in by_camera[new.camera]
        if _overlap(new, old)
    ]
    _take_out(sheet, found)


def _take_out(sheet: Sheet, found: list[Problem]) -> None:
    for problem in found:
        sheet.deployments.pop(problem.line, None)
    sheet.problems = sorted([*sheet.problems, *found], key=lambda each: each.line)


def _repeated(deployments: dict[int, DeploymentChanged]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for line, deployment in deployments.items():
        before = first.setdefault(deployment.deployment_id, line)
        if before != line:
            yield Problem(line, deployment.deployment_id, f"its deploymentID stands in line {before} already")


def _overlaps(deployments: dict[int, DeploymentChanged]) -> Iterator[Problem]:
    """Both of two that overlap: nobody knows which one is right."""
    by_camera: dict[str, list[tuple[int, DeploymentChanged]]] = defaultdict(list)
    for line, deployment in deployments.items():
        by_camera[deployment.camera].append((line, deployment))
    for mine in by_camera.values():
        mine.sort(key=lambda each: each[1].start)
        for at, (line, one) in enumerate(mine):
            for other_line, other in mine[at + 1 :]:
                if not _overlap(one, other):
                    break  # sorted by start: nor does any after it
                if one.deployment_id == other.deployment_id:
                    continue  # the same row twice, which was said
                for here, there in ((line, other_line), (other_line, line)):
                    yield Problem(
                        here,
                        deployments[here].deployment_id,
                        f"overlaps line {there} ({deployments[there].deployment_id!r}), a deployment of the same "
                        f"camera {one.camera}: one camera stands in one place",
                    )


def _exchanged(deployments: dict[int, DeploymentChanged]) -> Iterator[Problem]:
    """A position that is far from all the others, and among them with latitude and longitude exchanged."""
    if len(deployments) < 3:
        return
    middle = (
        statistics.median(each.latitude for each in deployments.values()),
        statistics.median(each.longitude for each in deployments.values()),
    )
    for line, each in deployments.items():
        if (
            _apart((each.latitude, each.longitude), middle) > _FAR
            and _apart((each.longitude, each.latitude), middle) < _NEAR
        ):
            yield Problem(
                line,
                each.deployment_id,
                "is far from all others in the table, and would be among them with latitude and longitude exchanged",
            )


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _overlap(one: DeploymentChanged, other: DeploymentChanged) -> bool:
    return (other.end is None or one.start < other.end) and (one.end is None or other.start < one.end)


def _check(header: list[str], columns: Columns) -> None:
    missing = [name for name in REQUIRED if name not in header]
    for names in (columns.station, columns.camera):
        if not set(names) & set(header):
            missing.append(" or ".join(names))
    if missing:
        kind = identify_table(header)
        raise UnciaError(
            (f"this is {kind}, which is not read: " if kind else "")
            + f"the table lacks {', '.join(missing)}: a Camtrap DP `deployments.csv` is expected; "
            "--station-column and --camera-column choose other columns"
        )
