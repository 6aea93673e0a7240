"""Whatever fails while photographs pour in: each is answered, and the bursts are those of a quiet day.

The short form; `make soak` plays every fault with 300 photographs (docs/recovery.md).
"""

import signal

import pytest

from tests.recovery.conftest import Play
from tests.recovery.faults import KILLED, Kill
from tests.recovery.faults.fault import Fault
from tests.recovery.faults.processes import Company, Usurped
from tests.recovery.faults.surroundings import DiskFull, NotificationsLost

pytestmark = [
    pytest.mark.recovery,
    pytest.mark.timeout(300),
    # The clients leave the sockets of a server that was killed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("part", KILLED)
def test_a_killed_part_loses_no_photograph_and_changes_no_burst(play: Play, part: str) -> None:
    assert play(Kill(part)).problems == []


@pytest.mark.parametrize(
    "fault",
    [
        Company("predict", lasts_s=1),
        Company("bursts", lasts_s=1, leaves=signal.SIGKILL),
        Usurped("bursts", lasts_s=8),
        DiskFull(lasts_s=2),
    ],
    ids=lambda fault: fault.name,
)
def test_company_a_usurper_and_a_full_disk_lose_no_photograph_and_change_no_burst(play: Play, fault: Fault) -> None:
    assert play(fault).problems == []


def test_uploads_whose_notification_was_lost_are_announced_by_reconcile(play: Play) -> None:
    outcome = play(NotificationsLost(lasts_s=1))
    assert outcome.problems == []
    assert outcome.by_reconcile > 0
