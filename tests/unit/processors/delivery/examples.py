"""Alerts and channels for the tests of the deliveries."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.events import AlertBurst, AlertRaised, AlertState, BurstCategory, BurstStatus, DeploymentChanged, Severity
from uncia.processors.delivery.channels import Channel, ChannelType

TAXA = SensitiveTaxa.load()
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
MOMENT = datetime(2026, 5, 1, 16, 36, tzinfo=UTC)
LATITUDE, LONGITUDE = 47.123456, 85.654321


def alert(
    alert_id: str = "alr-1",
    revision: int = 1,
    state: AlertState = AlertState.RAISED,
    *,
    channels: tuple[str, ...] = (),
    severity: Severity = Severity.WARNING,
    station: str = "ridge",
    summary: str = "snow leopard (Panthera uncia) at ridge/north, 2026-05-01 21:36",
) -> AlertRaised:
    burst = AlertBurst(
        burst_id="bst-5e1f",
        revision=revision,
        status=BurstStatus.FINAL,
        started_at=datetime(2026, 5, 1, 21, 36),
        ended_at=datetime(2026, 5, 1, 21, 36, 9),
        matches=state is not AlertState.WITHDRAWN,
        category=BurstCategory.ANIMAL,
        taxon="Panthera uncia",
        label="snow leopard",
        confidence=0.93,
        count=1,
    )
    return AlertRaised(
        alert_id=alert_id,
        revision=revision,
        state=state,
        rule="snow leopard at night",
        severity=severity,
        station=station,
        camera=f"{station}/north",
        summary=summary,
        bursts=(burst,),
        channels=channels,
        raised_at=MOMENT,
        updated_at=MOMENT + timedelta(seconds=revision),
    )


def deployment(**changes: Any) -> DeploymentChanged:
    values: dict[str, Any] = {
        "deployment_id": "ridge-north-1",
        "camera": "ridge/north",
        "start": datetime(2026, 1, 1, tzinfo=UTC),
        "utc_offset_minutes": 300,
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
        "coordinate_uncertainty_m": 15,
    }
    return DeploymentChanged(**{**values, **changes})


def channel(name: str = "one", type: ChannelType = ChannelType.WEBHOOK, **changes: Any) -> Channel:
    return replace(Channel(name, type), **changes)


def secret_file(folder: Path, secret: str = SECRET) -> Path:
    path = folder / "secret"
    path.write_text(secret + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path
