"""`uncia deployments`: load, list and remove deployments."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import typer
from rich.table import Column, Table

from uncia.camtrap.names import camera_matches, canonical_camera, canonical_name
from uncia.camtrap.sensitivity import public_position, strictest
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged, FormerSensitivity, Sensitivity
from uncia.producers.deployments.rows import OVERRIDES, ColumnNames, RowDefaults, parse_utc_offset
from uncia.producers.deployments.sheet import DeploymentSheet, RowProblem, check_overlaps_with, read_sheet
from uncia.producers.deployments.topic import (
    changed_deployments,
    known_deployments,
    publish_deployments,
    publish_removal,
)
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(
    help="Load, list and remove deployments: positions, periods and settings of cameras (Camtrap DP).",
    no_args_is_help=True,
)

_JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command()
def load(
    file: Path = typer.Argument(help="Path of a Camtrap DP 1.0 `deployments.csv`."),
    station_column: str = typer.Option(None, help="Column with station names. Default: locationID, else locationName."),
    camera_column: str = typer.Option(None, help="Column with camera names. Default: cameraID, else deploymentID."),
    utc_offset: str = typer.Option(
        None,
        help="UTC offset of the cameras' clocks (`+05:45`). Default: column utcOffset, else that of deploymentStart.",
    ),
    coordinate_sensitivity: Sensitivity = typer.Option(
        None,
        metavar="LEVEL",
        help="Sensitivity of positions for rows that state none: none, low, medium, high, extreme. Default: extreme.",
    ),
    sensitivity: FormerSensitivity = typer.Option(
        None,
        hidden=True,
        metavar="LEVEL",
        help="The same in the words of before: low 0.01 degrees, medium 0.1, high withheld.",
    ),
    skip_bad: bool = typer.Option(False, "--skip-bad", help="Publish the valid rows even if others have errors."),
    check: bool = typer.Option(
        False, "--check", help="Check the file without publishing anything; works without Kafka."
    ),
    as_json: bool = _JSON,
) -> None:
    """Publish the deployments in a table. If a row has an error, list the errors and publish nothing."""
    columns = ColumnNames(
        (station_column,) if station_column else ColumnNames.station,
        (camera_column,) if camera_column else ColumnNames.camera,
    )
    sheet = read_sheet(
        _read(file), columns, RowDefaults(_default_level(coordinate_sensitivity, sensitivity), _offset(utc_offset))
    )
    known = {} if check else known_deployments(settings())
    check_overlaps_with(sheet, known.values())
    refused = bool(sheet.problems) and not skip_bad
    new = [] if check or refused else changed_deployments(sheet.deployments.values(), known)
    publish_deployments(settings(), new)
    unchanged = 0 if check or refused else len(sheet.deployments) - len(new)
    if as_json:
        echo_json(_summary(sheet, len(new), unchanged))
    else:
        for problem in sheet.problems:
            echo(_line(problem))
        for deployment in sheet.deployments.values():
            for hint in _hints_about_other_cameras(deployment, known.values()):
                echo(hint)
        echo(
            f"rows={sheet.rows} good={len(sheet.deployments)} published={len(new)} unchanged={unchanged} "
            f"problems={len(sheet.problems)}"
        )
    if refused:
        raise UnciaError(
            f"{file} has {len(sheet.problems)} problems; nothing was published. Correct the lines, "
            "or load the others with --skip-bad"
        )


@app.command("list")
def list_deployments(
    camera: str = typer.Option(
        None, help="List only this camera (`<station>/<camera>`) or this station. Default: all."
    ),
    exact: bool = typer.Option(False, "--exact", help="Show exact positions, which are secret."),
    as_json: bool = _JSON,
) -> None:
    """List the loaded deployments, with positions rounded according to their sensitivity."""
    known = sorted(known_deployments(settings()).values(), key=lambda deployment: (deployment.camera, deployment.start))
    shown = [deployment for deployment in known if camera_matches(camera or "", deployment.camera)]
    if as_json:
        echo_json([_to_json_object(deployment, exact) for deployment in shown])
        return
    if not shown:
        echo("no deployments; `uncia deployments load deployments.csv` loads them")
        return
    headings = ("camera", "deployment", "from", "until", "clock", "position", "sensitivity", "overrides")
    table = Table(*(Column(heading, overflow="fold") for heading in headings))
    for deployment in shown:
        table.add_row(
            deployment.camera,
            deployment.deployment_id,
            f"{deployment.start:%Y-%m-%d %H:%M %z}",
            f"{deployment.end:%Y-%m-%d %H:%M %z}" if deployment.end else "open",
            f"{deployment.zone}",
            _position(deployment, exact),
            deployment.level,
            ", ".join(
                f"{column} {getattr(deployment, name):g}"
                for column, name in OVERRIDES.items()
                if getattr(deployment, name)
            ),
        )
    # A pipe has no width.
    plain_console(width=None if sys.stdout.isatty() else 200).print(table)


@app.command()
def remove(
    camera: str = typer.Argument(help="Camera of the deployment: `<station>/<camera>`."),
    deployment: str = typer.Argument(help="deploymentID of the deployment."),
) -> None:
    """Remove a deployment that was loaded by mistake."""
    config = settings()
    wanted = canonical_camera(camera), canonical_name(deployment)
    loaded = known_deployments(config).values()
    found = [one for one in loaded if (canonical_camera(one.camera), canonical_name(one.deployment_id)) == wanted]
    if not found:
        raise UnciaError(f"{camera} has no deployment {deployment!r}: `uncia deployments list` lists them")
    for one in found:
        publish_removal(config, one.camera, one.deployment_id)
    echo(f"removed {deployment} of {camera}")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnciaError(f"{file} cannot be read: {error.strerror}") from error


def _offset(text: str | None) -> int | None:
    try:
        return None if text is None else parse_utc_offset(text)
    except ValueError as error:
        raise UnciaError(f"--utc-offset {error}") from error


def _default_level(stated: Sensitivity | None, former: FormerSensitivity | None) -> Sensitivity:
    levels = ([stated] if stated else []) + ([former.level] if former else [])
    return strictest(levels, Sensitivity.EXTREME)


def _line(problem: RowProblem) -> str:
    return f"line {problem.line} ({problem.deployment_id or 'no deploymentID'}): {problem.sentence}"


def _summary(sheet: DeploymentSheet, published: int, unchanged: int) -> dict[str, Any]:
    return {
        "rows": sheet.rows,
        "good": len(sheet.deployments),
        "published": published,
        "unchanged": unchanged,
        "problems": [dataclasses.asdict(problem) for problem in sheet.problems],
    }


def _hints_about_other_cameras(deployment: DeploymentChanged, known: Any) -> list[str]:
    """Hints about deployments with the same id: the camera of a row was corrected, or another project uses the id."""
    return [
        f"note: a deployment {old.deployment_id!r} of {old.camera} exists too; if {deployment.camera} is the "
        f"right camera, run: uncia deployments remove {old.camera!r} {old.deployment_id!r}"
        for old in known
        if old.deployment_id == deployment.deployment_id and old.camera != deployment.camera
    ]


def _to_json_object(deployment: DeploymentChanged, exact: bool) -> dict[str, Any]:
    body = deployment.model_dump(mode="json", exclude_none=True)
    if not exact:
        place = public_position(deployment)
        body.pop("coordinate_uncertainty_m", None)
        body |= {"latitude": place and place.latitude, "longitude": place and place.longitude}
        if place and place.uncertainty_m is not None:
            body["coordinate_uncertainty_m"] = place.uncertainty_m
    return body


def _position(deployment: DeploymentChanged, exact: bool) -> str:
    place = public_position(deployment, exact=exact)
    return "withheld" if place is None else f"{place.latitude}, {place.longitude}"
