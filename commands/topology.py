"""`uncia topology`: print the data flow, write its documentation."""

from pathlib import Path

import typer
from rich.padding import Padding
from rich.text import Text

from uncia.reference.generated_files import write_or_check
from uncia.reference.topology_page import mermaid, topology_json, topology_page
from uncia.terminal import echo, echo_json, plain_console
from uncia.topology import PARTS

app = typer.Typer(help="Print the data flow: every part, the topics that it reads and writes.")


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    as_mermaid: bool = typer.Option(False, "--mermaid", help="Print a Mermaid flowchart."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print every worker, service and command with the topics that it reads and writes. Needs no running stack."""
    if context.invoked_subcommand is not None:
        return
    if as_json:
        echo_json(topology_json())
        return
    if as_mermaid:
        echo(mermaid().rstrip("\n"), lines=True)
        return
    console = plain_console(highlight=False)
    for part in PARTS:
        console.print(f"{part.name} ({part.kind.value})", style="bold", soft_wrap=True)
        details = (
            *(("reads", topic.name) for topic in part.reads),
            *(("follows", topic.name) for topic in part.follows),
            *(("writes", topic.name) for topic in part.writes),
            *(("state", topic.name) for topic in part.changelogs),
            ("needs", ", ".join(part.needs)),
            ("scales to", part.scales),
            ("extra", part.extra),
        )
        for label, text in details:
            if text:
                console.print(Padding(Text(f"{label + ':':10} {text}"), (0, 0, 0, 2)))


@app.command()
def docs(
    folder: Path = typer.Option(Path("docs"), help="Folder of topology.md."),
    check: bool = typer.Option(False, "--check", help="Write nothing; exit with status 1 when it is out of date."),
) -> None:
    """Write docs/topology.md, with the diagram, from the topology."""
    write_or_check({folder / "topology.md": topology_page()}, check=check, command="uncia topology docs")
