"""`uncia worker <name>`: run one worker."""

from enum import StrEnum

import typer

from uncia.processors.faust_runtime.worker_process import run
from uncia.settings import settings


class Worker(StrEnum):
    """The workers, one process and one consumer group each."""

    INTAKE = "intake"
    PREDICT = "predict"
    PREDICT_BACKFILL = "predict-backfill"
    PREDICT_SHADOW = "predict-shadow"
    BURSTS = "bursts"
    CLOCKS = "clocks"


def app(name: Worker = typer.Argument(help="Which worker to run.")) -> None:
    """Run one worker until it is stopped."""
    run(name.value, settings())
