"""A wrapper of Pillow's JPEG decoder that detects missing or surplus image data.

libjpeg detects both (`premature end of data segment`, `extraneous bytes before marker`), but Pillow does not expose its
warnings. The decoder receives the data piece by piece and writes each row as soon as it has the data for it. If the
last row is written before the last bytes are passed, there is surplus data; if it is not written before the
end-of-image marker is passed, data is missing, which libjpeg replaces by grey. Both checks are exact to a few units of
8 x 8 pixels and cost no time.
"""

from PIL.JpegImagePlugin import JpegImageFile

PADDING = b"\xff\x00" * 16
"""One-bits to insert between the data and the end-of-image marker. libjpeg decodes a unit only when it has more bits
than the unit needs. No Huffman code consists of ones only, so that the padding does not decode to a unit."""

LEFT_OVER, MISSING = "the image data continues after the last row", "the image data ends before the last row"

_END = 2
_TAIL = 128
"""Number of last bytes that may be surplus: a few stray bytes are not damage."""
_MARK = (1, 254, 77)
"""Content of the last row until it is decoded; three such values in a row do not occur by chance."""


class MonitoredJpeg(JpegImageFile):
    """A JPEG whose data is one pass from top to bottom. After `watch`, `load` determines `damage`."""

    _end_at: int | None = None
    _padded = False
    _needed_tail = False
    damage: tuple[str, ...] = ()

    def watch(self, total: int, tail: bytes) -> None:
        """Enable the detection; call it before `load`.

        `total` is the length of the file, whose data ends with `PADDING` and an end-of-image marker; `tail` contains
        the last bytes of the data before them.
        """
        self._end_at = total - _END
        # Repeated equal bytes at the end are not image data: some cameras pad their files.
        self._padded = len(set(tail[-_TAIL:])) <= 2

    def load_prepare(self) -> None:
        """Mark the last row."""
        super().load_prepare()
        if self._end_at is not None:
            for at, x in enumerate(self._places()):
                self.im.putpixel((x, self.size[1] - 1), self._mark(at))

    def load_read(self, read_bytes: int) -> bytes:
        """Return the next piece of the file; pieces end at the positions where the last row is checked."""
        if self._end_at is None or self.fp is None:
            return super().load_read(read_bytes)
        at, tail_at = self.fp.tell(), self._end_at - len(PADDING) - _TAIL
        if at >= tail_at and not self._needed_tail:
            self._needed_tail = self._waits()
        if at == self._end_at and self._waits():
            self.damage = (MISSING,)
        stop = next((place for place in (tail_at, self._end_at) if at < place), None)
        return super().load_read(read_bytes if stop is None else min(read_bytes, stop - at))

    def load_end(self) -> None:
        """Decode the image and determine `damage`."""
        super().load_end()
        if self._end_at is not None and not self._needed_tail and not self._padded:
            self.damage = (LEFT_OVER,)

    def _places(self) -> tuple[int, int, int]:
        return 0, self.size[0] // 2, self.size[0] - 1

    def _mark(self, at: int) -> int | tuple[int, ...]:
        bands = len(self.getbands())
        value = _MARK[at]
        return value if bands == 1 else (value, 255 - value, value, value)[:bands]

    def _waits(self) -> bool:
        """Return whether the last row is not decoded yet."""
        row = self.size[1] - 1
        marks = {x: self._mark(at) for at, x in enumerate(self._places())}
        return all(self.im.getpixel((x, row)) == mark for x, mark in marks.items())
