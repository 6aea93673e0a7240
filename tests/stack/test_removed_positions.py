"""A gateway that removes positions, against the real store, and the private key that opens what it sealed."""

import json
import os
import subprocess
from pathlib import Path

from tests.stack.containers import ContainerStack
from tests.stack.test_gateway import UNCIA
from tests.unit.uncia.imaging.metadata_builders import SECRETS, loaded_jpeg
from uncia.imaging.gps_removal import remove_gps
from uncia.infra.local.stack import Stack
from uncia.sealed_positions import METADATA_NAME
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore


def test_the_store_has_no_position_and_the_private_key_prints_it(
    stack: Stack | ContainerStack, station: str, tmp_path: Path, store: ObjectStore, settings: Settings
) -> None:
    environment = {**os.environ, **stack.environment()}

    def uncia(*arguments: str, **changed: str) -> str:
        done = subprocess.run(
            [UNCIA, *arguments],
            env={**environment, **changed},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    loaded = loaded_jpeg(progressive=False)
    card, private = tmp_path / "card", tmp_path / "position.key"
    (card / "cam-1").mkdir(parents=True)
    (card / "cam-1" / "IMG_0001.JPG").write_bytes(loaded)
    name, _, public = uncia("keys", "position-pair", str(private)).strip().partition("=")
    uploads = ("gateway", "card", str(card), "--station", station, "--spool", str(tmp_path / "spool"), "--json")
    uncia(*uploads, UNCIA_STRIP_GPS="on", **{name: public})
    [entry] = list(store.list(settings.bucket, f"{station}/"))
    data = store.get(settings.bucket, entry.key, max_bytes=1 << 24)
    assert data == remove_gps(loaded).data
    assert not [each for each, secret in SECRETS.items() if "GPS" in each and secret in data]
    assert METADATA_NAME in store.metadata(settings.bucket, entry.key)
    opened = json.loads(uncia("keys", "open-position", entry.key, str(private), "--json"))
    assert opened == remove_gps(loaded).position
