"""What the parts of one gateway run share."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from uncia.producers.gateway.event_reporter import EventReporter
from uncia.producers.gateway.options import GatewayOptions
from uncia.producers.gateway.run_summary import RunSummary
from uncia.producers.gateway.spool import Spool


@dataclass(frozen=True)
class RunContext:
    """Options, spool, reporter, stop event, clock (Unix time) and random numbers; the summary grows during the run."""

    options: GatewayOptions
    spool: Spool
    reporter: EventReporter
    stop: threading.Event
    clock: Callable[[], float]
    rng: random.Random
    summary: RunSummary = field(default_factory=RunSummary)
