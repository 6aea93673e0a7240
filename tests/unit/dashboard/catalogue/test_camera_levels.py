"""A camera's place is as secret as the most sensitive taxon that was seen there."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert

from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.dashboard.catalogue.sensitivity import camera_levels
from uncia.dashboard.catalogue.tables import ALL_MONTHS, METADATA, burst_months, sound_calls, taxa
from uncia.events import Sensitivity


@pytest.fixture
def connection() -> Iterator[Connection]:
    with create_engine("sqlite://").begin() as opened:
        METADATA.create_all(opened)
        yield opened


def _seen(connection: Connection, camera: str, taxon: str, **changes: Any) -> None:
    kind = {"category": "animal", "status": "final", "reviewed": False, "bursts": 1, **changes}
    connection.execute(insert(burst_months).values(month=ALL_MONTHS, camera=camera, taxon=taxon, **kind))
    connection.execute(insert(taxa).values(taxon=taxon, label=f"{camera} {taxon}", rank=""))


def test_the_strictest_taxon_of_a_camera_applies(connection: Connection) -> None:
    _seen(connection, "ridge/a", "Panthera pardus")
    _seen(connection, "ridge/a", "Panthera uncia")
    _seen(connection, "ridge/b", "Panthera pardus")
    _seen(connection, "ridge/c", "Capra sibirica")
    assert camera_levels(connection, SensitiveTaxa.load()) == {
        "ridge/a": Sensitivity.EXTREME,
        "ridge/b": Sensitivity.HIGH,
    }


def test_a_superseded_burst_says_nothing(connection: Connection) -> None:
    _seen(connection, "ridge/a", "Panthera uncia", status="superseded")
    assert camera_levels(connection, SensitiveTaxa.load()) == {}


def test_a_call_in_a_recording_counts_while_it_is_shown(connection: Connection) -> None:
    common = dict.fromkeys(("recording_id", "upload_id", "rule", "model", "label_set", "settings"), "x")
    heard = {**common, "station": "ridge", "heard_at": datetime(2026, 5, 14, tzinfo=UTC), "version": 1}
    for number, (camera, counted) in enumerate((("ridge/audio-1", True), ("ridge/audio-2", False))):
        row = {**heard, "call_id": str(number), "camera": camera, "taxon": "Panthera uncia", "counted": counted}
        connection.execute(insert(sound_calls).values(**row))
    assert camera_levels(connection, SensitiveTaxa.load()) == {"ridge/audio-1": Sensitivity.EXTREME}
