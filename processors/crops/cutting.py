"""From a photograph's bytes and a box to the JPEG of the crop. Pure."""

import io
from dataclasses import dataclass

from uncia import ids
from uncia.events.values import Box
from uncia.imaging.crops import CropRegion, crop_region, cut
from uncia.imaging.frames import DecodedPhotograph

MARGIN = 0.1
"""Share of the box's longer side that a crop shows around it."""

_QUALITY = 90


@dataclass(frozen=True)
class Crop:
    """An encoded crop."""

    jpeg: bytes
    sha256: str
    region: CropRegion


def cut_crop(photograph: DecodedPhotograph, box: Box, *, min_pixels: int) -> Crop | None:
    """The crop of a box (shares of the photograph), decoded at full scale, with a margin and without any metadata.

    None for a box whose shorter side has fewer than `min_pixels` pixels. Equal photographs and boxes give equal bytes,
    with one version of Pillow.
    """
    width, height = photograph.image.size
    if min(box[2] * width, box[3] * height) < min_pixels:
        return None
    region = crop_region(box, width, height, margin=MARGIN)
    picture = cut(photograph.image, region)
    # Pillow writes the comment and the colour profile of the picture that a crop was cut from.
    picture.info.clear()
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, optimize=True)
    jpeg = file.getvalue()
    return Crop(jpeg, ids.content_hash(jpeg), region)
