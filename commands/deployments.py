"""`uncia deployments`: load, list and remove deployments."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import typer
from rich.table import Column, Table

from uncia.camtrap.names import camera_matches, canonical_camera, canonical_name
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged, Sensitivity
from uncia.producers.deployments.rows import OVERRIDES, Columns, Defaults, read_offset
from uncia.producers.deployments.sheet import Problem, Sheet, check_against, read_sheet
from uncia.producers.deployments.topic import changed, known_deployments, publish, take_out
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer(
    help="Load and list deployments: where, when and how cameras stand (Camtrap DP).", no_args_is_help=True
)

_JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command()
def load(
    file: Path = typer.Argument(help="A Camtrap DP 1.0 `deployments.csv`."),
    station_column: str = typer.Option(None, help="Names the station; else locationID, or locationName."),
    camera_column: str = typer.Option(None, help="Names the camera; else cameraID, or deploymentID."),
    utc_offset: str = typer.Option(
        None, help="The zone of the cameras' clocks (`+05:45`); else the column utcOffset, or that of deploymentStart."
    ),
    sensitivity: Sensitivity = typer.Option(
        Sensitivity.HIGH, help="How secret positions are where the column sensitivity says nothing."
    ),
    skip_bad: bool = typer.Option(False, "--skip-bad", help="Publish the good rows though others are bad."),
    check: bool = typer.Option(False, "--check", help="Only check the file; needs no Kafka and publishes nothing."),
    as_json: bool = _JSON,
) -> None:
    """Publish the deployments of a table. When a row is wrong, nothing is published and the lines are named."""
    columns = Columns(
        (station_column,) if station_column else Columns.station, (camera_column,) if camera_column else Columns.camera
    )
    sheet = read_sheet(_bytes(file), columns, Defaults(sensitivity, _offset(utc_offset)))
    known = {} if check else known_deployments(settings())
    check_against(sheet, known.values())
    refused = bool(sheet.problems) and not skip_bad
    new = [] if check or refused else changed(sheet.deployments.values(), known)
    publish(settings(), new)
    unchanged = 0 if check or refused else len(sheet.deployments) - len(new)
    if as_json:
        echo_json(_summary(sheet, len(new), unchanged))
    else:
        for problem in sheet.problems:
            echo(_line(problem))
        for deployment in sheet.deployments.values():
            for hint in _elsewhere(deployment, known.values()):
                echo(hint)
        echo(
            f"rows={sheet.rows} good={len(sheet.deployments)} published={len(new)} unchanged={unchanged} "
            f"problems={len(sheet.problems)}"
        )
    if refused:
        raise UnciaError(
            f"{file} has {len(sheet.problems)} problems; nothing was published. Put the lines right, "
            "or load the others with --skip-bad"
        )


@app.command("list")
def list_deployments(
    camera: str = typer.Option(None, help="Only this camera, `<station>/<camera>`, or this station."),
    exact: bool = typer.Option(False, "--exact", help="Show exact positions. They are a secret: mind who looks on."),
    as_json: bool = _JSON,
) -> None:
    """List what was loaded, positions as coarse as their sensitivity asks."""
    known = sorted(known_deployments(settings()).values(), key=lambda each: (each.camera, each.start))
    shown = [each for each in known if camera_matches(camera or "", each.camera)]
    if as_json:
        echo_json([_told(each, exact) for each in shown])
        return
    if not shown:
        echo("no deployments: `uncia deployments load deployments.csv` brings them")
        return
    headings = ("camera", "deployment", "from", "until", "clock", "position", "sensitivity", "set for it alone")
    table = Table(*(Column(heading, overflow="fold") for heading in headings))
    for each in shown:
        table.add_row(
            each.camera,
            each.deployment_id,
            f"{each.start:%Y-%m-%d %H:%M %z}",
            f"{each.end:%Y-%m-%d %H:%M %z}" if each.end else "still stands",
            f"{each.zone}",
            _position(each, exact),
            each.sensitivity,
            ", ".join(f"{column} {getattr(each, name):g}" for column, name in OVERRIDES.items() if getattr(each, name)),
        )
    # A pipe has no width of its own.
    plain_console(width=None if sys.stdout.isatty() else 200).print(table)


@app.command()
def remove(
    camera: str = typer.Argument(help="`<station>/<camera>`"), deployment: str = typer.Argument(help="Its deploymentID")
) -> None:
    """Take out a deployment that was loaded by mistake."""
    config = settings()
    wanted = canonical_camera(camera), canonical_name(deployment)
    held = known_deployments(config).values()
    found = [each for each in held if (canonical_camera(each.camera), canonical_name(each.deployment_id)) == wanted]
    if not found:
        raise UnciaError(f"{camera} has no deployment {deployment!r}: `uncia deployments list` shows what there is")
    for each in found:
        take_out(config, each.camera, each.deployment_id)
    echo(f"removed {deployment} of {camera}")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnciaError(f"{file} cannot be read: {error.strerror}") from error


def _offset(text: str | None) -> int | None:
    try:
        return None if text is None else read_offset(text)
    except ValueError as error:
        raise UnciaError(f"--utc-offset {error}") from error


def _line(problem: Problem) -> str:
    return f"line {problem.line} ({problem.deployment_id or 'no deploymentID'}): {problem.sentence}"


def _summary(sheet: Sheet, published: int, unchanged: int) -> dict[str, Any]:
    return {
        "rows": sheet.rows,
        "good": len(sheet.deployments),
        "published": published,
        "unchanged": unchanged,
        "problems": [dataclasses.asdict(problem) for problem in sheet.problems],
    }


def _elsewhere(deployment: DeploymentChanged, known: Any) -> list[str]:
    """The same deployment of another camera: a row whose camera was put right, or another project's number."""
    return [
        f"note: a deployment {old.deployment_id!r} of {old.camera} stands there too; if {deployment.camera} is the "
        f"right camera, run: uncia deployments remove {old.camera!r} {old.deployment_id!r}"
        for old in known
        if old.deployment_id == deployment.deployment_id and old.camera != deployment.camera
    ]


def _told(deployment: DeploymentChanged, exact: bool) -> dict[str, Any]:
    body = deployment.model_dump(mode="json", exclude_none=True)
    if not exact:
        latitude, longitude = deployment.public_position() or (None, None)
        body |= {"latitude": latitude, "longitude": longitude}
        if deployment.sensitivity is not Sensitivity.NONE:
            body.pop("coordinate_uncertainty_m", None)
    return body


def _position(deployment: DeploymentChanged, exact: bool) -> str:
    told = (deployment.latitude, deployment.longitude) if exact else deployment.public_position()
    return "withheld" if told is None else f"{told[0]}, {told[1]}"
