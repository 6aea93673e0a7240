"""Pillow's JPEG decoder, watched: whether the data were too few or too many for the picture.

libjpeg knows (`premature end of data segment`, `extraneous bytes before marker`), and Pillow does not pass its warnings
on. But the decoder is fed piece by piece, and writes each row as soon as it has its data. So before the very last bytes
are fed, the last row cannot stand there yet: if it does, data are left over. And the rows that are still missing then
cannot be more than those bytes can hold: if they are, data are missing. Both are exact, by rows. Where less than
that is missing, libjpeg leaves exact grey from some unit of a row to the picture's end, with a picture above it. All of
it costs a look at a few pixels.
"""

from PIL.JpegImagePlugin import JpegImageFile

from uncia.jpeg_scan import ScanLayout

LEFT_OVER, MISSING = "the picture's data go on after its last row", "the picture's data end before its last row"

_TAIL = 128
"""Bytes before the end at which the last row is looked for: a few stray bytes are no damage."""
_LAST = 32
"""Bytes before the end at which missing rows are looked for."""
_LEAST_BITS = 2
"""That a block takes: one code for its mean, one for the end of it."""
_LAG = 2
"""Rows of units that the decoder may hold back, for upsampling and for a unit that is cut by the piece's end."""
_LEAST_GREY, _LEAST_GREY_PIXELS = 4, 16
"""Units that are missing at the end, and pixels of what is decoded: a few grey ones may be the picture's own."""
_GREY = 128
_MARK = (1, 254, 77)
"""No decoder writes it three times by chance: stands in a row until the row is decoded."""


class WatchedJpeg(JpegImageFile):
    """A JPEG that is fed with pauses, where `watch` was called. `damage` is known after `load`."""

    _layout: ScanLayout | None = None
    _watch: tuple[int, int, bytes] | None = None
    _row: int | None = None
    damage: tuple[str, ...] = ()

    def watch(self, layout: ScanLayout, total: int, tail: bytes) -> None:
        """Before `load`. `total` is the length of the file that is read, its end of image included; `tail` its end."""
        units = 8 * _LAST // (_LEAST_BITS * layout.blocks)
        missing = _LAG + -(-units // layout.units_a_row)
        row = int(self.size[1] - self._unit_size(layout)[1] * (missing + 1))
        self._row = row if row >= 0 else None
        # Uniform bytes at the end are padding, which some cameras write.
        even = len(set(tail[-_TAIL:-2])) <= 2
        self._layout = layout
        self._watch = (total - _TAIL, total - _LAST, b"" if even else tail)

    def load_prepare(self) -> None:
        """Marks the rows that are looked at."""
        super().load_prepare()
        if self._watch is not None:
            for row in {self.size[1] - 1, self._row} - {None}:
                for at, x in enumerate(self._places()):
                    self.im.putpixel((x, row), self._mark(at))

    def load_read(self, read_bytes: int) -> bytes:
        """The next piece, of which none crosses a place where the rows are looked at."""
        if self._watch is None or self.fp is None:
            return super().load_read(read_bytes)
        tail_at, last_at, tail = self._watch
        at = self.fp.tell()
        if at == tail_at and tail and not self._waits(self.size[1] - 1):
            self.damage = (*self.damage, LEFT_OVER)
        if at == last_at and self._row is not None and self._waits(self._row):
            self.damage = (*self.damage, MISSING)
        stop = next((place for place in (tail_at, last_at) if at < place), None)
        return super().load_read(read_bytes if stop is None else min(read_bytes, stop - at))

    def load_end(self) -> None:
        """Looks at the picture's end, once it is decoded."""
        super().load_end()
        if self._layout is not None and not self.damage and self._ends_grey(self._layout):
            self.damage = (MISSING,)

    def _ends_grey(self, layout: ScanLayout) -> bool:
        """Whether the last units are grey, from amid a row of units on, below other ones."""
        if self.mode not in ("L", "RGB"):
            return False
        wide, high = self._unit_size(layout)
        rows = int(self.size[1] / high)
        for row in range(rows - 1, max(0, rows - 2 - _LAG), -1):
            runs = [self._grey_at_the_end(int((row + part) * high)) for part in (0.3, 0.5, 0.7)]
            if min(runs) < self.size[0]:
                return (
                    min(runs) >= max(_LEAST_GREY * wide, _LEAST_GREY_PIXELS)
                    and self._grey_at_the_end(int((row - 0.5) * high)) == 0
                )
        return False

    def _grey_at_the_end(self, y: int) -> int:
        """Pixels of exact grey at the right end of a row."""
        row = self.crop((0, y, self.size[0], y + 1)).tobytes()
        return (len(row) - len(row.rstrip(bytes([_GREY])))) // len(self.getbands())

    def _unit_size(self, layout: ScanLayout) -> tuple[float, float]:
        """Width and height of a unit in pixels of what is decoded, which DCT scaling makes smaller."""
        scale = layout.scale(self.size)
        return layout.unit_width / scale, layout.unit_height / scale

    def _places(self) -> tuple[int, int, int]:
        return 0, self.size[0] // 2, self.size[0] - 1

    def _mark(self, at: int) -> int | tuple[int, ...]:
        bands = len(self.getbands())
        value = _MARK[at]
        return value if bands == 1 else (value, 255 - value, value, value)[:bands]

    def _waits(self, row: int) -> bool:
        """Whether this row was not decoded yet."""
        return all(self.im.getpixel((x, row)) == self._mark(at) for at, x in enumerate(self._places()))
