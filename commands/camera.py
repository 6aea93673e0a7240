"""`uncia camera`: show what is known of one camera, and clear its static objects."""

from datetime import UTC, datetime

import typer
from kafka.errors import KafkaError
from rich.table import Column, Table
from rich.text import Text

from uncia.camtrap.names import canonical_camera
from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import StaticObject, StaticObjectsChanged, StaticObjectsCleared
from uncia.kafka.broker import read_topics, send_to_cameras
from uncia.settings import Settings, settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.topics import STATIC_OBJECTS_CHANGED, STATIC_OBJECTS_CLEARED

app = typer.Typer(
    help="Show the static objects of a camera (boxes that come back burst after burst), and clear them.",
    no_args_is_help=True,
)

_CAMERA = typer.Argument(help="The camera, `<station>/<camera>`.")


@app.command()
def show(
    camera: str = _CAMERA,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the static objects of a camera, numbered. Boxes at their places are flagged, and count as background."""
    event = static_objects(settings(), camera)
    if as_json:
        echo_json(event.model_dump(mode="json", exclude_none=True) if event else {"camera": camera, "objects": []})
    elif event is None or not event.objects:
        echo(f"{camera} has no static objects")
    else:
        plain_console().print(build_table(event.objects))


@app.command("clear-static")
def clear_static(
    camera: str = _CAMERA,
    box: int = typer.Option(None, min=1, help="Only the object with this number in `uncia camera show`."),
) -> None:
    """Forget the static objects of a camera, or one of them; a box that comes back counts again from 0."""
    event = static_objects(settings(), camera)
    if event is None or not event.objects:
        raise UnciaError(f"{camera} has no static objects to clear")
    if box is not None and box > len(event.objects):
        raise UnciaError(f"{camera} has no static object {box}: `uncia camera show {camera}` numbers them")
    order = StaticObjectsCleared(
        camera=event.camera,
        box=None if box is None else event.objects[box - 1].box,
        cleared_at=datetime.now(UTC),
    )
    try:
        send_to_cameras(settings(), STATIC_OBJECTS_CLEARED, [(order.camera, order.camera.encode(), order.to_bytes())])
    except KafkaError as error:
        raise DependencyDown(
            f"Kafka at {settings().kafka} did not confirm ({type(error).__name__}): run the command again"
        ) from error
    count = len(event.objects) if box is None else 1
    echo(f"sent: the bursts worker forgets {count} static object{'s' if count > 1 else ''} of {event.camera}")


def static_objects(config: Settings, camera: str) -> StaticObjectsChanged | None:
    """The newest event about a camera's static objects; None where there never were any. Skips unreadable events."""
    wanted, newest = canonical_camera(camera), None
    for message in read_topics(config, (STATIC_OBJECTS_CHANGED,), from_beginning=True, until_end=True):
        try:
            event = StaticObjectsChanged.from_bytes(message.value)
        except PermanentError:
            continue
        if canonical_camera(event.camera) == wanted:
            newest = event
    return newest


def build_table(objects: tuple[StaticObject, ...]) -> Table:
    """The table, one row per object; positions and sizes in percent of the photograph."""
    table = Table(
        *(Column(heading, justify="right") for heading in ("box", "left", "top", "width", "height", "bursts"))
    )
    for number, found in enumerate(objects, 1):
        shares = (f"{value:.1%}" for value in found.box)
        table.add_row(*map(Text, (str(number), *shares, f"{found.bursts}+")))
    return table
