"""Predict's shadow: live's uploads of both lanes in, answers of another version out, onto topics of its own.

It runs in a namespace that is named after the version (`uncia.serving.shadows`), reads the uploads of the namespace
that it shadows, in a group of its own, and gives way to live as backfill does.
"""

import os

from uncia.errors import SettingsError
from uncia.events import Lane
from uncia.processors.faust_runtime.app import WorkerApp
from uncia.processors.predict.backfill import NICENESS
from uncia.processors.predict.worker import create_lane
from uncia.serving.shadows import SHADOW_WORKER, live_settings
from uncia.settings import Settings
from uncia.topics import UPLOAD_TOPICS


def create(settings: Settings) -> WorkerApp:
    """The app of a shadow's worker. Lowers the priority of this process."""
    try:
        live = live_settings(settings)
    except ValueError as error:
        raise SettingsError(f"{error}: `uncia models shadow start` runs this worker in one") from error
    os.nice(NICENESS)
    asked = settings.backfill_at_once
    return create_lane(
        settings,
        Lane.BACKFILL,
        at_once=asked + settings.decode_threads,
        asked_at_once=asked,
        name=SHADOW_WORKER,
        uploads=tuple(topic.full_name(live) for topic in UPLOAD_TOPICS),
    )
