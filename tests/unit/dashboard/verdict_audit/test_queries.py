"""The audit of a catalogue, by a count that is written down a second time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.unit.dashboard.catalogue.catalogue_data import newest_burst, sqlite_catalogue, whole_project
from tests.unit.dashboard.catalogue.conftest import *  # noqa: F403
from tests.unit.dashboard.catalogue.conftest import Databases
from tests.unit.dashboard.web.alert_data import fold_events
