"""Cards as cameras write them, through the real gateway and stream: times, maker notes, odd files, damage, clocks."""

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
from tests.stack.witness import Witness
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
from uncia.events import BurstResolved, CaptureTimeSource, ImagePredicted, Trigger
from uncia.infra.local.stack import Stack

UNCIA = str(Path(sys.executable).with_name("uncia"))
START = datetime(2026, 5, 14, 21, 36)

Settled = Callable[..., list[BurstResolved]]
Card = Callable[[str, dict[str, bytes]], None]
Answers = Callable[[str, int], list[ImagePredicted]]


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y:%m:%d %H:%M:%S")


def picture(seed: int, width: int = 480, height: int = 360, mode: str = "RGB", **options: object) -> bytes:
    dice = np.random.default_rng(seed)
    patches = dice.integers(60, 160, (height // 16, width // 16, 3), dtype=np.uint8)
    image = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, **options)
    return file.getvalue()


def shot(seed: int, image: Values | None = None, exif: Values | None = None, **options: object) -> bytes:
    whole = picture(seed, **options)  # type: ignore[arg-type]
    return whole[:2] + exif_segment(image, exif) + whole[2:]


@pytest.fixture
def card(stack: Stack | ContainerStack, station: str, tmp_path: Path) -> Card:
    """Uploads files as the card of a camera of the station."""

    def read(camera: str, files: dict[str, bytes]) -> None:
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
            command + spool, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout

    return read


@pytest.fixture
def answers(witness: Witness, station: str) -> Answers:
    """So many answers of a camera, by capture time."""

    def of(camera: str, count: int) -> list[ImagePredicted]:
        def all_there() -> list[ImagePredicted]:
            ours = witness.of_camera(f"{station}/{camera}")
            return ours if len(ours) >= count else []

        found = witness.wait_for(all_there, 60, f"{count} answers of {camera}")
        return sorted(found, key=lambda each: each.capture.time)

    return of


def test_date_time_stands_in_where_the_original_time_is_missing_or_zeros(
    card: Card, answers: Answers, settled: Settled, station: str
) -> None:
    alone = {f"IMG_000{n}.JPG": shot(n, {DATE_TIME: at(2 * n)}) for n in range(3)}
    zeros = {DATE_TIME_ORIGINAL: "0000:00:00 00:00:00"}
    card("cam", {**alone, **{f"IMG_001{n}.JPG": shot(10 + n, {DATE_TIME: at(3600 + 2 * n)}, zeros) for n in range(3)}})
    bursts = settled(f"{station}/cam", 2)
    assert [(burst.started_at, len(burst.frames)) for burst in bursts] == [
        (START, 3),
        (START + timedelta(hours=1), 3),
    ]
    for each in answers("cam", 6):
        assert (each.capture.time_source, each.capture.time_origin) == (CaptureTimeSource.EXIF, "date-time")
        assert any("the time is EXIF's DateTime" in warning for warning in each.capture.warnings)


def test_the_order_of_sources_is_one_for_gateway_and_stream(card: Card, answers: Answers) -> None:
    two = exif_segment({MAKE: "gateway"}, {}) + exif_segment({MAKE: "ACME"}, {DATE_TIME_ORIGINAL: at(90)})
    plain = picture(24)
    card(
        "cam",
        {
            "IMG_0001.JPG": shot(20, {}, {DATE_TIME_ORIGINAL: "2026:05:14 09:36:00 PM"}),
            "IMG_0002.JPG": shot(21, {}, {DATE_TIME_ORIGINAL: "2026:05:14 9:36:04 pm"}),
            "IMG_0003.JPG": shot(22, {}, {DATE_TIME_ORIGINAL: "2026:05:14 12:05:00 AM"}),
            "IMG_0004.JPG": plain[:2] + two + plain[2:],
            "IMG_20260514_213800.JPG": picture(25),
            "IMG_0006.JPG": picture(26),
        },
    )
    found = answers("cam", 6)
    assert [each.capture.time for each in found][1:] == [
        datetime(2026, 5, 14, 0, 5),
        datetime(2026, 5, 14, 21, 36),
        datetime(2026, 5, 14, 21, 36, 4),
        datetime(2026, 5, 14, 21, 37, 30),
        datetime(2026, 5, 14, 21, 38),
    ]
    assert [each.capture.time_origin for each in found] == ["file-time", *["date-time-original"] * 4, "file-name"]
    assert "last resort" in found[0].capture.warnings[-1]
    assert found[0].capture.time_source is found[5].capture.time_source is CaptureTimeSource.KEY
    assert found[4].capture.make == "ACME"


def test_sub_seconds_order_a_burst_and_offsets_shift_nothing(
    card: Card, answers: Answers, settled: Settled, station: str
) -> None:
    more = {DATE_TIME_ORIGINAL: at(0), OFFSET_ORIGINAL: "+05:45"}
    card(
        "cam",
        {f"IMG_000{n}.JPG": shot(30 + n, {}, {**more, SUB_SECOND_ORIGINAL: f"{(3 - n) * 2}50"}) for n in range(3)},
    )
    found = answers("cam", 3)
    assert [each.capture.time.microsecond // 1000 for each in found] == [250, 450, 650]
    assert {each.capture.utc_offset_minutes for each in found} == {345}
    assert [len(burst.frames) for burst in settled(f"{station}/cam")] == [3]


def test_a_maker_note_holds_the_only_time_big_endian(card: Card, settled: Settled, station: str) -> None:
    files = {}
    for n in range(3):
        note = bytearray(hyperfire(sequence=(n + 1, 3), event=5))
        struct.pack_into(">6H", note, 0x16, 2 * n, 36, 21, 5, 14, 2026)
        files[f"RCNX000{n + 1}.JPG"] = shot(40 + n, {}, {MAKER_NOTE: bytes(note)})
    card("cam", files)
    (burst,) = settled(f"{station}/cam")
    assert [frame.captured_at for frame in burst.frames] == [START + timedelta(seconds=2 * n) for n in range(3)]
    assert burst.expected_frames == 3


@pytest.mark.parametrize("make", [ultra_fire, hyperfire_4k, micro_fire], ids=lambda make: make.__name__)
def test_newer_reconyx_sequences_close_and_time_lapse_stands_alone(
    make: Callable[..., bytes], card: Card, settled: Settled, station: str
) -> None:
    image = {MAKE: "RECONYX", MODEL: make.__name__.upper()}
    files = {}
    for n in range(3):
        tags: dict[int, str | bytes] = {
            DATE_TIME_ORIGINAL: at(20 * n),
            MAKER_NOTE: make(sequence=(n + 1, 3), event=77),
        }
        files[f"RCNX000{n + 1}.JPG"] = shot(50 + n, image, tags)
    lapse: dict[int, str | bytes] = {
        DATE_TIME_ORIGINAL: at(45),
        MAKER_NOTE: make(trigger=b"T", sequence=(1, 1), event=78),
    }
    card(make.__name__, {**files, "RCNX0004.JPG": shot(59, image, lapse)})
    bursts = settled(f"{station}/{make.__name__}", 2)
    assert [(burst.trigger, len(burst.frames), burst.expected_frames) for burst in bursts] == [
        (Trigger.MOTION, 3, 3),
        (Trigger.TIME_LAPSE, 1, 1),
    ]


def test_whole_but_odd_files_are_predicted(card: Card, answers: Answers) -> None:
    def dated(n: int) -> dict[int, str]:
        return {DATE_TIME_ORIGINAL: at(300 * n)}

    pair = io.BytesIO()
    first, second = (Image.open(io.BytesIO(picture(seed))) for seed in (64, 65))
    first.save(pair, "MPO", save_all=True, append_images=[second])
    mpo = pair.getvalue()
    card(
        "cam",
        {
            "a_trailing.JPG": shot(60, {}, dated(0)) + bytes(4096) + b"junk" * 50,
            "b_progressive.JPG": shot(61, {}, dated(1), progressive=True),
            "c_grey.JPG": shot(62, {}, dated(2), mode="L"),
            "d_cmyk.JPG": shot(63, {}, dated(3), mode="CMYK"),
            "e_mpo.JPG": mpo[:2] + exif_segment({}, dated(4)) + mpo[2:],
        },
    )
    found = answers("cam", 5)
    assert [each.capture.time for each in found] == [START + timedelta(minutes=5 * n) for n in range(5)]
    assert [(each.rejection, each.capture.warnings) for each in found] == [(None, ())] * 5


def test_damaged_pictures_are_predicted_with_a_warning(card: Card, answers: Answers) -> None:
    one, other = (shot(70 + n, {}, {DATE_TIME_ORIGINAL: at(300 * n)}, width=1280, height=960) for n in range(2))
    half = len(one) // 2
    card(
        "cam",
        {
            "IMG_0001.JPG": one[:half] + bytes(16_384) + one[half + 16_384 :],
            "IMG_0002.JPG": other[: len(other) // 2] + one[len(one) // 2 + 3000 :],
        },
    )
    for each in answers("cam", 2):
        assert each.prediction is not None
        assert [warning for warning in each.capture.warnings if warning.startswith("image-damaged: ")]


def test_metadata_bombs_stop_neither_gateway_nor_stream(card: Card, answers: Answers) -> None:
    whole = picture(80)
    card(
        "cam",
        {
            "IMG_0001.JPG": gps_bomb(),
            "IMG_0002.JPG": whole[:2] + b"\xff\xd0" * 2_000_000 + whole[2:],
            "IMG_0003.JPG": shot(81, {}, {DATE_TIME_ORIGINAL: at(0)}),
        },
    )
    found = answers("cam", 3)
    assert sorted(each.rejection.reason if each.rejection else "" for each in found) == ["", "", "image-corrupt"]


def test_a_clock_that_was_reset_amid_a_card_is_suspicious_and_an_old_card_is_not(
    card: Card, answers: Answers, stack: Stack | ContainerStack, witness: Witness, station: str
) -> None:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    image = {MAKE: "BUSHNELL", MODEL: "119876"}

    def frames(first: int, begin: datetime, every: timedelta) -> list[bytes]:
        times = [(begin + n * every).strftime("%Y:%m:%d %H:%M:%S") for n in range(6)]
        return [shot(first + n, image, {DATE_TIME_ORIGINAL: time}) for n, time in enumerate(times)]

    good = frames(90, now - timedelta(hours=6), timedelta(hours=1))
    reset = frames(100, datetime(2019, 1, 1), timedelta(minutes=40))
    card("reset", {f"IMG_{n:04}.JPG": data for n, data in enumerate(good + reset)})
    old = frames(110, datetime(2024, 6, 3, 7, 12), timedelta(hours=5))
    card("old", {f"IMG_{n:04}.JPG": data for n, data in enumerate(old)})
    answers("reset", 12)
    answers("old", 6)

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

    witness.wait_for(lambda: verdict("reset") == "suspicious", 60, "the reset clock is suspicious")
    witness.wait_for(lambda: verdict("old") == "ok", 60, "the old card's clock is ok")
