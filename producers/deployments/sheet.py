"""Reads a `deployments.csv`: its rows, their errors, and contradictions between rows."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from uncia.camtrap.camtrap_dp import identify_table
from uncia.camtrap.table_reader import table_of
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged
from uncia.producers.deployments.rows import ColumnNames, RowDefaults, read_row

_FAR_DEGREES, _NEAR_DEGREES = 20.0, 5.0
"""A position this far from the median, and this near once exchanged, has latitude and longitude exchanged."""

_REQUIRED = ("deploymentID", "latitude", "longitude", "deploymentStart")


@dataclass(frozen=True)
class RowProblem:
    """An error in the row that begins in this line of the file; the header is line 1."""

    line: int
    deployment_id: str
    sentence: str


@dataclass
class DeploymentSheet:
    """The valid deployments by line, and the problems in the order of lines."""

    deployments: dict[int, DeploymentChanged] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)
    rows: int = 0


def read_sheet(raw: bytes, columns: ColumnNames, defaults: RowDefaults) -> DeploymentSheet:
    """Read and check a table. Raises `UnciaError` where it is not a table of deployments."""
    sheet = DeploymentSheet()
    table = table_of(raw, strict=True)
    _check(table.header, columns)
    for row in table:
        sheet.rows += 1
        deployment: DeploymentChanged | None = None
        if row.surplus:
            # Cells that are not under their headings would produce misleading messages, or reveal a position.
            headings = len(table.header)
            cells = headings + row.surplus
            errors = [f"has {cells} cells under {headings} headings: is a cell with a separator not quoted?"]
        else:
            deployment, errors = read_row(row.cells, columns, defaults, decimal_comma=table.format.decimal_comma)
        sheet.problems += [RowProblem(row.line, row.cells.get("deploymentID", ""), sentence) for sentence in errors]
        if deployment is not None:
            sheet.deployments[row.line] = deployment
    _reject(sheet, [*_repeated(sheet.deployments), *_overlaps(sheet.deployments), *_exchanged(sheet.deployments)])
    return sheet


def check_overlaps_with(sheet: DeploymentSheet, known: Iterable[DeploymentChanged]) -> None:
    """Reject deployments that overlap one that was loaded earlier and is not in this file."""
    own = {deployment.message_key for deployment in sheet.deployments.values()}
    by_camera = defaultdict(list)
    for deployment in known:
        if deployment.message_key not in own:
            by_camera[deployment.camera].append(deployment)
    found = [
        RowProblem(
            line,
            new.deployment_id,
            f"overlaps the deployment {old.deployment_id!r} of the same camera {new.camera}, which was loaded earlier: "
            f"a camera is in one place at a time; `uncia deployments remove` removes a errors one",
        )
        for line, new in sheet.deployments.items()
        for old in by_camera[new.camera]
        if _overlap(new, old)
    ]
    _reject(sheet, found)


def _reject(sheet: DeploymentSheet, found: list[RowProblem]) -> None:
    for problem in found:
        sheet.deployments.pop(problem.line, None)
    sheet.problems = sorted([*sheet.problems, *found], key=lambda problem: problem.line)


def _repeated(deployments: dict[int, DeploymentChanged]) -> Iterator[RowProblem]:
    first: dict[str, int] = {}
    for line, deployment in deployments.items():
        before = first.setdefault(deployment.deployment_id, line)
        if before != line:
            yield RowProblem(line, deployment.deployment_id, f"its deploymentID is also in line {before}")


def _overlaps(deployments: dict[int, DeploymentChanged]) -> Iterator[RowProblem]:
    """Reports both of two deployments that overlap: either may be the errors one."""
    by_camera: dict[str, list[tuple[int, DeploymentChanged]]] = defaultdict(list)
    for line, deployment in deployments.items():
        by_camera[deployment.camera].append((line, deployment))
    for of_camera in by_camera.values():
        of_camera.sort(key=lambda item: item[1].start)
        for index, (line, one) in enumerate(of_camera):
            for other_line, other in of_camera[index + 1 :]:
                if not _overlap(one, other):
                    break  # sorted by start: no later one overlaps either
                if one.deployment_id == other.deployment_id:
                    continue  # a repeated row, which `_repeated` reports
                for here, there in ((line, other_line), (other_line, line)):
                    yield RowProblem(
                        here,
                        deployments[here].deployment_id,
                        f"overlaps line {there} ({deployments[there].deployment_id!r}), a deployment of the same "
                        f"camera {one.camera}: a camera is in one place at a time",
                    )


def _exchanged(deployments: dict[int, DeploymentChanged]) -> Iterator[RowProblem]:
    """Reports positions that are far from the others, and near them with latitude and longitude exchanged."""
    if len(deployments) < 3:
        return
    middle = (
        statistics.median(one.latitude for one in deployments.values()),
        statistics.median(one.longitude for one in deployments.values()),
    )
    for line, deployment in deployments.items():
        if (
            _distance((deployment.latitude, deployment.longitude), middle) > _FAR_DEGREES
            and _distance((deployment.longitude, deployment.latitude), middle) < _NEAR_DEGREES
        ):
            yield RowProblem(
                line,
                deployment.deployment_id,
                "is far from all others in the table, and would be among them with latitude and longitude exchanged",
            )


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _overlap(one: DeploymentChanged, other: DeploymentChanged) -> bool:
    return (other.end is None or one.start < other.end) and (one.end is None or other.start < one.end)


def _check(header: list[str], columns: ColumnNames) -> None:
    missing = [name for name in _REQUIRED if name not in header]
    for names in (columns.station, columns.camera):
        if not set(names) & set(header):
            missing.append(" or ".join(names))
    if missing:
        other = identify_table(header)
        raise UnciaError(
            (f"this is {other}, which is not supported: " if other else "")
            + f"the table lacks {', '.join(missing)}: a Camtrap DP `deployments.csv` is expected; "
            "--station-column and --camera-column choose other columns"
        )
