"""Predict's shadow: uploads of both live lanes in, predictions of another model version out, onto topics of its own.

It runs in a namespace that is named after the version (`uncia.serving.shadows`), reads the uploads of the namespace
that it shadows in a group of its own, and has lower priority than live photographs, as backfill has.
"""

import os

from uncia.errors import SettingsError
from uncia.processors.faust_runtime.app import WorkerApp
from uncia.processors.predict.backfill import NICENESS, backfill_options
from uncia.processors.predict.worker import create_lane
from uncia.serving.shadows import SHADOW_WORKER, live_settings
from uncia.settings import Settings
from uncia.topics import UPLOAD_TOPICS


def create(settings: Settings) -> WorkerApp:
    """Create the app of a shadow's worker. Lowers the priority of this process.

    Raises `SettingsError` outside the namespace of a shadow.
    """
    try:
        live = live_settings(settings)
    except ValueError as error:
        raise SettingsError(f"{error}: start this worker with `uncia models shadow start`") from error
    os.nice(NICENESS)
    inputs = tuple(topic.full_name(live) for topic in UPLOAD_TOPICS)
    return create_lane(settings, backfill_options(settings, SHADOW_WORKER, inputs))
