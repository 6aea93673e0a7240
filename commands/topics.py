"""`uncia topics`: create and list the topics, write their documentation, register their schemas."""

from pathlib import Path

import typer
from rich.padding import Padding
from rich.text import Text

from uncia.commands.topics_register import register
from uncia.kafka.broker import create_topics, existing_topics
from uncia.reference import events_page
from uncia.reference.generated_files import write_or_check
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.topics import TOPICS
from uncia.topology import readers, writers

app = typer.Typer(
    help="Create and list the topics; write their documentation; register their schemas.", no_args_is_help=True
)
app.command()(register)


@app.command()
def create(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Create the topics that are missing; existing topics are not changed."""
    created = create_topics(settings())
    if as_json:
        echo_json(created)
        return
    for name, new in created.items():
        echo(f"{'created' if new else 'exists '}  {name}")


@app.command("list")
def list_topics(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List all topics, who writes and reads them, and whether the broker has them."""
    present = existing_topics(settings())
    rows = [(topic, topic.full_name(settings()) in present) for topic in TOPICS]
    if as_json:
        echo_json([{"topic": t.full_name(settings()), "key": t.key, "exists": has} for t, has in rows])
        return
    console = plain_console(highlight=False)
    for topic, has in rows:
        console.print(topic.full_name(settings()), "" if has else "(not on the broker)", style="bold", soft_wrap=True)
        for what, text in (
            ("key", topic.key),
            ("written by", ", ".join(part.name for part in writers(topic))),
            ("read by", ", ".join(part.name for part in readers(topic))),
        ):
            console.print(Padding(Text(f"{what + ':':11} {text}"), (0, 0, 0, 2)))


@app.command()
def docs(
    folder: Path = typer.Option(Path("docs"), help="Folder of events.md and asyncapi.json."),
    check: bool = typer.Option(False, help="Write nothing; exit with status 1 when a file is out of date."),
) -> None:
    """Write docs/events.md and docs/asyncapi.json from the topics, the topology and the event models."""
    write_or_check(events_page.render(folder), check=check, command="uncia topics docs")
