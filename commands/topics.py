"""`uncia topics`: create and list topics, write their documentation."""

from pathlib import Path

import typer
from rich.padding import Padding
from rich.text import Text

from uncia.kafka.broker import create_topics, existing_topics
from uncia.reference import events_page as topics_docs
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.topics import TOPICS

app = typer.Typer(help="Create and list the topics; write their documentation.", no_args_is_help=True)


@app.command()
def create(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Create the topics that are missing. Existing ones are left as they are."""
    created = create_topics(settings())
    if as_json:
        echo_json(created)
        return
    for name, new in created.items():
        echo(f"{'created' if new else 'exists '}  {name}")


@app.command("list")
def list_topics(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List the topics of the registry and whether the broker has them."""
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
            ("written by", ", ".join(topic.writers)),
            ("read by", ", ".join(topic.readers)),
        ):
            console.print(Padding(Text(f"{what + ':':11} {text}"), (0, 0, 0, 2)))


@app.command()
def docs(
    folder: Path = typer.Option(Path("docs"), help="Where events.md and asyncapi.json go."),
    check: bool = typer.Option(False, help="Write nothing; exit with status 1 when they are out of date."),
) -> None:
    """Write the events page and the AsyncAPI document from the registry."""
    stale = [path for path, text in topics_docs.render(folder).items() if _differs(path, text)]
    if check:
        for path in stale:
            echo(f"out of date: {path}; `uncia topics docs` writes it anew", err=True)
        raise typer.Exit(1 if stale else 0)
    for path, text in topics_docs.render(folder).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text
