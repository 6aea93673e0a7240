"""Which photographs the benchmark uploads."""

from itertools import groupby, pairwise

from benchmarks.plan import BURST, shots
from uncia.settings import Settings


def test_no_key_comes_twice_even_over_several_rounds() -> None:
    keys = [shot.key for first in (0, 24, 48) for shot in shots(first, 24, cameras=24)]
    assert len(set(keys)) == len(keys) == 3 * 24 * BURST


def test_a_burst_has_all_its_frames_in_order_of_capture() -> None:
    by_event = sorted(shots(0, 24, cameras=12), key=lambda shot: (shot.camera, shot.event))
    for _, frames in groupby(by_event, key=lambda shot: (shot.camera, shot.event)):
        assert [frame.sequence for frame in frames] == list(range(1, BURST + 1))


def test_the_bursts_of_one_camera_are_further_apart_than_the_burst_gap() -> None:
    taken = sorted(shot.taken for shot in shots(0, 3, cameras=1))
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(taken)]
    assert sum(gap > Settings().burst_gap_s for gap in gaps) == 2


def test_many_cameras_are_on_their_way_at_once() -> None:
    first = [shot.camera for shot in shots(0, 24, cameras=24)][:24]
    assert len(set(first)) == 24


def test_keys_are_what_intake_understands() -> None:
    import re

    pattern = re.compile(Settings().key_pattern)
    for shot in shots(0, 6, cameras=6):
        found = pattern.fullmatch(shot.key)
        assert found is not None
        assert f"{found['station']}/{found['camera']}" == shot.camera
