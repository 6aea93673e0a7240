"""Loads deployments with their own settings."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def load_deployment(
    environment: Mapping[str, str], folder: Path, station: str, camera: str, since: int = 2020, **own: int
) -> None:
    """Load one deployment of this camera, from the year `since` on, with these settings."""
    file = folder / "deployments.csv"
    columns = ["deploymentID", "locationID", "cameraID", "latitude", "longitude", "deploymentStart", *own]
    start = f"{since}-01-01T00:00:00Z"
    values = [f"{station}-{camera}", station, camera, "28.2", "83.9", start, *map(str, own.values())]
    file.write_text(f"{','.join(columns)}\n{','.join(values)}\n", encoding="utf-8")
    command = [sys.executable, "-m", "uncia", "deployments", "load", str(file)]
    done = subprocess.run(command, env=environment, check=True, timeout=600, capture_output=True, text=True)
    assert "published=1" in done.stdout
