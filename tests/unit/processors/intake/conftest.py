"""Intake with a store that must not receive requests."""

import pytest

from uncia.processors.intake.worker import Intake
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore


@pytest.fixture
def intake() -> Intake:
    """Intake of a bucket `camera-uploads`."""
    settings = Settings(_env_file=None, s3_endpoint="http://store.test", s3_access_key="a", s3_secret_key="b")
    return Intake(settings, ObjectStore(settings, attempts=1))
