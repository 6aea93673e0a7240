"""The pause of the stream while a key is rotated."""

import pytest

from benchmarks.key_rotations import Rotation, table

ROTATION = Rotation("predict", began=100.0, command_s=4.0, ready_s=6.0)


@pytest.mark.parametrize(
    ("verdicts", "pause"),
    [
        ([98.0, 99.0, 104.5, 105.0], 5.5),
        ([99.0, 101.0, 109.0, 130.0], 8.0),
        ([99.0, 100.5, 101.5, 106.5, 150.0], 5.0),
    ],
    ids=["begins before", "ends afterwards", "begins afterwards"],
)
def test_the_pause_is_the_longest_gap_that_the_rotation_has_a_part_in(verdicts: list[float], pause: float) -> None:
    assert ROTATION.pause_s(verdicts) == pause


def test_the_usual_gap_is_that_of_the_seconds_before() -> None:
    assert ROTATION.usual_s([50.0, 91.0, 93.5, 94.0, 99.0, 150.0]) == 5.0


def test_a_rotation_is_a_row() -> None:
    row: dict[str, str | float] = {"key": "predict", "command_s": 4.0, "ready_s": 6.0, "pause_s": 5.5, "usual_s": 1.0}
    assert "| predict | 4.0 s | 6.0 s | 5.5 s | 1.0 s |" in table([row])
