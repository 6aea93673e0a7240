"""The sun's position, by the low-precision formulas of NOAA's Global Monitoring Laboratory.

Source: "General Solar Position Calculations", https://gml.noaa.gov/grad/solcalc/solareqns.PDF (after Spencer, 1971).
Accurate to about half a degree from 1950 to 2050 and a little beyond; assessing an infrared lamp needs ten degrees.
"""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_YEAR_S = 365.2422 * 86400
_NEW_YEAR = datetime(2001, 1, 1, tzinfo=UTC).timestamp()


def elevation(moments: Floats, latitude: Floats, longitude: Floats) -> Floats:
    """The sun's elevation above the horizon in degrees, without refraction; arrays broadcast.

    `moments` in seconds since 1970 (UTC); `latitude` and `longitude` in degrees, north and east positive.
    """
    year = 2 * np.pi * (((moments - _NEW_YEAR) / _YEAR_S) % 1)
    declination = (
        0.006918
        - 0.399912 * np.cos(year)
        + 0.070257 * np.sin(year)
        - 0.006758 * np.cos(2 * year)
        + 0.000907 * np.sin(2 * year)
        - 0.002697 * np.cos(3 * year)
        + 0.00148 * np.sin(3 * year)
    )
    equation_min = 229.18 * (
        0.000075
        + 0.001868 * np.cos(year)
        - 0.032077 * np.sin(year)
        - 0.014615 * np.cos(2 * year)
        - 0.040849 * np.sin(2 * year)
    )
    solar_minutes = (moments % 86400) / 60 + equation_min + 4 * longitude
    hour_angle = np.radians(solar_minutes / 4 - 180)
    north = np.radians(latitude)
    sine = np.sin(north) * np.sin(declination) + np.cos(north) * np.cos(declination) * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1, 1))), dtype=np.float64)
