"""The plan of the benchmark's uploads."""

from itertools import groupby, pairwise

from benchmarks.upload_plan import BURST, plan_bursts
from uncia.settings import Settings


def test_no_key_is_planned_twice_over_several_calls() -> None:
    keys = [upload.key for first in (0, 24, 48) for upload in plan_bursts(first, 24, cameras=24)]
    assert len(set(keys)) == len(keys) == 3 * 24 * BURST


def test_a_burst_has_all_its_frames_in_order_of_capture() -> None:
    by_event = sorted(plan_bursts(0, 24, cameras=12), key=lambda upload: (upload.camera, upload.event))
    for _, frames in groupby(by_event, key=lambda upload: (upload.camera, upload.event)):
        assert [frame.sequence for frame in frames] == list(range(1, BURST + 1))


def test_the_bursts_of_one_camera_are_further_apart_than_the_burst_gap() -> None:
    taken = sorted(upload.captured_at for upload in plan_bursts(0, 3, cameras=1))
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(taken)]
    assert sum(gap > Settings().burst_gap_s for gap in gaps) == 2


def test_the_frames_of_many_cameras_are_interleaved() -> None:
    first = [upload.camera for upload in plan_bursts(0, 24, cameras=24)][:24]
    assert len(set(first)) == 24


def test_intake_can_parse_the_keys() -> None:
    import re

    pattern = re.compile(Settings().key_pattern)
    for upload in plan_bursts(0, 6, cameras=6):
        found = pattern.fullmatch(upload.key)
        assert found is not None
        assert f"{found['station']}/{found['camera']}" == upload.camera
