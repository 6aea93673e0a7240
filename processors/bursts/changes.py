"""What one frame or tick did to a camera: what is said, and what must be stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from uncia.events import BurstResolved, BurstStatus, FrameLate
from uncia.processors.bursts.state import Burst


@dataclass
class Said:
    """One event. Its revision is used up, whether or not anybody words it.

    A provisional verdict is worded when somebody asks: of several within one batch only the last is ever read.
    """

    burst_id: str
    status: BurstStatus
    word: Callable[[], BurstResolved]

    @cached_property
    def event(self) -> BurstResolved:
        """The event."""
        return self.word()


def worth_saying(said: list[Said]) -> list[Said]:
    """Without the provisional verdicts that a later event of the same burst overtakes; all others stay."""
    last = {each.burst_id: place for place, each in enumerate(said)}
    return [
        each
        for place, each in enumerate(said)
        if each.status is not BurstStatus.PROVISIONAL or last[each.burst_id] == place
    ]


@dataclass
class Step:
    """What one frame or tick did: what is said, in order, and which bursts must be stored or removed, by id."""

    said: list[Said] = field(default_factory=list)
    late: list[FrameLate] = field(default_factory=list)
    changed: dict[str, Burst] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    touched: bool = False
    """Something of the camera changed that is stored without being said."""

    @property
    def events(self) -> list[BurstResolved]:
        """All of it, worded."""
        return [each.event for each in self.said]

    def keep(self, burst: Burst) -> None:
        """Store it."""
        self.changed[burst.id] = burst
        self.removed.discard(burst.id)

    def drop(self, burst_id: str) -> None:
        """Remove it."""
        self.changed.pop(burst_id, None)
        self.removed.add(burst_id)

    def add(self, later: "Step") -> None:
        """Both, as one."""
        self.said += later.said
        self.late += later.late
        self.touched = self.touched or later.touched
        for burst_id in later.removed:
            self.drop(burst_id)
        for burst in later.changed.values():
            self.keep(burst)
