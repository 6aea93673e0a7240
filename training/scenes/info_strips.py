"""The black strips with time, temperature and camera name that camera traps print into their photographs."""

from datetime import datetime
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

TOP_STRIP, BOTTOM_STRIP = 0.032, 0.055
"""Heights as shares of the frame: slightly less than the stream crops off (`FrameSpec`)."""


def print_strips(
    image: Image.Image,
    camera: str,
    taken: datetime,
    celsius: int,
    sequence: tuple[int, int] | None = None,
    note: str = "COMPOSITE",
) -> None:
    """Print both strips into the image, in place. `sequence` is the number of the frame and the length of its burst.

    Strips of fewer than 8 pixels stay empty.
    """
    width, height = image.size
    top, bottom = round(height * TOP_STRIP), round(height * BOTTOM_STRIP)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, top - 1), fill="black")
    draw.rectangle((0, height - bottom, width, height), fill="black")
    if top < 8:
        return
    font = _font(round(top * 0.72))
    draw.text((width * 0.02, top / 2), f"{taken:%Y-%m-%d  %H:%M:%S}", fill="white", font=font, anchor="lm")
    if sequence:
        number, length = sequence
        draw.text((width * 0.45, top / 2), f"M {number}/{length}", fill="white", font=font, anchor="lm")
    draw.text((width * 0.98, top / 2), f"{celsius} °C", fill="white", font=font, anchor="rm")
    draw.text((width * 0.02, height - bottom / 2), camera.upper(), fill="white", font=font, anchor="lm")
    draw.text((width * 0.98, height - bottom / 2), note, fill=(110, 190, 120), font=font, anchor="rm")


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
