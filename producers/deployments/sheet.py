"""Reads a `deployments.csv`: its rows, their errors, and contradictions between rows."""

import csv
import io
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from uncia.camtrap import table_format
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged
from uncia.producers.deployments.rows import ColumnNames, RowDefaults, read_row

_OTHER_FORMATS = {
    "a deployments.csv of Wildlife Insights": {"deployment_id", "placename", "start_date"},
    "a station table of camtrapR": {"station", "setup_date", "retrieval_date"},
    "a media.csv of Camtrap DP": {"mediaid", "filepath"},
    "an observations.csv of Camtrap DP": {"observationid", "observationtype"},
}
"""Other tables that are often loaded by mistake, with some of their headings."""

_FAR_DEGREES, _NEAR_DEGREES = 20.0, 5.0
"""A position this far from the median, and this near once exchanged, has latitude and longitude exchanged."""

REQUIRED = ("deploymentID", "latitude", "longitude", "deploymentStart")


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
    form, text = _text(raw)
    for line, cells, errors in _rows(text, form, columns):
        sheet.rows += 1
        # Cells that are not under their headings would produce misleading messages, or reveal a position.
        deployment, errors = (
            (None, errors) if errors else read_row(cells, columns, defaults, decimal_comma=form.decimal_comma)
        )
        sheet.problems += [RowProblem(line, cells.get("deploymentID", ""), sentence) for sentence in errors]
        if deployment is not None:
            sheet.deployments[line] = deployment
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


def _text(raw: bytes) -> tuple[table_format.TableFormat, str]:
    """The format of the table, and its text from the heading on."""
    try:
        text = raw.decode(table_format.detect_encoding(raw))
    except UnicodeDecodeError as error:
        raise UnciaError(table_format.encoding_problem(raw[: error.start].count(b"\n") + 1)) from error
    first, _, rest = text.partition("\n")
    form = table_format.detect_format(first, rest.partition("\n")[0])
    return form, rest if form.skipped_lines else text


def _rows(
    text: str, form: table_format.TableFormat, columns: ColumnNames
) -> Iterator[tuple[int, dict[str, str], list[str]]]:
    """Yields line number, cells by column, and errors of the row as a whole."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=form.separator, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check(header, columns)
        while True:
            line = reader.line_num + 1 + form.skipped_lines
            cells = next(reader, None)
            if cells is None:
                return
            if not any(cell.strip() for cell in cells):
                continue
            errors = []
            if len(cells) > len(header):
                errors = [
                    f"has {len(cells)} cells under {len(header)} headings: is a cell with a separator not quoted?"
                ]
            yield line, dict(zip(header, cells, strict=False)), errors
    except csv.Error as error:
        raise UnciaError(f"line {reader.line_num + form.skipped_lines} is not CSV: {error}") from error


def _check(header: list[str], columns: ColumnNames) -> None:
    missing = [name for name in REQUIRED if name not in header]
    for names in (columns.station, columns.camera):
        if not set(names) & set(header):
            missing.append(" or ".join(names))
    if missing:
        others = next(
            (name for name, some in _OTHER_FORMATS.items() if some <= {heading.lower() for heading in header}), ""
        )
        raise UnciaError(
            (f"this is {others}, which is not supported: " if others else "")
            + f"the table lacks {', '.join(missing)}: a Camtrap DP `deployments.csv` is expected; "
            "--station-column and --camera-column choose other columns"
        )
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise UnciaError(f"the table has the column {', '.join(sorted(twice))} more than once")
