"""Files that are still being written, and names in two Unicode forms, from the gateway to the verdict."""

import contextlib
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack.containers import ContainerStack
from tests.stack.photographs import photograph
from tests.waiting import SCALE
from uncia.events import BurstResolved, ImagePredicted
from uncia.infra.local.stack import Stack
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

UNCIA = str(Path(sys.executable).with_name("uncia"))

# Like an FTP server with a bad uplink: writes a piece, pauses for longer than the gateway's settle time, and continues.
WRITER = """
import os, sys, time
source, target, reserve = sys.argv[1:]
data = open(source, "rb").read()
with open(target, "wb", buffering=0) as file:
    if reserve == "yes":
        file.truncate(len(data))
        os.utime(target, (1_500_000_000, 1_500_000_000))
    piece = len(data) // 3 + 1
    for start in range(0, len(data), piece):
        file.write(data[start : start + piece])
        os.utime(target, (1_500_000_000, 1_500_000_000))
        time.sleep(2.5)
"""


@pytest.fixture
def environment(stack: Stack | ContainerStack) -> dict[str, str]:
    return {**os.environ, **stack.environment()}


@contextlib.contextmanager
def running_gateway(environment: dict[str, str], station: str, folder: Path) -> Iterator[None]:
    """Run `uncia gateway watch` on the folder."""
    folder.mkdir(exist_ok=True)
    arguments = [UNCIA, "gateway", "watch", str(folder), "--station", station, "--spool", str(folder) + ".sqlite"]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL) as gateway:
        try:
            yield
        finally:
            gateway.terminate()
            gateway.wait(SCALE * 20)


def stored(store: ObjectStore, settings: Settings, station: str) -> dict[str, bytes]:
    listed = store.list(settings.bucket, f"{station}/")
    return {entry.key: store.get(settings.bucket, entry.key, max_bytes=1 << 30) for entry in listed}


@pytest.mark.parametrize("reserve", ["no", "yes"])
def test_a_photograph_that_is_written_in_pieces_is_predicted_once_when_complete(
    environment: dict[str, str],
    store: ObjectStore,
    settings: Settings,
    station: str,
    tmp_path: Path,
    settled: Callable[..., list[BurstResolved]],
    reserve: str,
) -> None:
    source, folder = tmp_path / "source", tmp_path / "photos"
    source.write_bytes(photograph(4711))
    with running_gateway(environment, station, folder):
        (folder / "north").mkdir()
        subprocess.run(
            [sys.executable, "-c", WRITER, str(source), str(folder / "north" / "1.JPG"), reserve],
            check=True,
            timeout=600,
        )
        (burst,) = settled(f"{station}/north")
    assert [frame.rejection for frame in burst.frames] == [None]
    assert list(stored(store, settings, station).values()) == [source.read_bytes()]


def test_a_partial_photograph_is_replaced_by_the_complete_one(
    environment: dict[str, str], store: ObjectStore, settings: Settings, station: str, tmp_path: Path
) -> None:
    path, complete = tmp_path / "north" / "1.JPG", photograph(4712)
    path.parent.mkdir()
    for data in (complete[: len(complete) // 2], complete):
        path.write_bytes(data)
        arguments = ["watch", str(tmp_path), "--station", station, "--spool", str(tmp_path / "s"), "--once", "--json"]
        done = subprocess.run(
            [UNCIA, "gateway", *arguments, "--grace", "0.5"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
        summary = json.loads(done.stdout.splitlines()[-1])
        assert (summary["uploaded"], summary["partial"]) == (1, int(data != complete))
        assert list(stored(store, settings, station).values()) == [data]


def test_a_camera_name_in_two_unicode_forms_is_one_camera_with_one_burst_and_its_deployment(
    environment: dict[str, str],
    upload: Callable[[str, bytes], str],
    predicted: Callable[..., ImagePredicted],
    settled: Callable[..., list[BurstResolved]],
    station: str,
    tmp_path: Path,
) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Höhe Süd") for form in ("NFC", "NFD"))
    table = tmp_path / "deployments.csv"
    table.write_text(
        "deploymentID;locationID;cameraID;latitude;longitude;deploymentStart;deploymentEnd;burstGap\n"
        f"{station};{station};{decomposed};28,2;83,9;2020-01-01T00:00:00Z;NA;120\n"
    )
    card = tmp_path / "card"
    card.mkdir()
    (card / "1.JPG").write_bytes(photograph(4713, "2026:05:01 10:00:00"))
    for arguments in (
        ["deployments", "load", str(table)],
        ["gateway", "card", str(card), "--station", station, "--camera", composed, "--spool", str(tmp_path / "s")],
    ):
        subprocess.run([UNCIA, *arguments], env=environment, check=True, timeout=600)
    key = f"{station}/{decomposed}/2.JPG"
    upload(key, photograph(4713 + 360, "2026:05:01 10:01:00"))

    image = predicted(key)
    (burst,) = settled(f"{station}/{composed}")

    assert (image.key, image.camera) == (key, f"{station}/{composed}")
    assert len(burst.frames) == 2  # a minute apart, which only the deployment's gap joins
    shown = subprocess.run(
        [UNCIA, "bursts", "list", "--camera", f"{station}/{decomposed}", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert [json.loads(line)["burst_id"] for line in shown.stdout.splitlines()] == [burst.burst_id]
