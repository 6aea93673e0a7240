"""Tiny photographs with EXIF, as cameras write them."""

import io
from datetime import datetime
from pathlib import Path

from PIL import ExifTags, Image


def photograph(path: Path, time: datetime | None = None, serial: str = "", colour: str = "grey") -> Path:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "ACME"
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    if time:
        inner[ExifTags.Base.DateTimeOriginal] = time.strftime("%Y:%m:%d %H:%M:%S")
    if serial:
        inner[ExifTags.Base.BodySerialNumber] = serial
    file = io.BytesIO()
    Image.new("RGB", (16, 12), colour).save(file, "JPEG", exif=exif)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())
    return path
