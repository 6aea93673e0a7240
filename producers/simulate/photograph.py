"""A planned frame as the JPEG file that its camera writes."""

import io
from typing import Protocol

from PIL import Image

from uncia.events.values import Box
from uncia.producers.simulate.exif import ExifValues, exif
from uncia.producers.simulate.plan import Camera, Frame

_TARGET_BYTES = 300_000


class RenderFrame(Protocol):
    """Renders the pixels of a planned frame."""

    def __call__(self, frame: Frame, /) -> tuple[Image.Image, Box | None]:
        """The photograph with its info strips, and the animal's box as shares of the photograph; None without it."""
        ...


class Photographer:
    """Turns planned frames into JPEG files of about 300 KB. Not thread-safe.

    All frames of a burst have the JPEG quality that the first of them needs for that size.
    """

    def __init__(self, render: RenderFrame) -> None:
        self._render = render
        self._quality: dict[Camera, tuple[int, int]] = {}

    def take(self, frame: Frame) -> tuple[bytes, Box | None]:
        """Return the bytes of the file and the relative box of the animal, None when it is not visible."""
        image, box = self._render(frame)
        burst, quality = self._quality.get(frame.camera, (0, 0))
        if burst != frame.burst:
            quality = _quality_for_size(image)
            self._quality[frame.camera] = (frame.burst, quality)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, exif=exif(_exif_values(frame)))
        return file.getvalue(), box


def _quality_for_size(image: Image.Image) -> int:
    """Return the JPEG quality for about 300 KB, by bisection on the middle quarter of the image."""
    width, height = image.size
    part = image.crop((width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    low, high = 40, 94
    while high - low > 2:
        middle = (low + high) // 2
        file = io.BytesIO()
        part.save(file, "JPEG", quality=middle)
        low, high = (middle, high) if file.tell() * 4 < _TARGET_BYTES else (low, middle)
    return low


def _exif_values(frame: Frame) -> ExifValues:
    camera = frame.camera
    return ExifValues(
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
