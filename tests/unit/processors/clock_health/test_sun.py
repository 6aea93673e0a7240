"""The sun's position compared with an almanac."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.processors.clock_health.sun import elevation


def height(moment: datetime, latitude: float, longitude: float) -> float:
    return float(elevation(np.array([moment.timestamp()]), np.array([latitude]), np.array([longitude]))[0])


@pytest.mark.parametrize(
    ("moment", "latitude", "longitude", "expected"),
    [
        # Noon at the solstices: 90 - latitude +- 23.44; the equation of time is -1.8 and +1.9 min there.
        (datetime(2026, 6, 21, 12, 2, tzinfo=UTC), 51.48, 0.0, 61.96),
        (datetime(2026, 12, 21, 11, 58, tzinfo=UTC), 51.48, 0.0, 15.08),
        # Equinox: over the equator at noon, on the horizon six hours later.
        (datetime(2026, 3, 20, 12, 7, tzinfo=UTC), 0.0, 0.0, 89.9),
        (datetime(2026, 3, 20, 18, 7, tzinfo=UTC), 0.0, 0.0, 0.0),
        # Midnight sun, polar night, and midnight in the south.
        (datetime(2026, 6, 21, 0, 2, tzinfo=UTC), 80.0, 0.0, 13.44),
        (datetime(2026, 12, 21, 12, 0, tzinfo=UTC), 80.0, 0.0, -13.44),
        (datetime(2026, 12, 21, 14, 0, tzinfo=UTC), -33.87, 151.21, -32.7),
    ],
)
def test_it_agrees_with_the_almanac(moment: datetime, latitude: float, longitude: float, expected: float) -> None:
    assert height(moment, latitude, longitude) == pytest.approx(expected, abs=0.6)


@given(st.integers(-(10**11), 10**11), st.floats(-90, 90), st.floats(-180, 180))
def test_it_is_an_elevation_wherever_and_whenever(moment: int, latitude: float, longitude: float) -> None:
    found = elevation(np.array([float(moment)]), np.array([latitude]), np.array([longitude]))[0]
    assert -90 <= found <= 90
