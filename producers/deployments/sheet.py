"""A whole `deployments.csv`: its rows, what is wrong with them, and which of them contradict each other."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from producers.deployments.rows import Columns, Defaults, read_row
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged

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
    for line, cells, wrong in _rows(raw, columns):
        sheet.rows += 1
        # Where cells are not under their headings, what they seem to say would only mislead, or tell a position.
        deployment, wrong = (None, wrong) if wrong else read_row(cells, columns, defaults)
        sheet.problems += [Problem(line, cells.get("deploymentID", ""), each) for each in wrong]
        if deployment is not None:
            sheet.deployments[line] = deployment
    _take_out(sheet, [*_repeated(sheet.deployments), *_overlaps(sheet.deployments)])
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


def _overlap(one: DeploymentChanged, other: DeploymentChanged) -> bool:
    return (other.end is None or one.start < other.end) and (one.end is None or other.start < one.end)


def _rows(raw: bytes, columns: Columns) -> Iterator[tuple[int, dict[str, str], list[str]]]:
    """Line, cells by column, and what is wrong with the row's form."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UnciaError(f"line {line} is not UTF-8: save the table as CSV in UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check(header, columns)
        while True:
            line = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if not any(cell.strip() for cell in cells):
                continue
            wrong = []
            if len(cells) > len(header):
                wrong = [f"has {len(cells)} cells under {len(header)} headings: is a cell with a comma not quoted?"]
            yield line, dict(zip(header, cells, strict=False)), wrong
    except csv.Error as error:
        raise UnciaError(f"line {reader.line_num} is no CSV: {error}") from error


def _check(header: list[str], columns: Columns) -> None:
    if len(header) == 1 and ";" in header[0]:
        raise UnciaError("the columns are divided by semicolons: save the table with commas, as Camtrap DP has it")
    missing = [name for name in REQUIRED if name not in header]
    for names in (columns.station, columns.camera):
        if not set(names) & set(header):
            missing.append(" or ".join(names))
    if missing:
        raise UnciaError(
            f"the table lacks {', '.join(missing)}: a Camtrap DP `deployments.csv` is expected; "
            "--station-column and --camera-column choose other columns"
        )
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise UnciaError(f"the table has the column {', '.join(sorted(twice))} more than once")
