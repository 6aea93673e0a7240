"""Faults while photographs are uploaded: every photograph gets a result, and the bursts are those without a fault.

This is the short form; `make soak` injects every fault with 300 photographs (docs/recovery.md).
"""

import signal

import pytest

from tests.recovery.conftest import Play
from tests.recovery.faults import LIVE_PATH, Kill
from tests.recovery.faults.environment import DiskFull, NotificationsLost
from tests.recovery.faults.fault import Fault
from tests.recovery.faults.processes import ReplacedWhileFrozen, SecondWorkerJoins

pytestmark = [
    pytest.mark.recovery,
    pytest.mark.timeout(1200),
    # Clients leave the sockets of a killed server to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


STATELESS = ("intake", "triton")
"""Parts without state of their own: `predict` shows the same."""


@pytest.mark.parametrize(
    "parts",
    [
        *((part,) for part in LIVE_PATH if part not in STATELESS),
        *(pytest.param((part,), marks=pytest.mark.thorough) for part in STATELESS),
        ("identify",),
        pytest.param(("crops", "explain"), marks=pytest.mark.thorough),
    ],
    ids=" ".join,
)
def test_a_killed_part_loses_no_photograph_crop_or_explanation_and_changes_no_burst(
    play: Play, parts: tuple[str, ...]
) -> None:
    assert play(Kill(*parts)).problems == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(SecondWorkerJoins("predict", lasts_s=1), marks=pytest.mark.thorough),
        SecondWorkerJoins("bursts", lasts_s=1, leaves=signal.SIGKILL),
        ReplacedWhileFrozen("bursts", lasts_s=8),
        DiskFull(lasts_s=2),
    ],
    ids=lambda fault: fault.name,
)
def test_second_workers_and_a_full_disk_lose_no_photograph_and_change_no_burst(play: Play, fault: Fault) -> None:
    assert play(fault).problems == []


def test_uploads_whose_notification_was_lost_are_announced_by_reconcile(play: Play) -> None:
    outcome = play(NotificationsLost(lasts_s=1))
    assert outcome.problems == []
    assert outcome.by_reconcile > 0
