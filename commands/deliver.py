"""`uncia deliver`: the service that sends alerts."""

import signal
import threading

from uncia.processors.delivery.worker import deliver as deliver_until_stopped
from uncia.settings import settings
from uncia.telemetry import configure_logging


def deliver() -> None:
    """Send alerts by the channels of UNCIA_CHANNELS until stopped.

    Every alert is in the outbox before the log counts it as read, and stays there until its channel has confirmed it or
    refused it for good (`uncia channels dead`).
    """
    config = settings()
    configure_logging(config, "deliver")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    deliver_until_stopped(config, stop)
