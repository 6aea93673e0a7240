"""Whether the bytes of a file are a complete photograph."""

import io
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from uncia.producers.gateway.completeness import HOLE, Completeness, CompletenessReader, Shape


def completeness(data: bytes, *cuts: int) -> Completeness:
    reader = CompletenessReader()
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(bounds):
        reader.feed(data[start:end])
    return reader.result()


def jpeg(*, progressive: bool = False, side: int = 240, exif: bytes = b"") -> bytes:
    noise = random.Random(7).randbytes(side * side * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(
        buffer, "JPEG", quality=80, progressive=progressive, **({"exif": exif} if exif else {})
    )
    return buffer.getvalue()


BASELINE = jpeg()
PROGRESSIVE = jpeg(progressive=True)
PADDED_METADATA = jpeg(exif=b"Exif\0\0MM\0*" + bytes(30_000))
THUMBNAIL = jpeg(side=64)
WITH_THUMBNAIL = BASELINE[:2] + b"\xff\xe1" + (len(THUMBNAIL) + 2).to_bytes(2, "big") + THUMBNAIL + BASELINE[2:]
PICTURES = {"baseline": BASELINE, "progressive": PROGRESSIVE, "padded": PADDED_METADATA, "thumbnail": WITH_THUMBNAIL}
NAMES = st.sampled_from(sorted(PICTURES))


@pytest.mark.parametrize("data", [*PICTURES.values(), BASELINE + bytes(5000), BASELINE + THUMBNAIL])
def test_a_padded_jpeg_is_whole(data: bytes) -> None:
    assert completeness(data) == Completeness(Shape.WHOLE, "", len(data.rstrip(b"\0")))


@given(NAMES, st.floats(0, 1, exclude_max=True))
def test_a_truncated_jpeg_is_partial_and_entirely_stable(name: str, share: float) -> None:
    data = PICTURES[name]
    half = data[: int(share * (len(data) - 2))]
    found = completeness(half)
    assert found.shape is Shape.PARTIAL
    assert found.stable_size == len(half.rstrip(b"\0"))


@given(NAMES, st.floats(0, 1, exclude_max=True))
def test_reserved_space_is_partial(name: str, share: float) -> None:
    data = PICTURES[name]
    arrived = int(share * (len(data) - 2))
    found = completeness(data[:arrived] + bytes(len(data) - arrived))
    assert found.shape is Shape.PARTIAL
    assert data.startswith(data[: found.stable_size])
    assert found.stable_size <= arrived


def test_a_hole_in_the_compressed_data_is_partial() -> None:
    at = len(BASELINE) // 2
    found = completeness(BASELINE[:at] + bytes(HOLE) + BASELINE[at + HOLE :])
    assert (found.shape, found.stable_size) == (Shape.PARTIAL, len(BASELINE[:at].rstrip(b"\0")))


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", bytes(100), bytes(100_000), bytes(HOLE) + BASELINE[HOLE:]])
def test_a_few_bytes_are_partial(data: bytes) -> None:
    assert completeness(data).shape is Shape.PARTIAL


@pytest.mark.parametrize(
    "data", [b"a text", b"\x89PNG\r\n" + b"x" * 100, b"RIFF" + bytes(100), random.Random(1).randbytes(9000)]
)
def test_other_bytes_are_of_another_shape(data: bytes) -> None:
    assert completeness(data) == Completeness(Shape.OTHER, "", len(data.rstrip(b"\0")))


def test_other_bytes_with_a_long_run_of_zeros_are_partial() -> None:
    assert completeness(b"\x89PNG" + bytes(HOLE)) == Completeness(Shape.PARTIAL, "it has a hole of zeros", 4)


@given(
    st.sampled_from(sorted(PICTURES)), st.floats(0, 1), st.floats(0, 1), st.lists(st.integers(0, 1 << 20), max_size=12)
)
def test_the_chunk_size_does_not_matter(name: str, begin: float, end: float, cuts: list[int]) -> None:
    data = PICTURES[name]
    first, last = sorted((int(begin * len(data)), int(end * len(data))))
    holed = data[:first] + bytes(last - first) + data[last:]
    assert completeness(holed, *cuts) == completeness(holed)


@given(st.binary(max_size=300).map(lambda tail: b"\xff\xd8\xff" + tail), st.lists(st.integers(0, 300), max_size=5))
def test_arbitrary_bytes_are_accepted(data: bytes, cuts: list[int]) -> None:
    assert completeness(data, *cuts) == completeness(data)
