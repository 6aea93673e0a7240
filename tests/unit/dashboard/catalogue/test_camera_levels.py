"""A camera's place is as secret as the most sensitive taxon that was seen there."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert

from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.dashboard.catalogue.sensitivity import camera_levels
from uncia.dashboard.catalogue.tables import ALL_MONTHS, METADATA, burst_months, taxa
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
