"""One planned frame as the JPEG file that its camera would have written."""

import io
import zlib
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from uncia.producers.simulate.animal import cat
from uncia.producers.simulate.exif import Shot, exif
from uncia.producers.simulate.optics import Box, Pixels, empty, expose
from uncia.producers.simulate.plan import Camera, Frame
from uncia.producers.simulate.scenery import HEIGHT, WIDTH, Scene, scene

TOP_STRIP, BOTTOM_STRIP = 44, 62
"""Heights of the printed strips in pixels: 3 % and 4 % of the photograph."""

AIM_BYTES = 300_000


@dataclass
class _Burst:
    """What the frames of one burst share."""

    number: int
    place: Scene
    lit: Pixels
    quality: int = 0


class Darkroom:
    """Makes photographs; keeps what the frames of one burst share. Not for several threads."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._bursts: dict[Camera, _Burst] = {}

    def make(self, frame: Frame) -> tuple[bytes, Box | None]:
        """The file's bytes, about 300 KB, and the animal's box as shares of the photograph, or None."""
        burst = self._bursts.get(frame.camera)
        if burst is None or burst.number != frame.burst:
            place = scene(frame.camera.place, zlib.crc32(f"{self._seed}/{frame.camera.station}".encode()))
            burst = self._bursts[frame.camera] = _Burst(frame.burst, place, empty(place, frame.light))
        animal = cat() if frame.pose else None
        picture, box = expose(burst.place, burst.lit, frame.light, animal, frame.pose, frame.seed)
        _print_strips(picture, frame)
        if not burst.quality:
            burst.quality = _quality(picture)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=burst.quality, exif=exif(_shot(frame)))
        return file.getvalue(), box


def _quality(picture: Image.Image) -> int:
    """The JPEG quality that gives about 300 KB; found on a quarter, which has a quarter of the bytes."""
    part = picture.crop((WIDTH // 4, HEIGHT // 4, WIDTH * 3 // 4, HEIGHT * 3 // 4))
    low, high = 40, 94
    while high - low > 2:
        middle = (low + high) // 2
        file = io.BytesIO()
        part.save(file, "JPEG", quality=middle)
        low, high = (middle, high) if file.tell() * 4 < AIM_BYTES else (low, middle)
    return low


def _shot(frame: Frame) -> Shot:
    camera = frame.camera
    return Shot(
        time=frame.time,
        make=camera.make,
        model=camera.model,
        serial=camera.serial,
        infrared=frame.light.infrared,
        temperature_c=frame.temperature_c,
        sequence=frame.number,
        sequence_length=frame.of,
        event_number=frame.burst,
        label=f"{camera.station} {camera.name}".upper(),
        reconyx=camera.reconyx,
    )


def _print_strips(picture: Image.Image, frame: Frame) -> None:
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, WIDTH, TOP_STRIP - 1), fill="black")
    draw.rectangle((0, HEIGHT - BOTTOM_STRIP, WIDTH, HEIGHT), fill="black")
    font = _font(32)
    draw.text((34, 2), frame.time.strftime("%Y-%m-%d  %H:%M:%S"), fill="white", font=font)
    if frame.camera.reconyx:
        draw.text((810, 2), f"M {frame.number}/{frame.of}", fill="white", font=font)
    middle = TOP_STRIP // 2
    draw.ellipse((1770, middle - 12, 1794, middle + 12), outline="white", width=3)
    if not frame.light.infrared:
        draw.ellipse((1776, middle - 6, 1788, middle + 6), fill="white")
    draw.text((WIDTH - 40, 2), f"{frame.temperature_c} °C", fill="white", font=font, anchor="ra")
    below = HEIGHT - BOTTOM_STRIP + 9
    draw.text((34, below), f"{frame.camera.station} {frame.camera.name}".upper(), fill="white", font=font)
    draw.text((WIDTH - 40, below), "UNCIA SIMULATED", fill=(110, 190, 120), font=font, anchor="ra")


@lru_cache(maxsize=2)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
