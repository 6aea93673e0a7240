"""Memory cards through the real gateway and stream: capture times, maker notes, unusual and damaged files, clocks."""

import io
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.stack.containers import ContainerStack
from tests.stack.result_consumer import ResultConsumer
from tests.unit.processors.predict.reconyx_notes import hyperfire, hyperfire_4k, micro_fire, ultra_fire
from tests.unit.uncia.imaging.exif_builders import (
    DATE_TIME,
    DATE_TIME_ORIGINAL,
    MAKE,
    MAKER_NOTE,
    MODEL,
    OFFSET_ORIGINAL,
    SUB_SECOND_ORIGINAL,
    Values,
    exif_segment,
)
from tests.unit.uncia.imaging.test_hostile_exif import gps_bomb
from tests.waiting import SCALE
from uncia.events import BurstResolved, CaptureTimeSource, ImagePredicted, Trigger
from uncia.infra.local.stack import Stack

UNCIA = str(Path(sys.executable).with_name("uncia"))
START = datetime(2026, 5, 14, 21, 36)

Settled = Callable[..., list[BurstResolved]]
Card = Callable[[str, dict[str, bytes]], None]
Predictions = Callable[[str, int], list[ImagePredicted]]


def exif_time(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y:%m:%d %H:%M:%S")


def jpeg_bytes(seed: int, width: int = 480, height: int = 360, mode: str = "RGB", **options: object) -> bytes:
    rng = np.random.default_rng(seed)
    patches = rng.integers(60, 160, (height // 16, width // 16, 3), dtype=np.uint8)
    image = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, **options)
    return file.getvalue()


def photograph(seed: int, image: Values | None = None, exif: Values | None = None, **options: object) -> bytes:
    jpeg = jpeg_bytes(seed, **options)  # type: ignore[arg-type]
    return jpeg[:2] + exif_segment(image, exif) + jpeg[2:]


@pytest.fixture
def card(stack: Stack | ContainerStack, station: str, tmp_path: Path) -> Card:
    """Upload files as the memory card of a camera of the station."""

    def upload(camera: str, files: dict[str, bytes]) -> None:
        folder = tmp_path / camera
        for name, data in files.items():
            path = folder / "DCIM" / "100MEDIA" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            os.utime(path, (1_750_000_000, 1_750_000_000))
        command = [UNCIA, "gateway", "card", str(folder), "--station", station, "--camera", camera]
        spool = ["--spool", str(tmp_path / "spool.sqlite"), "--no-copy"]
        environment = {**os.environ, **stack.environment()}
        done = subprocess.run(
            command + spool, env=environment, capture_output=True, text=True, timeout=SCALE * 120, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout

    return upload


@pytest.fixture
def predictions(results: ResultConsumer, station: str) -> Predictions:
    """Wait for `count` predictions or rejections of a camera; returns them by capture time."""

    def wait(camera: str, count: int) -> list[ImagePredicted]:
        def all_predicted() -> list[ImagePredicted]:
            images_so_far = results.of_camera(f"{station}/{camera}")
            return images_so_far if len(images_so_far) >= count else []

        images = results.wait_for(all_predicted, 60, f"{count} predictions of {camera}")
        return sorted(images, key=lambda image: image.capture.time)

    return wait


def test_date_time_is_used_where_the_original_time_is_missing_or_zero(
    card: Card, predictions: Predictions, settled: Settled, station: str
) -> None:
    date_time_only = {f"IMG_000{n}.JPG": photograph(n, {DATE_TIME: exif_time(2 * n)}) for n in range(3)}
    zero_original = {DATE_TIME_ORIGINAL: "0000:00:00 00:00:00"}
    card(
        "cam",
        {
            **date_time_only,
            **{
                f"IMG_001{n}.JPG": photograph(10 + n, {DATE_TIME: exif_time(3600 + 2 * n)}, zero_original)
                for n in range(3)
            },
        },
    )
    bursts = settled(f"{station}/cam", 2)
    assert [(burst.started_at, len(burst.frames)) for burst in bursts] == [
        (START, 3),
        (START + timedelta(hours=1), 3),
    ]
    for image in predictions("cam", 6):
        assert (image.capture.time_source, image.capture.time_origin) == (CaptureTimeSource.EXIF, "date-time")
        assert any("the time is EXIF's DateTime" in warning for warning in image.capture.warnings)


def test_gateway_and_stream_use_the_time_sources_in_the_same_order(card: Card, predictions: Predictions) -> None:
    two_segments = exif_segment({MAKE: "gateway"}, {}) + exif_segment(
        {MAKE: "ACME"}, {DATE_TIME_ORIGINAL: exif_time(90)}
    )
    plain = jpeg_bytes(24)
    card(
        "cam",
        {
            "IMG_0001.JPG": photograph(20, {}, {DATE_TIME_ORIGINAL: "2026:05:14 09:36:00 PM"}),
            "IMG_0002.JPG": photograph(21, {}, {DATE_TIME_ORIGINAL: "2026:05:14 9:36:04 pm"}),
            "IMG_0003.JPG": photograph(22, {}, {DATE_TIME_ORIGINAL: "2026:05:14 12:05:00 AM"}),
            "IMG_0004.JPG": plain[:2] + two_segments + plain[2:],
            "IMG_20260514_213800.JPG": jpeg_bytes(25),
            "IMG_0006.JPG": jpeg_bytes(26),
        },
    )
    images = predictions("cam", 6)
    assert [image.capture.time for image in images][1:] == [
        datetime(2026, 5, 14, 0, 5),
        datetime(2026, 5, 14, 21, 36),
        datetime(2026, 5, 14, 21, 36, 4),
        datetime(2026, 5, 14, 21, 37, 30),
        datetime(2026, 5, 14, 21, 38),
    ]
    assert [image.capture.time_origin for image in images] == ["file-time", *["date-time-original"] * 4, "file-name"]
    assert "last resort" in images[0].capture.warnings[-1]
    assert images[0].capture.time_source is images[5].capture.time_source is CaptureTimeSource.KEY
    assert images[4].capture.make == "ACME"


def test_sub_seconds_order_the_frames_of_a_burst_and_utc_offsets_do_not_shift_them(
    card: Card, predictions: Predictions, settled: Settled, station: str
) -> None:
    tags = {DATE_TIME_ORIGINAL: exif_time(0), OFFSET_ORIGINAL: "+05:45"}
    card(
        "cam",
        {
            f"IMG_000{n}.JPG": photograph(30 + n, {}, {**tags, SUB_SECOND_ORIGINAL: f"{(3 - n) * 2}50"})
            for n in range(3)
        },
    )
    images = predictions("cam", 3)
    assert [image.capture.time.microsecond // 1000 for image in images] == [250, 450, 650]
    assert {image.capture.utc_offset_minutes for image in images} == {345}
    assert [len(burst.frames) for burst in settled(f"{station}/cam")] == [3]


def test_the_capture_time_is_read_from_a_big_endian_maker_note(card: Card, settled: Settled, station: str) -> None:
    files = {}
    for n in range(3):
        note = bytearray(hyperfire(sequence=(n + 1, 3), event=5))
        struct.pack_into(">6H", note, 0x16, 2 * n, 36, 21, 5, 14, 2026)
        files[f"RCNX000{n + 1}.JPG"] = photograph(40 + n, {}, {MAKER_NOTE: bytes(note)})
    card("cam", files)
    (burst,) = settled(f"{station}/cam")
    assert [frame.captured_at for frame in burst.frames] == [START + timedelta(seconds=2 * n) for n in range(3)]
    assert burst.expected_frames == 3


@pytest.mark.parametrize("make", [ultra_fire, hyperfire_4k, micro_fire], ids=lambda make: make.__name__)
def test_newer_reconyx_sequences_close_their_burst_and_a_time_lapse_frame_is_a_separate_burst(
    make: Callable[..., bytes], card: Card, settled: Settled, station: str
) -> None:
    image = {MAKE: "RECONYX", MODEL: make.__name__.upper()}
    files = {}
    for n in range(3):
        tags: dict[int, str | bytes] = {
            DATE_TIME_ORIGINAL: exif_time(20 * n),
            MAKER_NOTE: make(sequence=(n + 1, 3), event=77),
        }
        files[f"RCNX000{n + 1}.JPG"] = photograph(50 + n, image, tags)
    lapse: dict[int, str | bytes] = {
        DATE_TIME_ORIGINAL: exif_time(45),
        MAKER_NOTE: make(trigger=b"T", sequence=(1, 1), event=78),
    }
    card(make.__name__, {**files, "RCNX0004.JPG": photograph(59, image, lapse)})
    bursts = settled(f"{station}/{make.__name__}", 2)
    assert [(burst.trigger, len(burst.frames), burst.expected_frames) for burst in bursts] == [
        (Trigger.MOTION, 3, 3),
        (Trigger.TIME_LAPSE, 1, 1),
    ]


def test_intact_but_unusual_files_are_predicted(card: Card, predictions: Predictions) -> None:
    def dated(n: int) -> dict[int, str]:
        return {DATE_TIME_ORIGINAL: exif_time(300 * n)}

    pair = io.BytesIO()
    first, second = (Image.open(io.BytesIO(jpeg_bytes(seed))) for seed in (64, 65))
    first.save(pair, "MPO", save_all=True, append_images=[second])
    mpo = pair.getvalue()
    card(
        "cam",
        {
            "a_trailing.JPG": photograph(60, {}, dated(0)) + bytes(4096) + b"junk" * 50,
            "b_progressive.JPG": photograph(61, {}, dated(1), progressive=True),
            "c_grey.JPG": photograph(62, {}, dated(2), mode="L"),
            "d_cmyk.JPG": photograph(63, {}, dated(3), mode="CMYK"),
            "e_mpo.JPG": mpo[:2] + exif_segment({}, dated(4)) + mpo[2:],
        },
    )
    images = predictions("cam", 5)
    assert [image.capture.time for image in images] == [START + timedelta(minutes=5 * n) for n in range(5)]
    assert [(image.rejection, image.capture.warnings) for image in images] == [(None, ())] * 5


def test_damaged_images_are_predicted_with_a_warning(card: Card, predictions: Predictions) -> None:
    one, other = (
        photograph(70 + n, {}, {DATE_TIME_ORIGINAL: exif_time(300 * n)}, width=1280, height=960) for n in range(2)
    )
    half = len(one) // 2
    card(
        "cam",
        {
            "IMG_0001.JPG": one[:half] + bytes(16_384) + one[half + 16_384 :],
            "IMG_0002.JPG": other[: len(other) // 2] + one[len(one) // 2 + 3000 :],
        },
    )
    for image in predictions("cam", 2):
        assert image.prediction is not None
        assert [warning for warning in image.capture.warnings if warning.startswith("image-damaged: ")]


def test_metadata_bombs_stop_neither_gateway_nor_stream(card: Card, predictions: Predictions) -> None:
    jpeg = jpeg_bytes(80)
    card(
        "cam",
        {
            "IMG_0001.JPG": gps_bomb(),
            "IMG_0002.JPG": jpeg[:2] + b"\xff\xd0" * 2_000_000 + jpeg[2:],
            "IMG_0003.JPG": photograph(81, {}, {DATE_TIME_ORIGINAL: exif_time(0)}),
        },
    )
    images = predictions("cam", 3)
    assert sorted(image.rejection.reason if image.rejection else "" for image in images) == ["", "", "image-corrupt"]


def test_a_clock_that_was_reset_within_a_card_is_suspicious_and_an_old_card_is_not(
    card: Card, predictions: Predictions, stack: Stack | ContainerStack, results: ResultConsumer, station: str
) -> None:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    image = {MAKE: "BUSHNELL", MODEL: "119876"}

    def frames(first: int, begin: datetime, every: timedelta) -> list[bytes]:
        times = [(begin + n * every).strftime("%Y:%m:%d %H:%M:%S") for n in range(6)]
        return [photograph(first + n, image, {DATE_TIME_ORIGINAL: time}) for n, time in enumerate(times)]

    good = frames(90, now - timedelta(hours=6), timedelta(hours=1))
    reset = frames(100, datetime(2019, 1, 1), timedelta(minutes=40))
    card("reset", {f"IMG_{n:04}.JPG": data for n, data in enumerate(good + reset)})
    old = frames(110, datetime(2024, 6, 3, 7, 12), timedelta(hours=5))
    card("old", {f"IMG_{n:04}.JPG": data for n, data in enumerate(old)})
    predictions("reset", 12)
    predictions("old", 6)

    def verdict(camera: str) -> str:
        done = subprocess.run(
            [UNCIA, "clocks", "--json", "--camera", f"{station}/{camera}"],
            env={**os.environ, **stack.environment()},
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
        shown = json.loads(done.stdout)
        return str(shown[0]["verdict"]) if shown else ""

    results.wait_for(lambda: verdict("reset") == "suspicious", 60, "the reset clock is suspicious")
    results.wait_for(lambda: verdict("old") == "ok", 60, "the old card's clock is ok")
