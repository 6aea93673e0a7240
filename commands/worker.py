"""`uncia worker NAME`: run one worker."""

from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from uncia.processors.faust_runtime.worker_process import run
from uncia.settings import settings
from uncia.topology import WORKERS

if TYPE_CHECKING:
    Worker = StrEnum
else:
    # Typer takes the choices from an enumeration; a type checker would want them as literals.
    Worker = StrEnum("Worker", {name: name for name in WORKERS})


def app(name: Worker = typer.Argument(help="The worker to run.")) -> None:
    """Run one worker until it is stopped: one process, which joins the worker's consumer group."""
    run(name.value, settings())
