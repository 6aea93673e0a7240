"""Writes what the Helm chart takes from the code: `python -m uncia.infra.kubernetes.generate [--check]`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from uncia.infra.kubernetes.parts import chart_parts
from uncia.reference.generated_files import write_or_check
from uncia.settings import Settings

__all__ = ["generated_files"]

_HEALTH = Path(__file__).parent.parent / "docker" / "triton_health.py"
_HEALTH_ORIGIN = "# Copied from infra/docker/triton_health.py by `python -m uncia.infra.kubernetes.generate`.\n"

app = typer.Typer(add_completion=False)


def generated_files(chart: Path) -> dict[Path, str]:
    """The generated files of the chart with their content."""
    # Not the settings of this process: a namespace in its environment would change the topics.
    settings = Settings.model_construct(namespace="")
    return {
        chart / "files" / "parts.json": json.dumps(chart_parts(settings), indent=1) + "\n",
        chart / "files" / "triton_health.py": _HEALTH_ORIGIN + _HEALTH.read_text(encoding="utf-8"),
    }


@app.command()
def main(
    chart: Annotated[Path, typer.Option(help="Folder of the chart.")] = Path("infra/kubernetes/chart"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with status 1 when out of date.")] = False,
) -> None:
    """Write the files of the chart that follow from the topology."""
    write_or_check(generated_files(chart), check=check, command="python -m uncia.infra.kubernetes.generate")


if __name__ == "__main__":
    app()
