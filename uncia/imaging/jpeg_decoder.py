"""Pillow's JPEG decoder, watched: whether the data were too few or too many for the picture.

libjpeg knows (`premature end of data segment`, `extraneous bytes before marker`), and Pillow does not pass its warnings
on. But the decoder is fed piece by piece and writes each row as soon as it has its data. So the last row must not be
there before the last bytes are fed, else data are left over; and it must be there before the end of image is fed, else
data are missing, for which libjpeg puts grey. Both are exact, but for a few units of 8 x 8 pixels, and cost nothing.
"""

from PIL.JpegImagePlugin import JpegImageFile

PADDING = b"\xff\x00" * 16
"""One-bits, to be put between the data and the end of image. libjpeg decodes a unit only when it has more bits than
that takes; no code has ones alone, so that these make no unit of their own."""

LEFT_OVER, MISSING = "the picture's data go on after its last row", "the picture's data end before its last row"

_END = 2
_TAIL = 128
"""Bytes before the end that must be needed: a few stray ones are no damage."""
_MARK = (1, 254, 77)
"""Stands in the last row until that is decoded; no decoder writes it three times by chance."""


class MonitoredJpeg(JpegImageFile):
    """A JPEG whose data come from the top to the bottom once. Where `watch` was called, `load` finds `damage`."""

    _end_at: int | None = None
    _padded = False
    _needed_tail = False
    damage: tuple[str, ...] = ()

    def watch(self, total: int, tail: bytes) -> None:
        """Before `load`. `total` is the length of the file that is read, whose data end in `PADDING` and an end of
        image; `tail` are the last bytes of the data themselves.
        """
        self._end_at = total - _END
        # Bytes of one kind before the end are no data: some cameras fill a file up.
        self._padded = len(set(tail[-_TAIL:])) <= 2

    def load_prepare(self) -> None:
        """Marks the last row."""
        super().load_prepare()
        if self._end_at is not None:
            for at, x in enumerate(self._places()):
                self.im.putpixel((x, self.size[1] - 1), self._mark(at))

    def load_read(self, read_bytes: int) -> bytes:
        """The next piece; none crosses the places where something is looked at."""
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
        """Determines `damage` once the picture is decoded."""
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
        """Whether the last row was not decoded yet."""
        row = self.size[1] - 1
        marks = {x: self._mark(at) for at, x in enumerate(self._places())}
        return all(self.im.getpixel((x, row)) == mark for x, mark in marks.items())
