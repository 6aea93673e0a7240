"""A camera's whole story is in one partition, the same for every client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.kafka.partitioning import partition_of


# Kafka's own test vectors for murmur2 ("21", "foobar", ...), made positive.
@pytest.mark.parametrize(
    ("key", "hashed"),
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536)],
)
def test_it_is_the_partitioner_of_kafkas_own_clients(key: str, hashed: int) -> None:
    assert partition_of(key, 1000) == (hashed & 0x7FFFFFFF) % 1000


@given(st.text(), st.integers(1, 1000))
def test_the_partition_exists(camera: str, partitions: int) -> None:
    assert 0 <= partition_of(camera, partitions) < partitions


def test_cameras_spread_over_all_partitions() -> None:
    assert {partition_of(f"ridge/cam-{number:02}", 4) for number in range(40)} == {0, 1, 2, 3}
